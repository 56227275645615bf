import { requireNode } from './setup/node_version.mjs';

requireNode();
const { availableParallelism } = await import('node:os');
const { build, buildReady } = await import('./setup/build.mjs');
const { reportFailure } = await import('./setup/console.mjs');
const { isReady, setUp } = await import('./setup/index.mjs');
const { root } = await import('./setup/paths.mjs');
const { collectTests, needsBuild } = await import('./test/collect.mjs');
const { runTests } = await import('./test/runner.mjs');

const jobs = Number(process.env.YOLOX_JOBS) || Math.min(2, availableParallelism());
try {
  if (!isReady()) await setUp();
  const filters = process.argv.slice(2);
  // Tests that run the program run it compiled; others do not wait for the compiler.
  const isBuildNeeded = collectTests(root, filters).files.some((file) => needsBuild(root, file));
  if (isBuildNeeded && !buildReady()) await build();
  if (!(await runTests(root, filters, { jobs }))) process.exitCode = 1;
} catch (error) {
  reportFailure(error);
}
