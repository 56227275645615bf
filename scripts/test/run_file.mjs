import { spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';

const SEED = new URL('./seed.mjs', import.meta.url).href;
const SUMMARY = /^\s*Total:\s+(\d+)\n\s*Passed:\s+(\d+)\n\s*Skipped:\s+(\d+)/m;

/**
 * Runs one test file in a process of its own.
 * Resolves to {file, passed, failed, skipped, seconds, notes, output, reason}: `notes` are its lines on what it skipped,
 * `reason` says why the file as a whole failed.
 */
export async function runFile(root, file, timeoutMs) {
  const start = performance.now();
  const ending = await execute(root, file, timeoutMs);
  const seconds = (performance.now() - start) / 1000;
  const [, total, passed, counted] = (ending.output.match(SUMMARY) ?? [0, 0, 0, 0]).map(Number);
  const notes = ending.output.match(/^skipped: .*$/gm) ?? [];
  // A suite that makes one test for each file it finds has none to skip where there are no files.
  const skipped = Math.max(counted, notes.length);
  const reason = troubleWith(ending, { total, passed, skipped });
  return {
    file,
    passed,
    failed: total - passed + (reason ? 1 : 0),
    skipped,
    seconds,
    notes,
    output: ending.output,
    reason,
  };
}

function troubleWith({ code, signal, timedOutMs, output }, { total, passed, skipped }) {
  if (timedOutMs) return `did not end within ${timedOutMs / 1000} s`;
  if (signal) return `was ended by ${signal}`;
  if (!SUMMARY.test(output)) return `ended with exit code ${code} before its summary`;
  if (total + skipped === 0) return 'ran no tests';
  if (code !== 0 && passed === total) return `ended with exit code ${code}`;
  return undefined;
}

function execute(root, file, timeoutMs) {
  return new Promise((resolve) => {
    // A process group of its own, so that servers a test started end with it.
    const child = spawn(process.execPath, ['--import', 'tsx', '--import', SEED, file], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env },
    });
    const chunks = [];
    let timedOutMs;
    const end = () => killGroup(child.pid);
    const timer = setTimeout(() => {
      timedOutMs = timeoutMs;
      end();
    }, timeoutMs);
    process.on('exit', end);
    child.stdout.on('data', (data) => chunks.push(data));
    child.stderr.on('data', (data) => chunks.push(data));
    child.on('exit', end);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      process.off('exit', end);
      resolve({ code, signal, timedOutMs, output: stripVTControlCharacters(Buffer.concat(chunks).toString()) });
    });
  });
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
