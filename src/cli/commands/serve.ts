import { CONFIG_KEYS } from '../../config/keys.js';
import { text } from '../../config/schema.js';
import { defineCommand } from '../command.js';
import { printResult } from '../shared.js';

const SERVE_KEYS = CONFIG_KEYS.filter((key) => key.startsWith('serve.'));

export const serveCommand = defineCommand({
  command: 'serve <bundle>',
  describe: 'Serve a bundle over HTTP',
  options: { bundle: text.describe('Folder of a bundle') },
  config: {
    keys: SERVE_KEYS,
    short: {
      host: ['serve.host', 'Address to listen on; 0.0.0.0 for every interface'],
      port: ['serve.port', 'Port to listen on; 0 picks a free one'],
      deadline: ['serve.deadline', 'Milliseconds to answer a request; one that would take longer gets 503'],
    },
  },
  examples: [
    ['serve out/bundle --port 8080', 'Serve until Ctrl-C'],
    ['serve v1 --serve.bundles . --serve.adminToken TOKEN', 'Serve with an admin API that changes versions'],
  ],
  epilogue: `Try it: curl -F image=@photo.jpg http://127.0.0.1:8080/predict\nThese configuration keys are also flags: ${SERVE_KEYS.map((key) => `--${key}`).join(', ')}.`,
  async handler(args, { config }) {
    const { serve } = await config();
    const { startServer, stopSignal } = await import('../../serve/server.js');
    const server = await startServer(args.bundle, serve);
    printResult({ url: server.url }, `ready on ${server.url}`, args);
    await stopSignal();
    await server.close();
  },
});
