// SPDX-License-Identifier: Apache-2.0
'use strict';

// Load tests of every minute, in place of every night: builds that are slower are found, and what
// becomes of the night before when it still runs.

const assert = require('node:assert/strict');
const { before, test } = require('node:test');
const { get, list, patch, watch } = require('./support/api.js');
const { target } = require('./support/load.js');
const { Person } = require('./support/people.js');
const { container } = require('./support/pods.js');
const { condition, hasEnded } = require('./support/run.js');
const { Space } = require('./support/space.js');
const system = require('./support/system.js');
const { until } = require('./support/wait.js');

const fireSeconds = 100; // a minute, and the way to the test
const longSeconds = 75; // more than a minute
const nightSeconds = 15;
const endSeconds = 120;
const goodMilliseconds = 100;

const envOf = (milliseconds) => ({ SLOW_MS: milliseconds, BUSY_PERCENT: 0.2 });

// A schedule of every minute, and the service that it loads.
class Nights {
  static async apply(space, person, name, { seconds, milliseconds = 100, ...spec }) {
    await target(space, { name, env: envOf(milliseconds) });
    const object = {
      ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTestSchedule', metadata: { name } },
      spec: {
        schedule: '* * * * *',
        testTemplate: {
          spec: {
            target: { service: { name } },
            scenario: { requests: [{ name: 'one', path: '/load' }] },
            ...{ connections: 2, arrival: { durationSeconds: seconds } },
          },
        },
        ...spec,
      },
    };
    const { code, stderr } = await person.apply(JSON.stringify(object));
    assert.equal(code, 0, stderr);
    return new Nights(space, name);
  }

  constructor(space, name) {
    Object.assign(this, { space, name });
  }

  async all() {
    const selector = `labelSelector=sonde.dev%2Fschedule%3D${this.name}`;
    const all = await list('LoadTest', this.space.name, selector);
    return all.sort((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
  }

  // At least so many, of which `which` says yes.
  has(count, seconds, which = () => true) {
    const there = async () => {
      const found = (await this.all()).filter(which);
      return found.length >= count && found;
    };
    return until(there, seconds, `${this.name} has made ${count}`);
  }

  change(spec) {
    return patch('LoadTestSchedule', this.space.name, this.name, { spec });
  }

  is(done, seconds, what) {
    const look = (object) => object && done(object.status ?? {}) && object.status;
    return watch('LoadTestSchedule', this.space.name, this.name, look, seconds, what);
  }

  ended({ metadata }, seconds) {
    const done = (found) => hasEnded(found) && found;
    return watch('LoadTest', this.space.name, metadata.name, done, seconds, 'has ended');
  }

  async rest() {
    await this.change({ suspend: true });
    return this.is(({ activeCount }) => activeCount === 0, endSeconds, 'has no active test');
  }
}

// Another build in its place, and no pod of the one before.
async function swap(space, name, milliseconds) {
  const containers = [container({ env: envOf(milliseconds) })];
  await patch('Deployment', space.name, name, { spec: { template: { spec: { containers } } } });
  const done = ({ metadata, status } = { metadata: {}, status: {} }) =>
    status.observedGeneration === metadata.generation &&
    [status.updatedReplicas, status.replicas, status.availableReplicas].every((all) => all === 1);
  await watch('Deployment', space.name, name, done, endSeconds, 'is another build');
}

before(() => system.recovered());

// Good nights, and one of a build that is so much slower; gives the test of that one, and its report.
async function slowerNight(t, nights, ann, percent, count) {
  const good = (one) => condition(one, 'Succeeded')?.status === 'True';
  await nights.has(count, (count + 4) * fireSeconds, good);
  await nights.rest();
  const before = (await nights.all()).map((one) => one.metadata.name);
  await swap(nights.space, nights.name, goodMilliseconds + (goodMilliseconds * percent) / 100);
  await nights.change({ suspend: false });
  const isNew = ({ metadata }) => !before.includes(metadata.name);
  const [next] = await nights.has(1, fireSeconds, isNew);
  const ended = await nights.ended(next, endSeconds);
  await nights.change({ suspend: true });
  const { stdout } = await ann.kubectl(['sonde', 'report', next.metadata.name, '--format', 'json']);
  t.diagnostic(condition(ended, 'Succeeded').message);
  const last = (await nights.all()).filter((one) => !isNew(one) && good(one)).at(-1);
  return { ended, regression: JSON.parse(stdout).regression, last: last.metadata.name };
}

// What was measured is what was made slower, whatever is called a regression.
function assertMeasured({ measures }, percent) {
  const p50 = measures.find(({ name }) => name === 'p50');
  const change = 100 * p50.relativeChange;
  const near = percent < 20 ? 4 : 10;
  const said = JSON.stringify(p50);
  assert.ok(Math.abs(change - percent) < near, said);
  assert.ok(p50.low < p50.relativeChange && p50.relativeChange < p50.high, said);
}

test('a build that is slower, found in the night after', { concurrency: true }, async (t) => {
  const space = await Space.make(t);
  const ann = await Person.make(t, space, 'ann', 'sonde-requester');
  const nightsOf = (name, baseline) =>
    Nights.apply(space, ann, name, {
      ...{ seconds: nightSeconds, milliseconds: goodMilliseconds, baseline },
    });
  const median = { strategy: 'RollingMedian', runs: 7 };
  const [slight, plain, large] = await Promise.all([
    nightsOf('slight', median),
    nightsOf('plain', median),
    nightsOf('large', { strategy: 'LastGood' }),
  ]);
  await Promise.all([
    t.test('5 % may pass', async (t) => {
      const { ended, regression } = await slowerNight(t, slight, ann, 5, median.runs);
      const { reason } = condition(ended, 'Succeeded');
      assert.equal(reason, regression.worse ? 'Regression' : 'Completed');
      assertMeasured(regression, 5);
    }),

    t.test('10 % is a Regression against the median of seven', async (t) => {
      const { ended, regression } = await slowerNight(t, plain, ann, 10, median.runs);
      const { status, reason, message } = condition(ended, 'Succeeded');
      assert.deepEqual({ status, reason }, { status: 'False', reason: 'Regression' }, message);
      assertMeasured(regression, 10);
    }),

    t.test('50 % is a Regression against the last of two', async (t) => {
      const { ended, regression, last } = await slowerNight(t, large, ann, 50, 2);
      const { status, reason, message } = condition(ended, 'Succeeded');
      assert.deepEqual({ status, reason }, { status: 'False', reason: 'Regression' }, message);
      const said = /p[\d.]+ is [\d.]+ % \[[\d.-]+, [\d.]+\] slower than (large-\d+): .*s → .*s/;
      assert.match(message, said);
      assert.equal(said.exec(message)[1], last, 'it was compared with another one');
      assertMeasured(regression, 50);
    }),
  ]);
});

test('what becomes of the test that still runs', { concurrency: true }, async (t) => {
  const space = await Space.make(t);
  const ann = await Person.make(t, space, 'ann', 'sonde-requester');
  const apply = (name, more) => Nights.apply(space, ann, name, { seconds: longSeconds, ...more });
  const [forbid, allow, replace, suspended] = await Promise.all([
    apply('forbid', { concurrencyPolicy: 'Forbid' }),
    apply('allow', { concurrencyPolicy: 'Allow' }),
    apply('replace', { concurrencyPolicy: 'Replace' }),
    apply('suspended', { suspend: true }),
  ]);
  await Promise.all([
    t.test('Forbid waits for it', async () => {
      const [first] = await forbid.has(1, fireSeconds);
      const [, second] = await forbid.has(2, 3 * fireSeconds);
      const { status } = await get('LoadTest', space.name, first.metadata.name);
      const made = Date.parse(second.metadata.creationTimestamp);
      assert.ok(status.completionTime, 'it did not wait');
      assert.ok(made + 1000 > Date.parse(status.completionTime), 'it did not wait');
      await forbid.change({ suspend: true });
    }),

    t.test('Allow lets both run', async () => {
      const [first] = await allow.has(2, 2 * fireSeconds);
      assert.ok(!hasEnded(await get('LoadTest', space.name, first.metadata.name)));
      await allow.is(({ activeCount }) => activeCount === 2, 30, 'has two active tests');
      await allow.change({ suspend: true });
    }),

    t.test('Replace cancels it', async () => {
      const [first] = await replace.has(1, fireSeconds);
      const ended = await replace.ended(first, 2 * fireSeconds);
      assert.equal(condition(ended, 'Succeeded').reason, 'Cancelled');
      await replace.has(2, fireSeconds);
      await replace.change({ suspend: true });
    }),
  ]);
  assert.deepEqual(await suspended.all(), [], 'what is suspended has fired');
});
