import { z } from 'zod';
import { bundleSchema } from '../../../detect/bundle.js';
import { errorBodySchema } from '../../api_error.js';
import { answerSchema, answersSchema, resultsSchema } from '../answer.js';
import { jsonBodySchema } from '../json_body.js';

const problemSchema = z
  .strictObject({ error: errorBodySchema })
  .meta({ id: 'Problem', description: 'The body of every answer that is not a success.' });

const statusSchema = z.strictObject({ status: z.enum(['ok', 'ready']) }).meta({ id: 'Status' });

const { name, version, created, categories, thresholds } = bundleSchema.shape;
const versionSchema = z.strictObject({ name, version, created, categories, thresholds }).meta({ id: 'Version' });

const ANSWERS: z.ZodType[] = [answerSchema, answersSchema, resultsSchema, problemSchema, statusSchema, versionSchema];
const BODIES = [jsonBodySchema];

/** Everything with a name of its own: what is answered, these and `more`, and what is asked. */
export function componentSchemas(more: readonly z.ZodType[]): Record<string, unknown> {
  return { ...named([...ANSWERS, ...more], 'output'), ...named(BODIES, 'input') };
}

/** A schema with a name, by reference. */
export const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` });

function named(schemas: z.ZodType[], io: 'input' | 'output'): Record<string, unknown> {
  const { $defs } = z.toJSONSchema(z.union(schemas), { io });
  return JSON.parse(JSON.stringify($defs).replaceAll('#/$defs/', '#/components/schemas/'));
}

/** The JSON Schema of a value without a name. */
export function inlineSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema, ...inline } = z.toJSONSchema(schema, { io: 'output' });
  return inline;
}
