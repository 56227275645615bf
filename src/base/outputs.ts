import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { UserError } from './errors.js';

/** A path without links; of one that is not there, by the folder above it that is. */
export async function realPath(path: string): Promise<string> {
  const whole = resolve(path);
  try {
    return await realpath(whole);
  } catch {
    const parent = dirname(whole);
    return parent === whole ? whole : join(await realPath(parent), basename(whole));
  }
}

/**
 * Makes sure that writing an output harms no input: that it is not the same file or folder, however it is spelt or
 * linked, and no folder that holds one.
 *
 * @param where flag of the output, for the message
 * @throws UserError naming the input
 */
export async function refuseReplacing(out: string, inputs: readonly string[], where = '--out'): Promise<void> {
  const [target, identity] = [await realPath(out), await identityOf(out)];
  for (const input of inputs) {
    const real = await realPath(input);
    const same = real === target || (identity !== undefined && identity === (await identityOf(input)));
    if (!same && !real.startsWith(target + sep)) continue;
    throw new UserError({
      where,
      expected: same ? 'another path than that of an input' : 'a folder that holds no input',
      received: out,
      hint: `${input} would be replaced.`,
    });
  }
}

/** What two names of one file share, on file systems that know no case as well. */
async function identityOf(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined);
  return info && `${info.dev} ${info.ino}`;
}

/** Endings that say what a file holds to every program that reads weights. */
const WEIGHTS_ENDINGS = ['.safetensors', '.onnx', '.pth', '.pt', '.ckpt', '.bin', '.npz', '.h5', '.tflite'];

/** @throws UserError for an output whose name ends like weights of another format than is written */
export function refuseOtherEnding(out: string, ending: '.onnx' | '.safetensors', hint: string): void {
  const given = extname(out).toLowerCase();
  if (given === ending || !WEIGHTS_ENDINGS.includes(given)) return;
  throw new UserError({ where: '--out', expected: `a name ending in ${ending}`, received: out, hint });
}
