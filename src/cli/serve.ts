import type { CommandModule } from 'yargs';
import { CONFIG_KEYS } from '../config/keys.js';
import { configFrom } from './config_options.js';
import { jsonOption, printResult } from './shared.js';

interface ServeArgs {
  bundle: string;
  config?: string;
  host?: string;
  port?: string;
  deadline?: string;
  json: boolean;
}

const SERVE_KEYS = CONFIG_KEYS.filter((key) => key.startsWith('serve.'));

export const serveCommand: CommandModule<object, ServeArgs> = {
  command: 'serve <bundle>',
  describe: 'Serve a packed model over HTTP',
  builder(yargs) {
    const options = jsonOption(yargs)
      .positional('bundle', { type: 'string', demandOption: true, describe: 'Folder of a packed model' })
      .option('config', { type: 'string', describe: 'Configuration file, or the name of a preset' })
      .option('host', {
        type: 'string',
        requiresArg: true,
        describe: 'Address to listen on; 0.0.0.0 for every interface',
      })
      .option('port', { type: 'string', requiresArg: true, describe: 'Port to listen on; 0 takes a free one' })
      .option('deadline', {
        type: 'string',
        requiresArg: true,
        describe: 'Milliseconds within which a request is answered; one that would take longer is refused with 503',
      })
      .example('$0 serve out/bundle --port 8080', 'Serve until Ctrl-C')
      .example('curl -F image=@photo.jpg http://127.0.0.1:8080/predict', 'Ask it')
      .example('YOLOX_SERVE_ADMIN_TOKEN=… $0 serve v1 --serve.bundles .', 'With an admin API that changes versions')
      .epilogue(`Configuration keys are flags as well: ${SERVE_KEYS.map((key) => `--${key}`).join(', ')}.`);
    return SERVE_KEYS.reduce(
      (all, key) => all.option(key, { type: 'string', requiresArg: true, hidden: true }),
      options,
    );
  },
  async handler(args) {
    const { host, port, deadline } = args;
    const config = await configFrom({
      ...args,
      ...(host && { 'serve.host': host }),
      ...(port && { 'serve.port': port }),
      ...(deadline && { 'serve.deadline': deadline }),
    });
    const { startServer, stopSignal } = await import('../serve/server.js');
    const server = await startServer(args.bundle, config.serve);
    printResult({ url: server.url }, `ready on ${server.url}`, args);
    await stopSignal();
    await server.close();
  },
};
