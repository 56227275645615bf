import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const run = promisify(execFile);
const { YOLOX_BROWSER, PATH = '' } = process.env;

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  // What a browser does of its own accord in the network.
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A browser's program, and what it needs in its environment. */
export interface BrowserProgram {
  path: string;
  env: NodeJS.ProcessEnv;
}

/** First file called `name` among the folders of PATH. */
export function onPath(name: string): string | undefined {
  return PATH.split(delimiter)
    .map((folder) => join(folder, name))
    .find(existsSync);
}

/** A made-up camera, with the answer to the question whether the page may use it. */
export const FAKE_CAMERA = {
  allowed: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
  refused: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream=deny'],
  none: ['--use-fake-device-for-media-stream=device-count=0', '--use-fake-ui-for-media-stream'],
};

/** `YOLOX_BROWSER`, else a Chromium that is installed, else the one among the packages; undefined where none runs. */
export async function findBrowser(): Promise<BrowserProgram | undefined> {
  if (YOLOX_BROWSER) {
    const chosen = { path: YOLOX_BROWSER, env: process.env };
    return (await works(chosen)) ? chosen : undefined;
  }
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const path = onPath(name);
    // Some distributions have a program of this name that only says how to install it.
    if (path && (await works({ path, env: process.env }))) return { path, env: process.env };
  }
  const packed = await unpacked().catch(() => undefined);
  return packed && (await works(packed)) ? packed : undefined;
}

const works = ({ path, env }: BrowserProgram): Promise<boolean> =>
  run(path, ['--version'], { env }).then(
    () => true,
    () => false,
  );

/** The browser in @sparticuz/chromium, unpacked once for all tests of this version, with its libraries and fonts. */
async function unpacked(): Promise<BrowserProgram> {
  const { version } = createRequire(import.meta.url)('../../node_modules/@sparticuz/chromium/package.json');
  const home = join(tmpdir(), `yolox-browser-${version}`);
  if (!existsSync(home)) {
    const fresh = await mkdtemp(`${home}-`);
    // It unpacks to the folder for temporary files, and its libraries only where it believes to be on AWS.
    const env = { ...process.env, TMPDIR: fresh, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' };
    const script = `import('@sparticuz/chromium').then(({ default: packed }) => packed.executablePath())`;
    await run(process.execPath, ['--input-type=module', '-e', script], { env, cwd: import.meta.dirname });
    // Its own description of the fonts expects them elsewhere.
    await writeFile(join(fresh, 'fonts.conf'), `<fontconfig><dir>${join(home, 'fonts')}</dir></fontconfig>`);
    // Another test file may have been faster.
    await rename(fresh, home).catch(() => rm(fresh, { recursive: true }));
  }
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: join(home, 'al2023', 'lib'),
    FONTCONFIG_FILE: join(home, 'fonts.conf'),
  };
  return { path: join(home, 'chromium'), env };
}

export function launch({ path, env }: BrowserProgram, flags: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: path, args: [...FLAGS, ...flags], env: env as Record<string, string> });
}
