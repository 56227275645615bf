import { parseArgs } from 'node:util';
import { reportFailure, SetupError, say } from './console.mjs';
import { setUp } from './index.mjs';

const HELP = `Usage: npm run setup [-- OPTIONS]    (in a clone)
       npx yolox-node setup [OPTIONS]       (installed as a package)

Installs what yolox-node needs and checks it: npm packages, TensorFlow, the binding between them, our ops.
Safe to interrupt and to run again.

  --cuda      TensorFlow with CUDA (default where an NVIDIA driver is installed)
  --cpu       TensorFlow without CUDA
  --portable  compile our ops for every processor with AVX, not only this machine's (for an image)
  --json      print one JSON object as the last line of stdout, an error too
  --help      show this text

YOLOX_CACHE names the folder that keeps TensorFlow (default ~/.cache/yolox-node).`;

/** The set-up command: `args` are its flags. */
export async function main(args) {
  try {
    const { help, json, ...choices } = parse(args);
    if (help) return console.log(HELP);
    const start = performance.now();
    const result = await setUp(choices);
    const seconds = (performance.now() - start) / 1000;
    say(`Set-up is complete (${seconds.toFixed(1)} s). Try: npx yolox-node --help`);
    if (json) console.log(JSON.stringify({ ...result, seconds: { ...result.seconds, total: seconds } }));
  } catch (error) {
    reportFailure(error, { json: args.includes('--json') });
  }
}

function parse(args) {
  const flag = { type: 'boolean', default: false };
  const options = { cuda: flag, cpu: flag, portable: flag, json: flag, help: { ...flag, short: 'h' } };
  let parsed;
  try {
    parsed = parseArgs({ args, options, tokens: true });
  } catch (error) {
    throw new SetupError(`${error.message} (see --help)`);
  }
  const { values, tokens } = parsed;
  const names = tokens.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new SetupError(`Expected --${twice} once, received it twice.`);
  if (values.cuda && values.cpu) throw new SetupError('Expected one of --cuda and --cpu, received both.');
  return { ...values, flavour: values.cuda ? 'cuda' : values.cpu ? 'cpu' : undefined };
}
