// SPDX-License-Identifier: Apache-2.0
'use strict';

// Load tests with real runners: what they send is what arrives, and how they end.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { get, list, remove } = require('./support/api.js');
const { kubectl } = require('./support/cluster.js');
const {
  Load,
  believed,
  closed,
  completed,
  gentle,
  gentleTotal,
  loaded,
  reached,
  target,
  underLoad,
} = require('./support/load.js');
const { Person } = require('./support/people.js');
const pods = require('./support/pods.js');
const { countOf, overAt, resultOf } = require('./support/result.js');
const { condition, holds } = require('./support/run.js');
const { Space } = require('./support/space.js');
const system = require('./support/system.js');
const { until } = require('./support/wait.js');

const figuresSeconds = 60;
const goneSeconds = 60;
// From the second in which a threshold broke to the last request of any runner: what is promised,
// and what is allowed on a machine that others use too.
const stopSeconds = 2;
const stopSecondsMost = 6;

before(() => system.recovered());
after(() => system.leader());

test('what the service bears succeeds', async (t) => {
  const space = await Space.make(t);
  await target(space);
  let number = 0;
  const attempt = async () => {
    number++;
    const load = await Load.apply(space, { name: `peak-${number}`, ...gentle });
    await load.hasten();
    return load.ended();
  };
  const ended = completed(await believed(t, attempt));
  for (const type of ['Accepted', 'ThresholdsMet', 'Succeeded']) {
    assert.ok(holds(ended, type), JSON.stringify(ended.status));
  }
  assert.equal(ended.status.validity, 'Valid');
  assert.equal(ended.status.thresholdsHeld, '2/2');
  assert.equal(ended.status.requests, gentleTotal);
  const wait = ['wait', '--for=condition=Succeeded', `loadtest/peak-${number}`, '--timeout=5s'];
  assert.equal((await kubectl(['-n', space.name, ...wait])).code, 0);
});

describe('what runners send is what the service counts', { concurrency: 1 }, () => {
  for (const parallelism of [1, 3, 8]) {
    test(`${parallelism} of them`, async (t) => {
      const { space, targets, load } = await underLoad(t, {
        ...{ parallelism, warmUpSeconds: 0, connections: 16 },
        ...{ thresholds: ['http_req_failed: rate<0.01'], activeDeadlineSeconds: 300 },
      });
      const { status } = await load.ended();
      const count = await loaded(targets);
      assert.equal(status.requests, count, JSON.stringify(status));
      // 100 a second for 10 s, with no rounding between the runners.
      assert.equal(count, 1000);
      const result = await resultOf(await Person.administrator(t, space), load.name);
      for (const name of ['response', 'service', 'sendLag']) {
        assert.equal(countOf(result[name]), count, name);
      }
      const seconds = result.intervals.reduce((sum, one) => sum + countOf(one), 0);
      assert.equal(seconds, count, 'the seconds together are the whole');
      assert.equal(status.runners, `${parallelism}/${parallelism}`);
      assert.equal(status.lostRunners, 0);
      assert.equal(condition({ status }, 'RunnersReady').status, 'True');
      const nodes = new Set((await load.runners()).map(({ spec }) => spec.nodeName));
      // Over the nodes, and away from the service: the scheduler weighs the one against the other.
      const [{ spec: beside }] = targets;
      assert.ok(nodes.size > 1 || !nodes.has(beside.nodeName), `all are on ${[...nodes]}`);
      const jobs = await list('Job', space.name);
      assert.equal(jobs.length, 1);
    });
  }
});

// Every runner's pod is gone.
function noRunners(space) {
  const gone = async () =>
    (await list('Pod', space.name, 'labelSelector=sonde.dev/load-test')).length === 0;
  return until(gone, goneSeconds, 'no runner is left');
}

describe('it ends before its time', { concurrency: 1 }, () => {
  test('by a threshold that breaks in the middle, for all runners', async (t) => {
    const threshold = 'http_req_duration: p(90)<150';
    const attempt = async () => {
      const made = await underLoad(t, {
        ...{ parallelism: 3, arrival: { rate: 60, durationSeconds: 60 }, delayAbortSeconds: 0 },
        ...{ warmUpSeconds: 3, activeDeadlineSeconds: 240, connections: 60 },
        ...{ thresholds: [threshold], abortOnFail: [threshold] },
      });
      await made.load.hasten();
      await reached(made.targets, 480);
      await pods.answer(made.targets[0], 8080, '/slow?ms=400');
      const ended = await made.load.ended();
      const count = await loaded(made.targets);
      const result = await resultOf(await Person.administrator(t, made.space), made.load.name);
      const { urls } = await pods.answer(made.targets[0]);
      const broke = overAt(result, 0.1, 150_000);
      assert.ok(broke, 'no second broke the threshold');
      const late = (urls['/load'].last - broke) / 1000;
      t.diagnostic(`the last request came ${late.toFixed(2)} s after the second that broke it`);
      t.diagnostic(`(${stopSeconds} s are promised, on a machine of one's own)`);
      assert.ok(late <= stopSecondsMost, `${late} s`);
      assert.equal(ended.status.requests, count - 180, 'what was sent in the warm-up');
      assert.equal(condition(ended, 'ThresholdsMet').status, 'False');
      assert.equal(ended.status.thresholdsHeld, '0/1');
      return ended;
    };
    const ended = await believed(t, attempt);
    assert.equal(condition(ended, 'Succeeded').reason, 'ThresholdBroken');
    assert.ok(condition(ended, 'Succeeded').message.includes('p(90)'));
  });

  test('by cancel', async (t) => {
    const { targets, load } = await underLoad(t, {
      arrival: { rate: 20, durationSeconds: 120 },
    });
    await load.runs();
    await reached(targets, 20);
    await load.change({ cancel: true });
    await load.fails('Cancelled', figuresSeconds);
    const count = await loaded(targets);
    assert.ok(count < 1200, `${count}`);
  });

  test('when its time is over, and is deleted a while later', async (t) => {
    const { space, targets, load } = await underLoad(
      t,
      { ...closed(100_000), activeDeadlineSeconds: 20, ttlSecondsAfterFinished: 5 },
      { env: { SLOW_MS: 100 } },
    );
    const { status } = await load.fails('DeadlineExceeded');
    const [began, over] = [status.startTime, status.completionTime].map(Date.parse);
    assert.ok(over - began >= 19_000 && over - began < 40_000, `${over - began} ms`);
    const { urls } = await pods.answer(targets[0]);
    assert.ok(urls['/load'].last <= over + 1000, 'the load went on');
    await load.watch((found) => !found, goneSeconds, 'is gone');
    assert.ok(Date.now() >= over + 5000);
    await noRunners(space);
    assert.deepEqual(await list('Job', space.name), []);
  });

  test('before it begins, while it is paused', async (t) => {
    const { targets, load } = await underLoad(t, {
      ...{ paused: true, arrival: { rate: 20, durationSeconds: 5 } },
    });
    const paused = (found) => condition(found, 'Accepted')?.reason === 'Paused';
    await load.watch(paused, figuresSeconds, 'is paused');
    assert.equal(await loaded(targets), 0);
    await load.change({ paused: false });
    assert.equal((await load.ended()).status.requests, 100);
    assert.equal(await loaded(targets), 100);
  });

  test('when it is deleted: Job, pods and load go with it', async (t) => {
    const { space, targets, load } = await underLoad(
      t,
      { ...closed(100_000), parallelism: 2, activeDeadlineSeconds: 600 },
      { env: { SLOW_MS: 100 } },
    );
    await load.runs();
    await reached(targets, 50);
    await remove('LoadTest', space.name, load.name);
    await load.watch((found) => !found, goneSeconds, 'is gone');
    await noRunners(space);
    assert.deepEqual(await list('Job', space.name), []);
    const count = await loaded(targets);
    const { urls } = await pods.answer(targets[0]);
    await until(() => Date.now() > urls['/load'].last + 2000, figuresSeconds, 'two seconds more');
    assert.equal(await loaded(targets), count, 'the load went on');
  });
});

test('kubectl get tells the story', async (t) => {
  const { space, load } = await underLoad(t, { arrival: { rate: 20, durationSeconds: 3 } });
  await load.ended();
  const { stdout } = await kubectl(['-n', space.name, 'get', 'loadtest/peak']);
  const [head, line] = stdout.trim().split('\n');
  assert.match(head, /^NAME +RUNNERS +RPS +P99 +ERRORS +THRESHOLDS +SUCCEEDED +REASON +AGE/);
  assert.match(line, /^peak +1\/1 +\d+\.\d +[\d.]+(us|ms) +0% /);
});

describe('runners that cannot do their work', { concurrency: 1 }, () => {
  const impatient = { startTimeoutSeconds: 10 };

  // Ends without a request; gives what is said of it.
  async function refused(t, reason, spec, { quota } = {}) {
    const space = await Space.make(t);
    const targets = await target(space);
    if (quota) {
      await space.create('v1', 'ResourceQuota', 'few', { spec: { hard: quota } });
      const known = (found) => found?.status?.used;
      await until(async () => known(await get('ResourceQuota', space.name, 'few')), 30, 'a quota');
    }
    const load = await Load.apply(space, { runner: impatient, ...spec });
    const ended = await load.fails(reason);
    assert.equal(await loaded(targets), 0);
    await noRunners(space);
    return condition(ended, 'Succeeded').message;
  }

  test('are throttled by their CPU limit', async (t) => {
    const { load } = await underLoad(t, {
      ...{ arrival: { rate: 3000, durationSeconds: 10 }, connections: 64 },
      runner: { resources: { limits: { cpu: '50m' } } },
    });
    const { status } = await load.fails('Invalid');
    assert.equal(status.validity, 'Invalid');
    // It is what was late, too; what is told is the cause.
    assert.match(condition({ status }, 'Succeeded').message, /throttled for [\d.]+ % of the time/);
  });

  test('are not placed', async (t) => {
    const resources = { requests: { cpu: '500' } };
    const said = await refused(t, 'RunnerUnschedulable', { runner: { ...impatient, resources } });
    assert.match(said, /Insufficient cpu/);
  });

  test('lack a Secret', async (t) => {
    const secretKeyRef = { name: 'not-there', key: 'authorization' };
    const headersFrom = [{ name: 'Authorization', secretKeyRef }];
    const requests = [{ name: 'one', path: '/load' }];
    // (At first a kubelet may only say that it waits for it.)
    const runner = { startTimeoutSeconds: 30 };
    const scenario = { headersFrom, requests };
    const said = await refused(t, 'RunnersNotReady', { runner, scenario });
    assert.match(said, /not-there/);
  });

  test('lack a ConfigMap', async (t) => {
    const data = { id: { configMapRef: { name: 'not-there', key: 'ids.csv' } } };
    const requests = [{ name: 'one', path: '/load?id={{id}}' }];
    const said = await refused(t, 'RunnersNotReady', { scenario: { data, requests } });
    assert.match(said, /not-there/);
  });

  test('lack their image', async (t) => {
    const image = await system.withoutImage(t, '2');
    const nodeSelector = { 'kubernetes.io/hostname': 'node2' };
    const said = await refused(t, 'RunnersNotReady', { runner: { ...impatient, nodeSelector } });
    assert.ok(said.includes(image), said);
  });

  test('are refused by a quota', async (t) => {
    const said = await refused(t, 'RunnersNotReady', {}, { quota: { pods: '1' } });
    assert.match(said, /quota/);
  });

  test('run out of memory', async (t) => {
    const { load } = await underLoad(t, {
      ...{ connections: 2000, maxConnections: 4000, arrival: { rate: 500, durationSeconds: 20 } },
      runner: { resources: { limits: { memory: '5Mi' } } },
    });
    const { status } = await load.fails('RunnerOutOfMemory');
    assert.match(condition({ status }, 'Succeeded').message, /5Mi/);
  });
});
