import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clientOf, matcherOf } from '../../../src/serve/security/client_address.js';
import { type Member, Pool } from '../../../src/serve/security/pool.js';

const test = suite('pool');

interface Made extends Member {
  evictable: number | undefined;
  closed: boolean;
}

function member(client: string, evictable?: number, exempt = false): Made {
  const made: Made = {
    client,
    exempt,
    evictable,
    closed: false,
    close() {
      made.closed = true;
    },
  };
  return made;
}

test('of a client’s too many the one idle longest gives way, never one that is busy', () => {
  const pool = new Pool({ size: 10, share: 3 });
  const [old, busy, young] = [member('a', 1), member('a'), member('a', 2)];
  const all = [young, busy, old];
  assert.ok(all.every((one) => pool.enter(one)));
  assert.ok(pool.enter(member('a')));
  assert.equal([young.closed, busy.closed, old.closed], [false, false, true]);
  assert.ok(pool.enter(member('a')));
  assert.not(pool.enter(member('a')));
  assert.ok(pool.enter(member('b')));
  pool.leave(busy);
  pool.leave(busy);
  assert.ok(pool.enter(member('a')));
  assert.is(pool.size, 4);
});

test('a proxy may have all places', () => {
  const pool = new Pool({ size: 10, share: 3 });
  assert.ok(Array.from({ length: 10 }, () => member('proxy', undefined, true)).every((one) => pool.enter(one)));
  assert.not(pool.enter(member('proxy', undefined, true)));
});

const steps = fc.array(
  fc.record({
    client: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    evictable: fc.option(fc.nat(20), { nil: undefined }),
    leaves: fc.option(fc.nat(30), { nil: undefined }),
  }),
  { maxLength: 60 },
);

test('limits hold whatever comes, and who has more never takes a place from one with fewer', () =>
  fc.assert(
    fc.property(steps, (all) => {
      const limits = { size: 8, share: 4 };
      const pool = new Pool(limits);
      let inside: Made[] = [];
      const count = (client: string) => inside.filter((one) => one.client === client).length;
      for (const { client, evictable, leaves } of all) {
        if (leaves !== undefined && leaves < inside.length) pool.leave(inside.splice(leaves, 1)[0]);
        const own = count(client);
        const comes = member(client, evictable);
        const entered = pool.enter(comes);
        const [victim, ...others] = inside.filter(({ closed }) => closed);
        assert.equal(others, []);
        if (victim) assert.ok(victim.evictable !== undefined && count(victim.client) >= own);
        if (!entered) assert.ok(own >= limits.share || inside.length >= limits.size);
        inside = inside.filter(({ closed }) => !closed);
        if (entered) inside.push(comes);
        assert.is(pool.size, inside.length);
        assert.ok(inside.length <= limits.size && count(client) <= limits.share);
      }
    }),
  ));

test('a client is an IPv4 address, or a network of IPv6', () => {
  assert.is(clientOf('127.0.0.1'), '127.0.0.1');
  assert.is(clientOf('::ffff:10.0.0.1'), '10.0.0.1');
  assert.is(clientOf('2001:db8:0:1::5'), clientOf('2001:db8:0:1:ffff::9'));
  assert.is.not(clientOf('2001:db8:0:1::5'), clientOf('2001:db8:0:2::5'));
  assert.is(clientOf(undefined), '');
  const isProxy = matcherOf(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']);
  for (const address of ['10.9.8.7', '::ffff:10.1.1.1', '192.0.2.1', '2001:db8:1::1']) assert.ok(isProxy(address));
  for (const address of ['11.0.0.1', '192.0.2.2', '2001:db9::1', undefined]) assert.not(isProxy(address));
});

test.run();
