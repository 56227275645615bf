import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { UserError } from './errors.js';

/** Resolves links in a path, and in the existing part of a path that does not exist. */
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
 * Makes sure that writing an output harms no input: that it is neither the same file or folder, however spelt or
 * linked, nor a folder that contains one.
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

/** An identity shared by all names of one file, even on case-insensitive file systems. */
async function identityOf(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined);
  return info && `${info.dev} ${info.ino}`;
}

/** File extensions by which programs recognise weights. */
const WEIGHTS_ENDINGS = ['.safetensors', '.onnx', '.pth', '.pt', '.ckpt', '.bin', '.npz', '.h5', '.tflite'];

/** @throws UserError for an output with the extension of another weights format than the one written */
export function refuseOtherEnding(out: string, ending: '.onnx' | '.safetensors', hint: string): void {
  const given = extname(out).toLowerCase();
  if (given === ending || !WEIGHTS_ENDINGS.includes(given)) return;
  throw new UserError({ where: '--out', expected: `a name ending in ${ending}`, received: out, hint });
}
