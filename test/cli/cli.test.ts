import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { commandsFor } from '../../src/cli/commands/index.js';
import { runCommandLine } from '../../src/cli/parser.js';

const test = suite('command line');
const cli = resolve(import.meta.dirname, '../../bin/yolox.mjs');

const yolox = (...args: string[]) =>
  spawnSync(process.execPath, [cli, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });

const misuses: [string, string[], RegExp][] = [
  ['an unknown flag suggests the right one', ['model-train', '--epochz', '3'], /epochz.*Did you mean "epochs"/],
  ['an unknown configuration flag too', ['model-train', '--train.epoch', '3'], /Did you mean "train\.epochs"/],
  ['an unknown command is refused', ['servee'], /^servee: expected a command\. Did you mean "serve"\?$/],
  ['a part of a command suggests the whole', ['train'], /Did you mean "model-train"/],
  ['a key without its section suggests the right one', ['run', '--lr', '1'], /Did you mean "train\.optimizer\.lr"/],
  ['one hyphen is none of an option', ['run', '-epochs', '3'], /^-epochs: expected a known option\..*two hyphens/],
  ['a dash that an editor made is none either', ['run', '—epochs', '3'], /^—epochs: expected a known option/],
  ['a renamed flag names its successor', ['model-eval', '--eval.pictures', '3'], /It is called --eval\.images now\.$/],
  ['a renamed short flag too', ['predict', 'a.jpg', '--nms', '0.5'], /It is called --iou now\.$/],
  ['no command at all', [], /Name a command/],
  ['an unknown preset suggests the right one', ['run', '--config', 'quikstart'], /Did you mean "quickstart"/],
  [
    'a wrong value names its flag',
    ['run', '--train.epochs', 'ten'],
    /--train\.epochs: expected a whole number above 0, received "ten"/,
  ],
  ['a missing bundle is named', ['serve', 'no/such/bundle'], /no\/such\/bundle/],
  [
    'flags that must come together are named',
    ['predict', 'x.jpg'],
    /--bundle, --weights: expected one of them: none is given/,
  ],
  [
    'a load by the clock needs a rate',
    ['load-test', 'http://127.0.0.1:9/', '--image', 'x', '--mode', 'open'],
    /--mode open: expected --rate/,
  ],
  ['missing weights are named', ['import-weights', 'absent.pth', '--out', 'x.safetensors'], /absent\.pth/],
];

for (const [title, args, message] of misuses) {
  test(title, async () => {
    const error = await runCommandLine(args, await commandsFor(args)).catch((thrown: unknown) => thrown);
    assert.instance(error, UserError);
    assert.match((error as UserError).message, message);
  });
}

test('misuse ends with 2, one line on stderr and nothing on stdout', () => {
  const { status, stderr, stdout } = yolox('model-train', '--epochz', '3');
  assert.is(status, 2);
  assert.match(stderr, /^yolox-node: --epochz: expected a known option\. Did you mean "epochs"\?\n$/);
  assert.is(stdout, '');
});

test('help lists every step', () => {
  const { status, stdout } = yolox('--help');
  assert.is(status, 0);
  for (const step of [
    'data-load',
    'data-prep',
    'model-train',
    'model-pack',
    'model-eval',
    'model-test',
    'run',
    'serve',
  ]) {
    assert.match(stdout, `yolox-node ${step}`);
  }
});

test('the version is that of this package, whatever project it is called in', () => {
  const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'));
  const elsewhere = { cwd: tmpdir(), encoding: 'utf8' } as const;
  assert.is(spawnSync(process.execPath, [cli, '--version'], elsewhere).stdout, `${version}\n`);
});

test('the process that speaks HTTP loads no decoder, no model and no TensorFlow', () => {
  const server = pathToFileURL(resolve(import.meta.dirname, '../../dist/serve/server.js')).href;
  const atExit = `
    import { readFileSync, writeSync } from 'node:fs';
    import ${JSON.stringify(server)};
    process.on('exit', () => writeSync(2, readFileSync('/proc/self/maps')));`;
  const early = `data:text/javascript,${encodeURIComponent(atExit)}`;
  const flags = ['--import', early, cli, 'serve', '--help'];
  const { status, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8' });
  assert.is(status, 0);
  assert.match(stderr, /libc\.so/);
  assert.not.match(stderr, /sharp|napi-rs|onnxruntime|tensorflow/);
});

test.run();
