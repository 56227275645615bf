import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/errors.js';
import { explainFileError } from '../base/file_errors.js';
import { readJson, sha256, sha256File } from '../base/files.js';
import { expectedOf, withOldName } from '../base/zod.js';
import { schemaAt } from '../config/keys.js';
import { architectureSchema } from '../config/network.js';
import { preprocessSchema } from '../config/preprocess.js';
import { categorySchema } from './coco.js';

/** Name of the manifest inside a bundle's folder. */
export const BUNDLE_FILE = 'bundle.json';

const NO_BUNDLE =
  'Give the folder of a packed model: yolox-node pack makes one of weights, yolox-node run of your own images.';
const DAMAGED = 'The bundle is incomplete, damaged or was changed: copy it again.';

/** A file directly inside the bundle's folder. */
const fileName = z.string().regex(/^[\w-][\w.-]*$/, 'a plain file name');
const unit = z.number().min(0).max(1);

/** `bundle.json`: everything needed to serve a model and to test the service. */
export const bundleSchema = z
  .strictObject({
    /** Version of this format; readers refuse unknown versions. */
    format: z.literal(1),
    name: z.string().min(1),
    version: z.string().min(1),
    /** Time of packing, ISO 8601. */
    created: z.iso.datetime(),
    model: architectureSchema.extend({
      file: fileName,
      /** Names in the ONNX graph: float32 [batch,3,H,W] in, [batch,A,5+C] decoded out. */
      input: z.string(),
      output: z.string(),
    }),
    preprocess: preprocessSchema,
    categories: z.array(categorySchema),
    thresholds: withOldName(
      z.strictObject({
        confidence: unit,
        iou: unit,
        maxDetections: z.int().positive(),
        agnostic: z.boolean(),
      }),
      'nms',
      'iou',
    ),
    /** An image and the answer the server must give for it. */
    test: z.strictObject({ image: fileName, result: fileName }),
    weights: z.strictObject({ license: z.string(), source: z.string() }),
    /** SHA-256 of every other file. */
    files: z.record(fileName, z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex')),
  })
  .refine(({ model, categories }) => model.classes === categories.length, {
    path: ['categories'],
    error: 'one category for each of model.classes',
  });

export type BundleManifest = z.infer<typeof bundleSchema>;

/** A bundle that has been read and verified. */
export interface Bundle extends BundleManifest {
  /** Its folder. */
  dir: string;
}

/**
 * Reads a bundle and verifies the checksum of each file it needs.
 * @throws UserError naming the file and field if one is missing, changed or of an unknown format
 */
export async function readBundle(dir: string): Promise<Bundle> {
  const path = join(dir, BUNDLE_FILE);
  const manifestJson = await readJson(path).catch((error: unknown) => withHint(error, NO_BUNDLE));
  const parsed = bundleSchema.safeParse(manifestJson, { reportInput: true });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys : undefined;
    throw new UserError({
      where: path,
      field: issue.path.join('.'),
      expected: unknown ? 'known keys only' : expectedOf(issue, schemaAt(issue.path, bundleSchema)),
      received: unknown ?? issue.input,
      hint: 'Pack the model again with this version: `npx yolox-node model-pack`.',
    });
  }
  const manifest = parsed.data;
  const { model, test, files } = manifest;
  for (const name of new Set([model.file, test.image, test.result, ...Object.keys(files)])) {
    await verify(dir, name, files[name]);
  }
  return { ...manifest, dir };
}

/**
 * Reads a file of a bundle once, so that the caller gets exactly the bytes that were verified, even if the file
 * changes.
 * @throws UserError if it cannot be read or has changed since packing
 */
export async function readBundled({ dir, files }: Bundle, name: string): Promise<Buffer> {
  const path = join(dir, name);
  const bytes = await readFile(path).catch((error: unknown) => unreadable(explainFileError(error, path)));
  checkHash(path, sha256(bytes), files[name]);
  return bytes;
}

async function verify(dir: string, name: string, expected: string | undefined): Promise<void> {
  const manifest = join(dir, BUNDLE_FILE);
  if (expected === undefined) {
    throw new UserError({
      where: manifest,
      field: `files.${name}`,
      expected: 'the SHA-256 of a file the bundle needs',
    });
  }
  const path = join(dir, name);
  checkHash(path, await sha256File(path).catch(unreadable), expected);
}

function checkHash(path: string, received: string, expected: string): void {
  if (received === expected) return;
  throw new UserError({ where: path, expected: `SHA-256 ${expected}`, received, hint: DAMAGED });
}

const unreadable = (error: unknown): never => withHint(error, DAMAGED);

/** Adds a hint to errors for missing files; other errors have their own. */
function withHint(error: unknown, hint: string): never {
  const missing = error instanceof UserError && ['ENOENT', 'ENOTDIR'].includes(String(error.problem.received));
  throw missing ? new UserError({ ...error.problem, hint }, { cause: error }) : error;
}
