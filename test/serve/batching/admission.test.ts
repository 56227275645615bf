import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../../src/serve/api_error.js';
import { Admission, type Ticket } from '../../../src/serve/batching/admission.js';

const test = suite('admission');

/** Whether the next is let in; the refusal is a 503 that says when to come back. */
function enter(admission: Admission): Ticket | undefined {
  try {
    admission.check();
    return admission.enter();
  } catch (error) {
    assert.instance(error, ApiError);
    const { status, body: reason, retryAfter } = error as ApiError;
    assert.equal([status, reason.code], [503, 'overloaded']);
    assert.ok(retryAfter !== undefined && retryAfter >= 1 && Number.isInteger(retryAfter));
    return undefined;
  }
}

interface Case {
  /** The model's batch, and the milliseconds it takes. */
  batch: number;
  ms: number;
  /** Share of the deadline that an answer takes beside, without keeping the model from the next batch. */
  lag: number;
  /** Requests for each that the model could answer. */
  load: number;
  deadline: number;
}

/** A model under constant arrivals on a clock of its own: latencies of the answered, and how many there could be. */
function simulate({ batch, ms, lag, load, deadline }: Case) {
  let now = 0;
  const admission = new Admission({ queue: 100_000, deadline, least: 2 }, { now: () => now, after: () => () => {} });
  // What a process measures before it is ready.
  admission.expect(ms, ms / batch);
  const waiting: { ticket: Ticket; since: number }[] = [];
  const answers: { ticket: Ticket; since: number; due: number }[] = [];
  const latencies: number[] = [];
  const end = 20 * deadline;
  // What takes time beside the model is learnt from the first answers.
  const learnt = 3 * deadline;
  let arrival = 0;
  let free = 0;
  while (now < end) {
    if (free <= now && waiting.length > 0) {
      free = now + ms;
      answers.push(...waiting.splice(0, batch).map((one) => ({ ...one, due: free + lag * deadline })));
    }
    now = Math.min(arrival, answers[0]?.due ?? arrival, waiting.length > 0 ? free : arrival);
    while (answers.length > 0 && answers[0].due <= now) {
      const { ticket, since } = answers.shift() as (typeof answers)[number];
      if (now > learnt) latencies.push(now - since);
      ticket.measure();
      ticket.leave();
    }
    if (now < arrival) continue;
    arrival += ms / batch / load;
    const ticket = enter(admission);
    if (ticket) waiting.push({ ticket, since: now });
  }
  return { latencies: latencies.sort((a, b) => a - b), possible: ((end - learnt) / ms) * batch };
}

test('under overload the model stays busy, and nearly all that are let in are answered in time', () => {
  const cases = fc.record({
    batch: fc.integer({ min: 1, max: 8 }),
    ms: fc.integer({ min: 10, max: 50 }),
    lag: fc.constantFrom(0, 0.2, 0.4),
    load: fc.double({ min: 1.5, max: 6, noNaN: true }),
    deadline: fc.integer({ min: 250, max: 1000 }),
  });
  fc.assert(
    fc.property(cases, (one) => {
      // What is planned for must leave room for a batch that runs, those that wait and those that come meanwhile.
      fc.pre(4 * one.ms <= (0.75 - one.lag) * one.deadline);
      const { latencies, possible } = simulate(one);
      assert.ok(latencies.length >= 0.9 * possible, `${latencies.length} of ${possible}`);
      const p99 = latencies[Math.floor(0.99 * latencies.length)];
      assert.ok(p99 <= one.deadline, `p99 of ${p99} ms`);
    }),
    { numRuns: 20 },
  );
});

test('a queue is never longer than allowed, and an idle service takes whoever comes', () => {
  let now = 0;
  const admission = new Admission({ queue: 3, deadline: 100, least: 1 }, { now: () => now, after: () => () => {} });
  const tickets = [1, 2, 3].map(() => enter(admission) as Ticket);
  assert.is(enter(admission), undefined);
  assert.is(admission.admitted, 3);
  now = 60_000;
  for (const ticket of tickets) {
    ticket.measure();
    ticket.leave();
  }
  const alone = enter(admission) as Ticket;
  assert.is(enter(admission), undefined);
  alone.leave();
  assert.is(admission.admitted, 0);
});

test('a bad moment is forgotten', () => {
  let now = 0;
  const admission = new Admission({ queue: 10, deadline: 100, least: 1 }, { now: () => now, after: () => () => {} });
  const answer = (ms: number) => {
    const ticket = enter(admission) as Ticket;
    now += ms;
    ticket.measure();
    ticket.leave();
  };
  answer(60_000);
  for (let i = 0; i < 200; i++) answer(10);
  const tickets = [1, 2, 3, 4].map(() => enter(admission));
  assert.ok(tickets.every((ticket) => ticket !== undefined));
});

test('idle when the last has left', async () => {
  const admission = new Admission({ queue: 10, deadline: 100, least: 1 });
  await admission.idle();
  const ticket = admission.enter();
  let idle = false;
  const both = Promise.all([admission.idle(), admission.idle()]).then(() => {
    idle = true;
  });
  await Promise.resolve();
  assert.not(idle);
  ticket.leave();
  await both;
});

test.run();
