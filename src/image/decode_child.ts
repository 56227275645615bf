import { messageOf, UserError } from '../base/errors.js';
import type { ApartReply, ApartTask } from './decode_apart.js';
import { checkHere, decodeHere, readHeaderHere } from './decode_here.js';

/** Milliseconds without a task after which the process ends. */
const IDLE_MS = 20_000;

// The process that decodes single images; see decode_apart.ts. It needs no orderly shutdown.

const end = () => process.kill(process.pid, 'SIGKILL');
let idle = setTimeout(end, IDLE_MS);

process.on('disconnect', end);
// Ctrl-C reaches the whole process group, but the parent may still be decoding; it ends this process when it exits.
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
