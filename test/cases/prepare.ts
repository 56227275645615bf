import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stderr } from 'node:process';
import { type Config, configSchema } from '../../src/config/schema.js';
import { Store } from '../../src/data/store.js';
import { readDataset } from '../../src/data/tables.js';
import type { CocoDataset } from '../../src/detect/coco.js';
import { dataLoad } from '../../src/pipeline/data_load.js';
import { type DataPrepOutputs, dataPrep } from '../../src/pipeline/data_prep.js';
import type { StepContext } from '../../src/pipeline/runner/step.js';
import { inTempDir } from './helpers.js';

export interface Loaded {
  dataset: CocoDataset;
  /** What came on stderr. */
  log: string;
}

/** data-load on a COCO folder. */
export async function load(images: string, annotations: string): Promise<Loaded> {
  const { outputs: _, ...loaded } = await run(images, annotations, {}, async () => undefined);
  return loaded;
}

/** data-load and data-prep, with these settings under `prep`. */
export async function prepare(
  images: string,
  annotations: string,
  prep: Partial<Config['prep']> = {},
): Promise<Loaded & { outputs: DataPrepOutputs }> {
  return run(images, annotations, prep, (dataset, context) => dataPrep({ dataset }, context));
}

async function run<T>(
  images: string,
  annotations: string,
  prep: Partial<Config['prep']>,
  then: (dataset: string, context: StepContext) => Promise<T>,
): Promise<Loaded & { outputs: T }> {
  return inTempDir(async (root) => {
    const config = configSchema.parse({ data: { source: 'coco', images, annotations }, prep });
    const context = async (name: string): Promise<StepContext> => {
      await mkdir(join(root, name));
      return { config, dir: join(root, name), store: new Store(join(root, 'store')) };
    };
    const lines: string[] = [];
    const { write } = stderr;
    stderr.write = (line) => lines.push(String(line)) > 0;
    try {
      const { dataset } = await dataLoad(await context('load'));
      const outputs = await then(dataset, await context('prep'));
      return { dataset: await readDataset(dataset), outputs, log: lines.join('') };
    } finally {
      stderr.write = write;
    }
  });
}
