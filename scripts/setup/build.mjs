import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastWords, run } from './command.mjs';
import { SetupError } from './console.mjs';
import { root, workDir } from './paths.mjs';
import { withStaging } from './staging.mjs';

const dist = join(root, 'dist');
const keyFile = join(dist, '.sources');

/** Whether there is anything to compile: an image build brings in src after the rest. */
export const hasSources = () => existsSync(join(root, 'src'));

/** Whether dist is compiled from the present sources. */
export function buildReady() {
  return existsSync(keyFile) && readFileSync(keyFile, 'utf8') === sourcesKey();
}

/** Compiles src beside dist and puts the result in its place when complete. */
export async function build() {
  await withStaging(workDir, async (staging) => {
    const key = sourcesKey();
    const output = join(staging, 'dist');
    await mkdir(output);
    const tsc = join(root, 'node_modules/.bin/tsc');
    const result = await run(tsc, ['-p', 'tsconfig.build.json', '--outDir', output], { cwd: root });
    if (result.code !== 0) throw new SetupError(`src does not compile:\n${lastWords(result, 30)}`);
    await writeFile(join(output, '.sources'), key);
    if (existsSync(dist)) await rename(dist, join(staging, 'replaced'));
    await rename(output, dist);
  });
  await rm(workDir, { recursive: true, force: true });
  return 'src compiled to dist';
}

function sourcesKey() {
  const hash = createHash('sha256');
  const files = readdirSync(join(root, 'src'), { recursive: true }).map((name) => join('src', name));
  for (const name of ['tsconfig.json', 'tsconfig.build.json', ...files.filter((name) => name.endsWith('.ts')).sort()]) {
    hash.update(name).update(readFileSync(join(root, name)));
  }
  return hash.digest('hex');
}
