import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readJson } from '../../../src/base/files.js';
import { configSchema } from '../../../src/config/schema.js';
import type { Bundle, BundleManifest } from '../../../src/detect/bundle.js';
import { ModelProcess, type ModelProcessOptions } from '../../../src/serve/versions/model_process.js';
import { writeManifest } from '../make_bundle.js';

const { queue, deadline, startTimeout, provider, maxPixels, maxSide, decodeTimeout } = configSchema.parse({}).serve;
const limits = { queue, deadline, startTimeout, provider, maxPixels, maxSide, decodeTimeout };
export const DEFAULTS: ModelProcessOptions = { ...limits, threads: 1, instances: 1, maxBatch: 4 };

/** The process of a bundle, in small. */
export function startModel(bundle: Bundle, options: Partial<ModelProcessOptions> = {}): Promise<ModelProcess> {
  return ModelProcess.start(bundle, { ...DEFAULTS, ...options });
}

/** Another version of a bundle, which answers at most so many objects. */
export async function versionOf(dir: string, version: string, maxDetections: number): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'yolox-bundle-'));
  await cp(dir, copy, { recursive: true });
  const manifest = await readJson<BundleManifest>(join(dir, 'bundle.json'));
  await writeManifest(copy, { ...manifest, version, thresholds: { ...manifest.thresholds, maxDetections } });
  return copy;
}
