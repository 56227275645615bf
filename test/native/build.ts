import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const here = import.meta.dirname;

const { buildProgram } = await import(join(root, 'scripts/setup/gxx.mjs'));
const checks = await import(join(root, 'scripts/setup/checks.mjs'));

export const checkedStems: (options?: { cuda?: boolean }) => string[] = checks.checkedStems;
export const buildCudaCheck: (stems: readonly string[]) => Promise<string> = checks.buildCudaCheck;
const HOST: string[] = checks.HOST_FLAGS;

/** A source for scripts/setup/gxx.mjs: a file, or a text. */
type Unit = { source: string; flags: string[] } | { text: string; flags: string[] };

const SANITIZED = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
/** Every access of a kernel and every undefined operation becomes a call, which emulation/instrumentation.cc takes. */
const EMULATED = [
  ...['-x', 'c++', '-O1', '-g1', '-gdwarf-4', '-include', 'emulation/cuda.h'],
  ...['-Wall', '-Wextra', '-Wno-unknown-pragmas', '-Wno-unused-parameter', '-Wno-unused-function'],
  ...['-fsanitize=thread', '--param', 'tsan-instrument-func-entry-exit=0', '-fno-sanitize-recover=all'],
  '-fsanitize=alignment,bounds,shift,signed-integer-overflow,integer-divide-by-zero',
  // Inline functions shared with the CPU kernels must not be merged with their copies, which call nothing.
  '-Dyolox=yolox_device',
];
// An address in the program is to name its line of source.
const FIXED_ADDRESS = '-no-pie';

const own = (name: string, flags: readonly string[] = []): Unit => ({
  source: join(here, name),
  flags: [...HOST, ...flags],
});

/** Names of the kernels in a .cu file. */
function kernelNames(file: string): string[] {
  const kernel = /__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(/g;
  return [...readFileSync(file, 'utf8').matchAll(kernel)].map(([, name]) => name);
}

/** A .cu file compiled for the emulator, its kernels registered under the stem. */
const emulatedUnit = (stem: string, folder: string, file: string, flags: readonly string[]): Unit => ({
  text: [
    `#include "${file}"`,
    '#include "emulation/register.h"',
    ...kernelNames(join(folder, file)).map((name) => `YOLOX_EMULATE(${stem}, ${name})`),
    '',
  ].join('\n'),
  flags: [...EMULATED, ...flags],
});

/** The emulator, compiled without the calls it answers, and the kernels of some ops. */
function emulation(stems: readonly string[], flags: readonly string[] = []): Unit[] {
  const sources = readdirSync(join(here, 'emulation')).filter((name) => name.endsWith('.cc'));
  const withKernels = checkedStems({ cuda: true }).filter((stem) => stems.includes(stem));
  return [
    ...sources.map((name) => own(join('emulation', name), flags)),
    ...withKernels.map((stem) => emulatedUnit(stem, checks.kernels, `${stem}/${stem}.cu`, flags)),
  ];
}

/** Program of the CPU kernels' checks with AddressSanitizer and UndefinedBehaviorSanitizer, or with other flags. */
export function buildHost(stems: readonly string[], flags: readonly string[] = SANITIZED): Promise<string> {
  const units = [...checks.checkUnits(stems, flags), own('host_check.cc')];
  return buildProgram('host_check', units, [...flags, ...checks.checkLinking()]);
}

/** Program of the checks of the checker itself. */
export function buildFailing(): Promise<string> {
  const units = [...checks.checkUnits([]), own('failing_check.cc'), own('host_check.cc')];
  return buildProgram('failing_check', units, checks.checkLinking());
}

/** Program of the checks with CUDA kernels emulated. */
export function buildEmulation(stems: readonly string[]): Promise<string> {
  const units = [...checks.checkUnits(stems), ...emulation(stems), own('emulation_check.cc')];
  return buildProgram('emulation_check', units, [FIXED_ADDRESS, ...checks.checkLinking()]);
}

/** Program of the kernels with planted mistakes. */
export function buildPlanted(): Promise<string> {
  const units = [emulatedUnit('planted', here, 'planted.cu', []), ...emulation([]), own('planted_check.cc')];
  return buildProgram('planted_check', units, [FIXED_ADDRESS]);
}

/** A driver, libcuda.so.1, whose card is the emulator, with the kernels of some ops. */
export function buildDriver(stems: readonly string[]): Promise<string> {
  const flags = ['-fPIC'];
  return buildProgram('libcuda.so.1', [...emulation(stems, flags), own('emulated_driver.cc', flags)], ['-shared']);
}
