import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { UserError } from '../../src/base/errors.js';
import { refuseTogether, refuseUnused, requireOneOf } from '../../src/cli/checks.js';
import { type CommandContext, defineCommand } from '../../src/cli/command.js';
import { PIPELINE_FLAGS } from '../../src/cli/config_options.js';
import { runCommandLine } from '../../src/cli/parser.js';
import { inputSize } from '../../src/config/preprocess.js';
import { type Config, text, unit } from '../../src/config/schema.js';

const test = suite('options of a command');

interface Call {
  args: Record<string, unknown>;
  given: CommandContext['given'];
  config: Config;
}
let call: Call | undefined;

const command = defineCommand({
  command: 'find <files..>',
  describe: 'A command of every kind of option',
  options: {
    files: z.array(text).min(1).describe('Files'),
    name: text.optional().describe('A name'),
    share: unit.default(0.5).describe('A share'),
    maxCount: z.int().positive().optional().describe('A number'),
    size: inputSize.optional().describe('A size'),
    goal: z.enum(['fast', 'good']).default('fast').describe('A choice'),
    tag: z.array(text).default([]).describe('Texts'),
    level: z.array(z.int().positive()).default([]).describe('Numbers'),
    legacy: z.boolean().optional().describe('Old or not'),
  },
  config: { ...PIPELINE_FLAGS, short: { epochs: ['train.epochs', 'Epochs'], images: ['data.images', 'Images'] } },
  examples: [['find x', 'Find it']],
  async handler(args, { given, config }) {
    call = { args, given, config: await config() };
  },
});

async function run(...argv: string[]): Promise<Call> {
  call = undefined;
  await runCommandLine(['find', ...argv], [command]);
  return call as unknown as Call;
}

async function refusal(...argv: string[]): Promise<UserError> {
  const error = await run(...argv).catch((thrown: unknown) => thrown);
  assert.instance(error, UserError, argv.join(' '));
  return error as UserError;
}

test('values arrive as their schemas want them; what is given is known', async () => {
  const argv = '300.jpg --name 007 --share 0.25 --max-count 3 --goal good --tag 1.0 yes --tag 02 --level 4 --no-legacy';
  const { args, given } = await run(...argv.split(' '));
  assert.equal(args, {
    files: ['300.jpg'],
    name: '007',
    share: 0.25,
    maxCount: 3,
    goal: 'good',
    tag: ['1.0', 'yes', '02'],
    level: [4],
    legacy: false,
    json: false,
  });
  assert.equal([...given].sort(), ['files', 'goal', 'legacy', 'level', 'maxCount', 'name', 'share', 'tag']);
});

test('a size is one number, two, or a list', async () => {
  for (const [form, size] of [
    ['--size 64', [64, 64]],
    ['--size 64 96', [64, 96]],
    ['--size=64', [64, 64]],
    ['--size [64,96]', [64, 96]],
  ] as const) {
    const { args } = await run('a.jpg', ...form.split(' '));
    assert.equal(args.size, size, form);
  }
  const { args } = await run('--size', '64', 'a.jpg');
  assert.equal([args.size, args.files], [[64, 64], ['a.jpg']]);
});

const bad: [argv: string[], where: string, expected: RegExp, received: unknown][] = [
  [['--share', 'abc'], '--share', /a number from 0 to 1/, 'abc'],
  [['--share', 'NaN'], '--share', /a number from 0 to 1/, 'NaN'],
  [['--share', '.nan'], '--share', /a number from 0 to 1/, Number.NaN],
  [['--share', 'Infinity'], '--share', /a number from 0 to 1/, 'Infinity'],
  [['--share', '2'], '--share', /a number from 0 to 1/, 2],
  [['--share', '-1'], '--share', /a number from 0 to 1/, -1],
  [['--share', ''], '--share', /a number from 0 to 1/, ''],
  [['--share='], '--share', /a number from 0 to 1/, ''],
  [['--max-count', '0'], '--max-count', /a whole number above 0/, 0],
  [['--max-count', '-3'], '--max-count', /a whole number above 0/, -3],
  [['--max-count', '1.5'], '--max-count', /a whole number above 0/, 1.5],
  [['--maxCount', '1.5'], '--max-count', /a whole number above 0/, 1.5],
  [['--size', '640', '33'], '--size', /multiple of 32/, 33],
  [['--size', 'big'], '--size', /a list of 2: a whole number above 0, a multiple of 32/, 'big'],
  [['--goal', 'best'], '--goal', /fast or good/, 'best'],
  [['--name', ''], '--name', /text that is not empty/, ''],
  [['--tag', 'a', ''], '--tag', /text that is not empty/, ''],
  [['--level', '1', 'x'], '--level', /a whole number above 0/, 'x'],
  [['--epochs', 'ten'], '--epochs', /a whole number above 0/, 'ten'],
  [['--train.epochs', '0'], '--train.epochs', /a whole number above 0/, 0],
  [['--legacy=maybe'], '--legacy', /true or false/, 'maybe'],
  [['--no-share'], '--no-share', /--share with a value, or nothing/, undefined],
  [['--no-epochs'], '--no-epochs', /--epochs with a value, or nothing/, undefined],
  [['--name'], '--name', /a value/, undefined],
  [['--name', '--legacy'], '--name', /a value/, undefined],
  [['--tag'], '--tag', /a value/, undefined],
  [['--nmae', 'x'], '--nmae', /a known option/, undefined],
  [['--config', 'yolox-q'], '--config', /a configuration file or the name of a preset/, 'yolox-q'],
];

test('a bad value names the flag, what was expected and what came', async () => {
  for (const [argv, where, expected, received] of bad) {
    const { problem, message } = await refusal('a.jpg', ...argv);
    assert.is(problem.where, where, argv.join(' '));
    assert.match(problem.expected, expected, argv.join(' '));
    assert.equal(problem.received, received, argv.join(' '));
    assert.not.match(message, /(--[\w.]+).*\1: /, argv.join(' '));
  }
});

const twice = [
  '--share 0.1 --share 0.2',
  '--share 0.1 --share 0.1',
  '--share=0.1 --share=0.2',
  '--max-count 1 --maxCount 2',
  '--size 64 --size 96',
  '--epochs 1 --epochs 2',
  '--epochs 1 --train.epochs 2',
  '--train.epochs 1 --train.epochs 2',
  '--images a --images b',
  '--config yolox-s --config yolox-m',
  '--legacy --legacy',
  '--legacy --no-legacy',
  '--json --json',
  '--json --no-json',
];

test('an option given twice is refused, but for lists', async () => {
  for (const argv of twice) {
    const { problem, message } = await refusal('a.jpg', ...argv.split(' '));
    assert.is(problem.expected, 'one value', argv);
    for (const flag of argv.match(/--[\w.-]+/g) ?? []) assert.match(message, flag);
  }
});

test('arguments behind -- are no options', async () => {
  const { args } = await run('a.jpg', '--', '--share', '--share', 'b.jpg');
  assert.equal([args.files, args.share], [['a.jpg', './--share', './--share', 'b.jpg'], 0.5]);
});

test('the configuration comes with its flags, short or long, and the source follows', async () => {
  const { config, given } = await run('a.jpg', '--epochs', '3', '--images', '2024', '--data.annotations', '7');
  assert.equal([config.train.epochs, config.data.source, config.data.images], [3, 'coco', '2024']);
  assert.ok(given.has('train.epochs') && given.has('data.images') && given.has('data.annotations'));
});

test('options without effect, together or missing are named', () => {
  const given = new Set(['maxCount', 'name', 'train.epochs']);
  const refused = (work: () => void) => {
    try {
      work();
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  assert.match(
    refused(() => refuseUnused(given, ['share', 'maxCount'], 'with --x')),
    /^--max-count: expected to be used only with --x\./,
  );
  assert.match(
    refused(() => refuseUnused(given, ['train.epochs'], 'with --y')),
    /^--train\.epochs: expected to be used only with --y\./,
  );
  assert.is(
    refused(() => refuseUnused(given, ['share'], 'with --x')),
    '',
  );
  assert.match(
    refused(() => requireOneOf(given, ['a', 'b'])),
    '--a, --b: expected one of them: none is given.',
  );
  assert.match(
    refused(() => requireOneOf(given, ['name', 'maxCount'])),
    '--name and --max-count are given',
  );
  assert.is(
    refused(() => requireOneOf(given, ['name', 'b'])),
    '',
  );
  assert.match(
    refused(() => refuseTogether(given, ['name', 'maxCount'])),
    '--name and --max-count are given',
  );
  assert.is(
    refused(() => refuseTogether(given, ['b', 'c'])),
    '',
  );
});

test.run();
