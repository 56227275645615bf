import { copyFile, cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { configSchema } from '../../src/config/schema.js';
import { planPipeline, planText } from '../../src/pipeline/runner/plan.js';
import { runPipeline } from '../../src/pipeline/runner/run.js';
import { caseFile, caseSuite, inTempDir } from './helpers.js';

const test = caseSuite('10-stale-cache');

test('an image mended in place and one brought later are both in the next run', () =>
  inTempDir(async (dir) => {
    const at = (...parts: string[]) => join(dir, ...parts);
    await cp(caseFile('10-stale-cache'), dir, { recursive: true });
    // Whoever has tried the case by hand has left these behind.
    await rm(at('images/part/007.png'), { force: true });
    const data = { source: 'coco', images: at('images'), annotations: at('labels.json') };
    const config = configSchema.parse({ store: at('store'), data });
    const load = async () => (await runPipeline(config, 'data-load'))['data-load'];
    assert.is((await load())?.images, 18);

    await copyFile(at('003.good.png'), at('images/part/003.png'));
    await copyFile(at('007.late.png'), at('images/part/007.png'));
    const plan = planText(await planPipeline(config, 'data-load'));
    assert.match(plan, /runs: data\.images: part\/003\.png changed, part\/007\.png is new/);
    const after = await load();
    assert.is(after?.images, 20);
    assert.equal(await load(), after);
  }));

test.run();
