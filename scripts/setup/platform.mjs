import { existsSync, readFileSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { run } from './command.mjs';
import { megabytes, SetupError } from './console.mjs';
import { makeDir } from './make_dir.mjs';

/** What the prebuilt libraries (TensorFlow's wheel, sharp, onnxruntime-node) ask for at most. */
const GLIBC_NEEDED = [2, 28];
/** First pip that knows the manylinux_2_27 tag of TensorFlow's wheel. */
const PIP_NEEDED = [20, 3];
/** First g++ whose C++17 library is complete. */
const GXX_NEEDED = [9];

const APT = 'On Debian or Ubuntu: sudo apt-get install -y';

/** Version of the running C library, e.g. '2.36'; undefined where it is not glibc. */
export function glibcVersion() {
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime;
}

/** Throws unless the prebuilt TensorFlow runs here; returns a short description of the machine. */
export function checkPlatform() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      `Expected x86-64 Linux (TensorFlow's wheel is built for it), received ${process.arch} ${process.platform}. ` +
        'Use an x86-64 Linux machine or container.',
    );
  }
  const glibc = glibcVersion();
  if (!atLeast(glibc, GLIBC_NEEDED)) {
    throw new SetupError(
      `Expected glibc ${GLIBC_NEEDED.join('.')} or later, received ${glibc ?? 'another C library'}. ` +
        'Use a distribution such as Debian 12, Ubuntu 20.04 or RHEL 8 (Alpine uses musl and cannot run TensorFlow).',
    );
  }
  if (!/^flags\s*:.*\bavx\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))) {
    throw new SetupError('Expected a processor with AVX, which TensorFlow is compiled for; this one reports none.');
  }
  return `x86-64 Linux, glibc ${glibc}, Node ${process.versions.node}`;
}

/** Throws unless python3 and pip are there to fetch and unpack wheels. */
export async function checkPython() {
  const python = await run('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']);
  if (python.code === 127)
    throw new SetupError(`python3 was not found; its pip fetches TensorFlow. ${APT} python3 python3-pip`);
  if (python.code !== 0)
    throw new SetupError('Expected Python 3.8 or later as python3. Install a newer Python and run again.');
  const pip = await run('python3', ['-m', 'pip', '--version']);
  if (pip.code !== 0) throw new SetupError(`pip was not found for python3; it fetches TensorFlow. ${APT} python3-pip`);
  const [, version] = pip.stdout.match(/pip (\S+)/) ?? [];
  if (!atLeast(version, PIP_NEEDED)) {
    throw new SetupError(
      `Expected pip ${PIP_NEEDED.join('.')} or later, received ${version}. Upgrade it: python3 -m pip install --user --upgrade pip`,
    );
  }
}

/** Throws unless g++ is there to compile the binding. */
export async function checkCompiler() {
  const { code, stdout } = await run('g++', ['-dumpfullversion']);
  if (code !== 0) throw new SetupError(`g++ was not found; it compiles the TensorFlow binding. ${APT} g++`);
  if (!atLeast(stdout, GXX_NEEDED)) {
    throw new SetupError(`Expected g++ ${GXX_NEEDED.join('.')} or later (C++17), received ${stdout}. ${APT} g++-12`);
  }
}

/** Throws unless every folder has the bytes it needs; `needs` is [folder, bytes] pairs, summed per file system. */
export async function checkDisk(needs) {
  const devices = new Map();
  for (const [dir, bytes] of needs) {
    makeDir(dir);
    const { dev } = statSync(dir);
    devices.set(dev, { dir, bytes: (devices.get(dev)?.bytes ?? 0) + bytes });
  }
  for (const { dir, bytes } of devices.values()) {
    const { bavail, bsize } = await statfs(dir);
    if (bavail * bsize < bytes) {
      throw new SetupError(
        `${dir}: expected ${megabytes(bytes)} MB of free disk space, found ${megabytes(bavail * bsize)} MB. ` +
          'Free some, or set YOLOX_CACHE to a folder on a larger disk.',
      );
    }
  }
}

/** Whether an NVIDIA driver is installed: its kernel module's folder or its user library. */
export function hasNvidiaDriver() {
  const dirs = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib', '/usr/lib/wsl/lib', '/usr/local/nvidia/lib64'];
  const searched = (process.env.LD_LIBRARY_PATH ?? '').split(delimiter).filter(Boolean);
  return (
    existsSync('/proc/driver/nvidia') || [...dirs, ...searched].some((dir) => existsSync(join(dir, 'libcuda.so.1')))
  );
}

function atLeast(version, needed) {
  const parts = String(version).split('.').map(Number);
  const differing = needed.findIndex((part, i) => parts[i] !== part);
  return differing < 0 || (parts[differing] ?? -1) > needed[differing];
}
