import { dirname } from 'node:path';
import { collectTests } from './collect.mjs';
import { runFile } from './run_file.mjs';

/**
 * Runs the test files below `root`/test that match one of `filters`, `jobs` at a time. Prints one line per file, the full
 * output of each failing file, and the totals last. Resolves to true if everything passed.
 */
export async function runTests(root, filters, { jobs = 2, timeoutMs = 300_000 } = {}) {
  // Ended by a signal, Node would leave out the exit handlers that end the test processes.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  const { files, problems } = collectTests(root, filters);
  const runs = startInOrder(files, jobs, (file) => runFile(root, file, timeoutMs));
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const failures = [];
  for (const [i, file] of files.entries()) {
    if (i === 0 || dirname(file) !== dirname(files[i - 1])) console.log(`\n${dirname(file)}`);
    const result = await runs[i];
    for (const key of Object.keys(sum)) sum[key] += result[key];
    if (result.failed > 0) failures.push(result);
    printResult(result);
  }
  for (const { file, reason } of problems) {
    console.log(`\n✘ ${file}: ${reason}`);
    sum.failed++;
  }
  if (files.length === 0) {
    console.log(`No test file matches ${filters.join(', ') || 'test/**/*.test.ts'}.`);
    sum.failed++;
  }
  if (failures.length > 0) console.log(`\nFailed: ${failures.map(({ file }) => file).join(', ')}`);
  console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  return sum.failed === 0;
}

/** Starts `jobs` items at a time, in order; returns a promise for each result. */
function startInOrder(items, jobs, work) {
  const results = items.map(() => {
    const result = {};
    result.promise = new Promise((resolve) => Object.assign(result, { resolve }));
    return result;
  });
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const i = next++;
      results[i].resolve(await work(items[i]));
    }
  };
  for (let i = 0; i < jobs; i++) worker();
  return results.map(({ promise }) => promise);
}

function printResult({ file, passed, failed, skipped, seconds, notes, output, reason }) {
  const counts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`];
  console.log(`${failed > 0 ? '✘' : '✔'} ${file}  ${counts.filter(Boolean).join(', ')}  ${seconds.toFixed(1)} s`);
  if (failed > 0) console.log(`${output.trimEnd()}\n${reason ? `${file} ${reason}\n` : ''}`);
  else for (const note of notes) console.log(`    ${note}`);
}
