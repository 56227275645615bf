import { z } from 'zod';
import { UserError } from '../../base/errors.js';
import { text } from '../../config/schema.js';
import { BODIES } from '../../loadtest/payload.js';
import { refuseUnused } from '../checks.js';
import type { CommandContext } from '../command.js';

const HEADER = /^([!#$%&'*+.^`|~\w-]+):\s*([^\r\n]*)$/;

/** The address to post to. It is stored with the result, so it must not contain a password. */
const address = z.string().superRefine((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    context.addIssue({ code: 'custom', message: 'an http or https address' });
  } else if (url.username || url.password) {
    const hint = 'Send them by --header "Authorization: …", which is not stored.';
    context.addIssue({
      code: 'custom',
      message: 'an address without user and password',
      params: { hint, secret: true },
    });
  }
});

const header = z.string().superRefine((value, context) => {
  if (HEADER.test(value)) return;
  context.addIssue({ code: 'custom', message: '"Name: value"', params: { secret: true } });
});

const above0 = z.number().positive();
const share = z.number().min(0);
const count = z.int().positive();

export const loadTestOptions = {
  url: address.describe('Address to post to, such as http://…/predict'),
  image: z.array(text).min(1).describe('Images to send, in turn'),
  body: z.enum(BODIES).default('raw').describe('Send the image as raw bytes, a multipart form, or Base64 in JSON'),
  field: text.default('image').describe('Name of the image field in the form or JSON'),
  header: z.array(header).default([]).describe('Header to send, "Name: value"; not stored'),
  mode: z
    .enum(['closed', 'open', 'sweep', 'slo', 'soak'])
    .default('closed')
    .describe(
      'closed: next request after each answer; open: at a given rate; sweep: closed, for several concurrencies; slo: find the highest rate; soak: long run, watching memory',
    ),
  concurrency: z.array(count).default([]).describe('Requests in flight (modes closed, sweep, soak)'),
  rate: above0.optional().describe('Requests per second (modes open, soak); where the search starts (slo)'),
  arrivals: z
    .enum(['poisson', 'constant'])
    .optional()
    .describe('How requests sent at a rate are spaced [default: constant in a soak, else poisson]'),
  p99: above0.default(200).describe('Highest p99 allowed, milliseconds (mode slo)'),
  duration: above0.default(10).describe('Seconds measured in each run'),
  warmUp: share.optional().describe('Seconds of load before measuring [default: 2; a tenth of a soak]'),
  maxInFlight: count.default(1000).describe('Most requests in flight when sent at a rate'),
  timeout: above0.default(30).describe('Seconds to wait for an answer before counting an error'),
  seed: z.int().default(0).describe('Seed of Poisson arrivals'),
  pid: count.optional().describe('Server process to sample for CPU and memory, including its children'),
  maxGrowth: share.optional().describe("Exit with 1 if the server's memory grows by more than this share (mode soak)"),
  out: text.optional().describe('Folder for result.json and report.html'),
  baseline: text.optional().describe('Earlier result.json to compare with'),
  gate: share.optional().describe('Exit with 1 if worse than the baseline by more than this share'),
};

export type LoadTestArgs = z.infer<z.ZodObject<typeof loadTestOptions>> & { json: boolean };

/** Splits `Name: value`, already validated, into name and value. */
export function headerOf(value: string): [name: string, value: string] {
  const [, name, content] = HEADER.exec(value) as RegExpExecArray;
  return [name.toLowerCase(), content];
}

/** @throws UserError naming an option that the mode needs, or one that has no effect in it */
export function checkMode(args: LoadTestArgs, given: CommandContext['given']): void {
  const { mode, rate, concurrency, arrivals } = args;
  const byClock = mode === 'open' || mode === 'slo' || (mode === 'soak' && rate !== undefined);
  if (mode === 'open' || mode === 'slo') refuseUnused(given, ['concurrency'], 'with --mode closed, sweep or soak');
  if (mode === 'closed' || mode === 'sweep') refuseUnused(given, ['rate'], 'with --mode open, slo or soak');
  if (!byClock)
    refuseUnused(
      given,
      ['arrivals', 'maxInFlight', 'seed'],
      'for requests sent at a rate: --mode open or slo, or a soak with --rate',
    );
  if ((arrivals ?? (mode === 'soak' ? 'constant' : 'poisson')) === 'constant')
    refuseUnused(given, ['seed'], 'with --arrivals poisson');
  if (mode !== 'slo') refuseUnused(given, ['p99'], 'with --mode slo');
  if (mode !== 'soak') refuseUnused(given, ['maxGrowth'], 'with --mode soak');
  if (args.pid === undefined) refuseUnused(given, ['maxGrowth'], 'with --pid');
  if (args.baseline === undefined) refuseUnused(given, ['gate'], 'with --baseline');
  if (args.body === 'raw') refuseUnused(given, ['field'], 'with --body form or json');
  if (mode === 'open' && rate === undefined) {
    throw new UserError({
      where: '--mode open',
      expected: '--rate',
      hint: 'It sets the number of requests per second.',
    });
  }
  if (mode === 'soak' && concurrency.length + (rate === undefined ? 0 : 1) !== 1) {
    throw new UserError({ where: '--mode soak', expected: '--rate or one --concurrency' });
  }
  if (mode === 'closed' && concurrency.length > 1) {
    throw new UserError({
      where: '--concurrency',
      expected: 'one number with --mode closed',
      received: concurrency,
      hint: 'Use --mode sweep for several.',
    });
  }
}
