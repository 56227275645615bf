import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { SetupError, say } from './console.mjs';

/**
 * Runs `work` while no other set-up of this machine works on the same folder.
 * The lock is a listening abstract socket: the kernel frees it however its holder ends, so it can never be left behind.
 */
export async function withLock(dir, work) {
  const path = `\0yolox-setup-${createHash('sha256').update(dir).digest('hex')}`;
  let lock = await tryLock(path);
  if (!lock) say('Another set-up is running; waiting for it to end.');
  while (!lock) {
    await holderGone(path);
    lock = await tryLock(path);
  }
  try {
    return await work();
  } finally {
    lock.close();
    for (const waiter of lock.waiters) waiter.destroy();
  }
}

async function tryLock(path) {
  const server = createServer((socket) => {
    server.waiters.add(socket);
    socket.on('error', () => {}).on('close', () => server.waiters.delete(socket));
  });
  server.waiters = new Set();
  server.listen(path);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if (error.code === 'EADDRINUSE') return undefined;
    throw new SetupError(`Cannot lock the set-up: ${error.message}.`);
  }
}

/** Resolves when the connection to the lock's holder breaks, or cannot be made because the holder has ended. */
function holderGone(path) {
  return new Promise((resolve) =>
    connect(path)
      .on('error', () => {})
      .on('close', resolve),
  );
}
