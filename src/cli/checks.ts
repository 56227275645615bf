import { UserError } from '../base/errors.js';
import { type CommandContext, kebab } from './command.js';

type Given = CommandContext['given'];

const label = (name: string): string => `--${kebab(name)}`;

/**
 * Refuses options that would have no effect.
 *
 * @param use what they need, completing "to be used only": `with --mode open`
 * @throws UserError naming the first of them that is given
 */
export function refuseUnused(given: Given, names: readonly string[], use: string): void {
  const name = names.find((one) => given.has(one));
  if (name === undefined) return;
  throw new UserError({
    where: label(name),
    expected: `to be used only ${use}`,
    hint: 'It has no effect here: leave it out.',
  });
}

/** @throws UserError unless exactly one of these options is given */
export function requireOneOf(given: Given, names: readonly string[]): void {
  const found = names.filter((name) => given.has(name));
  if (found.length === 1) return;
  const labels = names.map(label);
  throw new UserError({
    where: labels.join(', '),
    expected: 'one of them',
    reason: found.length === 0 ? 'none is given' : `${found.map(label).join(' and ')} are given`,
  });
}

/** @throws UserError when more than one of these options is given */
export function refuseTogether(given: Given, names: readonly string[]): void {
  if (names.filter((name) => given.has(name)).length > 1) requireOneOf(given, names);
}
