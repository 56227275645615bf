import { messageOf, UserError } from '../base/errors.js';
import type { ApartReply, ApartTask } from './decode_apart.js';
import { checkHere, decodeHere, readHeaderHere } from './decode_here.js';

/** Milliseconds without a task after which the process ends. */
const IDLE_MS = 20_000;

// The process in which single images are decoded: see decode_apart.ts. It holds nothing that is worth an orderly end.

const end = () => process.kill(process.pid, 'SIGKILL');
let idle = setTimeout(end, IDLE_MS);

process.on('disconnect', end);
// Ctrl-C reaches the whole group; who started it may have images in hand, and takes it along when it ends.
process.on('SIGINT', () => {}).on('SIGTERM', () => {});
process.on('message', async (task: ApartTask) => {
  clearTimeout(idle);
  process.send?.(await reply(task));
  idle = setTimeout(end, IDLE_MS);
});
process.send?.('ready');

async function reply(task: ApartTask): Promise<ApartReply> {
  try {
    if (task.work === 'header') return { result: await readHeaderHere(task.file) };
    if (task.work === 'decode') return { result: await decodeHere(task.file, task.header, task.fit) };
    await checkHere(task.file);
    return { result: undefined };
  } catch (error) {
    return error instanceof UserError ? { problem: error.problem } : { failed: messageOf(error) };
  }
}
