// SPDX-License-Identifier: Apache-2.0
'use strict';

// Schedules of every minute, side by side: what each makes, and what it does not.

const assert = require('node:assert/strict');
const { before, test } = require('node:test');
const { get, list, patch, remove, watch } = require('./support/api.js');
const { Person } = require('./support/people.js');
const { Run, condition, cpu, hasEnded } = require('./support/run.js');
const { Space } = require('./support/space.js');
const system = require('./support/system.js');
const { until } = require('./support/wait.js');

const minuteMs = 60_000;
const fireSeconds = 100; // a minute, and the way to the run
const longSeconds = 90; // more than a minute

class Schedule {
  // Each has a pod of its own, so that none waits for another's sidecar.
  static async apply(space, person, name, { durationSeconds = 1, ...spec } = {}) {
    await space.pod(name);
    const object = {
      apiVersion: 'sonde.dev/v1alpha1',
      kind: 'ProfileSchedule',
      metadata: { name, namespace: space.name },
      spec: {
        schedule: '* * * * *',
        runTemplate: { spec: { target: { podName: name }, captures: [cpu(durationSeconds)] } },
        ...spec,
      },
    };
    const { code, stderr } = await person.apply(JSON.stringify(object));
    assert.equal(code, 0, stderr);
    return new Schedule(space, name);
  }

  constructor(space, name) {
    Object.assign(this, { space, name });
  }

  get() {
    return get('ProfileSchedule', this.space.name, this.name);
  }

  async runs() {
    const selector = `labelSelector=sonde.dev%2Fschedule%3D${this.name}`;
    const all = await list('ProfileRun', this.space.name, selector);
    return all.sort((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
  }

  async has(count, seconds = fireSeconds) {
    const there = async () => {
      const all = await this.runs();
      return all.length >= count && all;
    };
    return until(there, seconds, `${this.name} has made ${count}`);
  }

  change(spec) {
    return patch('ProfileSchedule', this.space.name, this.name, { spec });
  }

  is(done, seconds, what) {
    const look = (object) => object && done(object.status ?? {}) && object.status;
    return watch('ProfileSchedule', this.space.name, this.name, look, seconds, what);
  }

  ready(reason, seconds = fireSeconds) {
    const told = (status) => condition({ status }, 'Ready')?.reason === reason;
    return this.is(told, seconds, `is ${reason}`);
  }
}

// A Service with one pod behind it, and a LoadTestSchedule that loads it each minute.
async function applyLoad(space, person, name) {
  await space.deployment(name, 1);
  const ports = [{ port: 80, targetPort: 8080 }];
  await space.create('v1', 'Service', name, { spec: { selector: { app: name }, ports } });
  const test = {
    target: { service: { name, port: 80 } },
    scenario: { requests: [{ name: 'one', path: '/' }] },
    arrival: { rate: 20, durationSeconds: 3 },
  };
  const object = {
    ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTestSchedule' },
    metadata: { name, namespace: space.name },
    spec: { schedule: '* * * * *', testTemplate: { spec: test } },
  };
  const { code, stderr } = await person.apply(JSON.stringify(object));
  assert.equal(code, 0, stderr);
}

const minutesOf = ({ metadata }) => Number(metadata.name.split('-').at(-1));

before(() => system.recovered());

test('schedules of every minute', { concurrency: true }, async (t) => {
  const space = await Space.make(t);
  const ann = await Person.make(t, space, 'ann', 'sonde-requester');
  const eve = await Person.make(t, space, 'eve', 'sonde-requester');
  const apply = (name, more, person = ann) => Schedule.apply(space, person, name, more);
  const [minutely, suspended, forbid, allow, replace, denied] = await Promise.all([
    apply('minutely'),
    apply('suspended', { suspend: true }),
    apply('forbid', { durationSeconds: longSeconds }),
    apply('allow', { durationSeconds: longSeconds, concurrencyPolicy: 'Allow' }),
    apply('replace', { durationSeconds: longSeconds, concurrencyPolicy: 'Replace' }),
    apply('denied', {}, eve),
    applyLoad(space, ann, 'loaded'),
  ]);
  for (const { metadata } of await list('RoleBinding', space.name)) {
    if (metadata.name.startsWith('eve-')) {
      await remove('RoleBinding', space.name, metadata.name);
    }
  }

  await Promise.all([
    t.test('each minute makes one run, also when the controller is killed', async () => {
      await minutely.has(2, 2 * fireSeconds);
      system.kill(await system.leader());
      const runs = await minutely.has(3);
      const first = minutesOf(runs[0]);
      for (const [index, run] of runs.entries()) {
        assert.equal(minutesOf(run), first + index);
        const { annotations } = run.metadata;
        assert.equal(annotations['sonde.dev/requester'], ann.user);
        assert.equal(Date.parse(annotations['sonde.dev/scheduled-for']), minutesOf(run) * minuteMs);
        await new Run(space, run).succeeds();
      }
      const { status } = await minutely.get();
      assert.equal(status.missedRuns, 0);
      assert.equal(status.requester, ann.user);
      await minutely.change({ suspend: true });
      await minutely.ready('Suspended');
      await minutely.is(({ activeCount }) => activeCount === 0, 60, 'has no active run');
    }),

    t.test('Forbid waits for the one that runs', async () => {
      const [first] = await forbid.has(1);
      const next = async () => (await forbid.runs()).length > 1;
      const watched = until(next, 3 * fireSeconds, 'the second run');
      const ended = await new Run(space, first).ended(2 * longSeconds);
      await watched;
      const [, second] = await forbid.runs();
      const made = Date.parse(second.metadata.creationTimestamp);
      assert.ok(made + 1000 > Date.parse(ended.status.completionTime), 'it did not wait');
      await forbid.change({ suspend: true });
    }),

    t.test('Allow does not', async () => {
      const [first] = await allow.has(2, 2 * fireSeconds);
      const now = await get('ProfileRun', space.name, first.metadata.name);
      assert.ok(!hasEnded(now), 'the first one has ended already');
      await allow.is(({ activeCount }) => activeCount === 2, 30, 'has two active runs');
      await allow.change({ suspend: true });
    }),

    t.test('Replace cancels the one that runs', async () => {
      const [first] = await replace.has(1);
      await new Run(space, first).fails('Cancelled', 2 * fireSeconds);
      const runs = await replace.has(2, 60);
      assert.equal(minutesOf(runs[1]), minutesOf(runs[0]) + 1);
      await replace.change({ suspend: true });
    }),

    t.test('a LoadTestSchedule makes LoadTests', async () => {
      const made = async () => (await list('LoadTest', space.name))[0];
      const { metadata } = await until(made, fireSeconds, 'a LoadTest');
      assert.match(metadata.name, /^loaded-[0-9]+$/);
      assert.equal(metadata.annotations['sonde.dev/requester'], ann.user);
      await patch('LoadTestSchedule', space.name, 'loaded', { spec: { suspend: true } });
      const over = (found) => hasEnded(found) && found;
      const ended = await watch('LoadTest', space.name, metadata.name, over, 120, 'has ended');
      // On a busy machine the generator may have been late, which is another test's matter.
      const { reason } = condition(ended, 'Succeeded');
      assert.ok(['Completed', 'Invalid'].includes(reason), JSON.stringify(ended.status));
      const told = (schedule) => schedule?.status.activeCount === 0;
      await watch('LoadTestSchedule', space.name, 'loaded', told, 30, 'has no active test');
    }),

    t.test('who may no longer profile makes nothing', async () => {
      const status = await denied.ready('RequesterNotAllowed', 2 * fireSeconds);
      const { message } = condition({ status }, 'Ready');
      assert.match(message, new RegExp(`user "${eve.user}".*may not create profileruns`));
      assert.ok(status.missedRuns > 0);
      assert.deepEqual(await denied.runs(), []);
    }),
  ]);

  assert.deepEqual(await suspended.runs(), [], 'what is suspended has fired');
  const made = (await minutely.runs()).length;
  const { missedRuns } = (await denied.get()).status;
  const minuteLater = (status) => status.missedRuns > missedRuns;
  await denied.is(minuteLater, 2 * fireSeconds, 'has missed one more, a minute later');
  assert.equal((await minutely.runs()).length, made, 'what was suspended has fired');
});
