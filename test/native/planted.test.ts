import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildPlanted } from './build.js';
import { runProgram } from './programs.js';

const planted = suite('planted mistakes');

/** Kinds of mistakes the emulator answers for, and the kernels of planted.cu that make them. */
const KINDS: Record<string, string[]> = {
  'access out of range': ['out_of_range', 'write_out_of_range', 'host_pointer', 'array_index'],
  'misaligned access': ['misaligned'],
  'race in shared memory': ['shared_race', 'missing_barrier', 'missing_second_barrier', 'missing_warp_barrier'],
  'race in global memory': ['global_race', 'block_race', 'block_read_race', 'atomic_and_plain', 'early_read'],
  'read of what nothing has written': ['unwritten_shared', 'unwritten_global', 'unwritten_output'],
  'divergent barrier': ['barrier_skipped', 'barriers_differ', 'divergent_shuffle', 'shuffle_from_nobody'],
  'result that depends on the order of threads': ['order_dependent'],
  'launch with other arguments than the kernel has': ['wrong_argument', 'missing_argument'],
};
const GOOD = ['good_sum', 'good_warp_exchange', 'good_bytes', 'good_count'];

let lines: string[];

planted.before(async () => {
  const { stdout } = await runProgram(await buildPlanted(), []);
  lines = stdout.trim().split('\n');
});

const reportsOf = (name: string) => lines.filter((line) => line.split(/[ :]/)[1] === name);

for (const [kind, names] of Object.entries(KINDS)) {
  planted(`${kind}: caught, and the kernel and its line named`, () => {
    for (const name of names) {
      assert.ok(reportsOf(name).length > 0, `${name} did not run`);
      for (const line of reportsOf(name)) assert.match(line, /^ok /);
    }
  });
}

planted('kernels without a mistake: nothing reported', () => {
  for (const name of GOOD) {
    assert.is(reportsOf(name).length, 3, name);
    for (const line of reportsOf(name)) assert.match(line, /^ok .*nothing reported$/);
  }
});

planted('a report tells where: kernel, block, thread, file and line', () => {
  assert.match(
    reportsOf('out_of_range')[0],
    /kernel out_of_range, block \(1,0,0\): thread \(36,0,0\): reads 4 bytes out of range, at byte 400 of an allocation of 400 bytes at planted\.cu:9$/,
  );
});

planted.run();
