import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { UserError } from './errors.js';

interface Explanation {
  expected: string;
  hint(path: string): string;
}

/** Longest name and path in bytes that Linux accepts (NAME_MAX; PATH_MAX without the final zero). */
const NAME_BYTES = 255;
const PATH_BYTES = 4095;

const say = (expected: string, hint: string | ((path: string) => string)): Explanation => ({
  expected,
  hint: typeof hint === 'string' ? () => hint : hint,
});

const ACCESS = say(
  'permission to use it',
  () =>
    `Look at the owner and the rights with ls -ld, change them, or choose another path; this is user ${process.getuid?.()}.`,
);
const SPACE = say('free disk space', 'What was there before is untouched; free some space and run again.');
const HANDLES = say('fewer files open at once', 'Raise the limit (ulimit -n 65536) and run again.');
const DISK = say('a disk that works', 'The disk or the network drive failed; see dmesg.');

/** Meaning and remedy of system errors for files and folders, by code (errno(3)). */
const EXPLANATIONS: Record<string, Explanation> = {
  ENOENT: say('an existing file or folder', (path) => {
    if (/^[a-z]+:\/\//i.test(path)) return 'It is a URL: download it, and give the file.';
    const missing = firstAncestor(path, (parent) => statSync(parent, { throwIfNoEntry: false }) === undefined);
    if (missing !== undefined && missing !== path) return `There is no ${missing}.`;
    // Node uses this character for bytes that are not text.
    return path.includes('\uFFFD') ? 'If its name is not in UTF-8, rename it, as with convmv.' : 'Check the path.';
  }),
  ENOTDIR: say('a folder on the way to it', (path) => {
    const file = firstAncestor(path, (parent) => statSync(parent, { throwIfNoEntry: false })?.isDirectory() === false);
    return file === undefined ? 'Check the path.' : `${file} is not a folder.`;
  }),
  EISDIR: say('a file', 'It is a folder: name a file in it, or move it away.'),
  EEXIST: say('a free path, or a folder', 'There is a file of that name: move it away, or choose another path.'),
  ENOTEMPTY: say('an empty folder', 'Something else writes there: run again, or choose another path.'),
  ENAMETOOLONG: say(`a name of at most ${NAME_BYTES} bytes in a path of at most ${PATH_BYTES}`, (path) => {
    const bytes = Buffer.byteLength(basename(path));
    return bytes > NAME_BYTES
      ? `The name has ${bytes} bytes: choose a shorter one.`
      : `The path has ${Buffer.byteLength(path)} bytes: choose a shorter one.`;
  }),
  ELOOP: say('a path without a circle of links', 'A symbolic link on the way leads back to itself.'),
  EACCES: ACCESS,
  EPERM: ACCESS,
  EROFS: say('a file system that can be written', 'It is mounted read-only: choose another path.'),
  ENOSPC: SPACE,
  EDQUOT: SPACE,
  EFBIG: SPACE,
  EMFILE: HANDLES,
  ENFILE: HANDLES,
  EBUSY: say('a file that nothing else holds', 'Another program or a mount uses it: end that, or choose another path.'),
  ETXTBSY: say('a file that nothing else holds', 'It is a program that runs: end it, or choose another path.'),
  EXDEV: say('both paths on one file system', 'Choose a path on the same disk.'),
  EINVAL: say('a path this file system takes', 'Choose another name or another disk.'),
  EILSEQ: say('a name this file system takes', 'Choose a name of plain letters.'),
  ENXIO: say('a file or folder', 'It is a device or a socket without the other end: name a file.'),
  ENODEV: say('a file or folder', 'It is a device that is not there: name a file.'),
  ENOTSUP: say('a file system that can do this', 'Choose a path on a local disk.'),
  EIO: DISK,
  ESTALE: DISK,
  ENOTCONN: DISK,
  EHOSTDOWN: DISK,
  ERR_FS_FILE_TOO_LARGE: say('a file of less than 2 GiB', 'Split it.'),
  ERR_STRING_TOO_LONG: say('less than 512 MB of text', 'Split it.'),
};

/** System calls whose errors use the same codes but do not concern a file. */
const OTHER_CALLS = /^(spawn|connect|listen|bind|getaddrinfo|kill|setpriority|read|write|uv_)/;

/**
 * Converts a system error for a file or folder to a UserError with the path, what was expected, and the remedy. Returns
 * any other error unchanged.
 *
 * @param path path to name; by default the one in the system error
 */
export function explainFileError(error: unknown, path?: string): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error;
  const { code = '', path: named, syscall = '' } = error as NodeJS.ErrnoException;
  const where = path ?? named;
  if (where === undefined) return error;
  // Refused by Node, not by the system.
  if (code === 'ERR_INVALID_ARG_VALUE' && error.message.includes('null bytes')) {
    return new UserError({ where, expected: 'a path without null bytes' }, { cause: error });
  }
  const explanation = Object.hasOwn(EXPLANATIONS, code) ? EXPLANATIONS[code] : undefined;
  if (!explanation || (path === undefined && OTHER_CALLS.test(syscall))) return error;
  const { expected, hint } = explanation;
  return new UserError({ where, expected, received: code, hint: hint(where) }, { cause: error });
}

/** The first folder on the way from the root to `path`, or `path` itself, for which `test` holds. */
function firstAncestor(path: string, test: (path: string) => boolean): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : firstAncestor(parent, test);
  if (above !== undefined) return above;
  try {
    return test(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
