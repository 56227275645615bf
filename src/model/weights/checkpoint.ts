import { z } from 'zod';
import { messageOf, UserError } from '../../base/errors.js';
import { type Architecture, architectureSchema } from '../../config/network.js';
import { type Preprocess, preprocessSchema } from '../../config/preprocess.js';
import { type CocoCategory, categorySchema } from '../../detect/coco.js';

/** Value of the metadata key `format` in our files. */
const FORMAT = 'yolox-node';

/** COCO's shape. */
/** Information about weights in the metadata of our safetensors and ONNX files. */
export interface CheckpointInfo {
  architecture: Architecture;
  preprocess: Preprocess;
  /** In the order of the model's classes; absent if the original file did not name them. */
  categories?: CocoCategory[];
  /** Epochs trained. */
  epoch?: number;
  /** Whether these are moving averages. */
  ema?: boolean;
  /** Origin of the weights, for people. */
  source?: string;
}

const infoSchema = z.object({
  architecture: architectureSchema,
  preprocess: preprocessSchema,
  categories: z.array(categorySchema).optional(),
  epoch: z.number().optional(),
  ema: z.boolean().optional(),
  source: z.string().optional(),
});

/** Converts `info` to metadata: JSON for everything except text. */
export function checkpointMetadata(info: CheckpointInfo): Record<string, string> {
  const entries = Object.entries(info).filter(([, value]) => value !== undefined);
  return {
    format: FORMAT,
    ...Object.fromEntries(entries.map(([key, value]) => [key, key === 'source' ? value : JSON.stringify(value)])),
  };
}

/**
 * The inverse; undefined for files of other programs.
 * @throws UserError naming `where` if the metadata is damaged
 */
export function parseCheckpointMetadata(metadata: Record<string, string>, where: string): CheckpointInfo | undefined {
  if (metadata.format !== FORMAT) return undefined;
  const known = Object.entries(metadata).filter(([key]) => key in infoSchema.shape);
  const result = infoSchema.safeParse(
    Object.fromEntries(known.map(([key, text]) => [key, key === 'source' ? text : parseJson(text, where, key)])),
  );
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  throw new UserError({
    where,
    field: ['metadata', ...path].join('.'),
    expected: `metadata of a ${FORMAT} checkpoint`,
    reason: message,
  });
}

function parseJson(text: string, where: string, key: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(
      { where, field: `metadata.${key}`, expected: 'JSON', reason: messageOf(error) },
      { cause: error },
    );
  }
}
