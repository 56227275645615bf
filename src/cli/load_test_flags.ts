import { UserError } from '../base/errors.js';
import type { LoadTestArgs } from './load_test.js';

/** `Name: value` as a header. @throws UserError for any other text */
export function headerOf(text: string): [name: string, value: string] {
  const [, name, value] = /^([!#$%&'*+.^`|~\w-]+):\s*([^\r\n]*)$/.exec(text) ?? [];
  if (name === undefined) throw new UserError({ where: '--header', expected: '"Name: value"', received: text });
  return [name.toLowerCase(), value];
}

/** What the mode lacks, for the command line's parser; true when it lacks nothing. */
export function checkMode({ mode, rate, concurrency }: LoadTestArgs): string | true {
  if (mode === 'open' && rate === undefined) return '--mode open needs --rate.';
  const loads = concurrency.length + (rate === undefined ? 0 : 1);
  return mode !== 'soak' || loads === 1 || '--mode soak needs --rate or one --concurrency.';
}

/** @throws UserError naming the flag */
export function checkLoadFlags(args: LoadTestArgs): void {
  const { mode, rate, p99, duration, warmUp = 0, timeout, maxInFlight, concurrency, gate = 0, maxGrowth = 0 } = args;
  checkUrl(args.url);
  const need = (flag: string, received: unknown, ok: boolean, expected: string) => {
    if (!ok) throw new UserError({ where: flag, expected, received });
  };
  for (const [flag, value] of Object.entries({ rate: rate ?? 1, p99, duration, timeout }))
    need(`--${flag}`, value, value > 0 && value < Number.POSITIVE_INFINITY, 'a number above 0');
  for (const [flag, value] of Object.entries({ 'warm-up': warmUp, gate, 'max-growth': maxGrowth }))
    need(`--${flag}`, value, value >= 0 && value < Number.POSITIVE_INFINITY, 'a number of 0 or more');
  for (const value of [...concurrency, maxInFlight])
    need('--concurrency, --max-in-flight', value, Number.isInteger(value) && value > 0, 'whole numbers above 0');
  need('--max-growth', args.maxGrowth, mode === 'soak' || args.maxGrowth === undefined, 'it with --mode soak only');
}

function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UserError({ where: 'url', expected: 'an http or https address', received: text });
  }
  // The address is stored with the result.
  if (url.username || url.password) {
    throw new UserError({
      where: 'url',
      expected: 'an address without user and password',
      hint: 'Send them by --header "Authorization: …", which is not stored.',
    });
  }
}
