// SPDX-License-Identifier: Apache-2.0
'use strict';

// Load tests with real runners: what they send is what arrives, and what becomes of a test when
// something of it is lost.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { get, list, patch } = require('./support/api.js');
const { kubectl } = require('./support/cluster.js');
const { Load, kill, loaded, target } = require('./support/load.js');
const pods = require('./support/pods.js');
const { condition } = require('./support/run.js');
const { Space } = require('./support/space.js');
const system = require('./support/system.js');
const { until } = require('./support/wait.js');

const figuresSeconds = 60;
const goneSeconds = 60;

async function underLoad(t, spec, more) {
  const space = await Space.make(t);
  const targets = await target(space, more);
  const load = await Load.apply(space, spec);
  return { space, targets, load };
}

// Until the target has had so many requests.
const reached = (targets, count) =>
  until(async () => (await loaded(targets)) >= count, figuresSeconds, `${count} requests`);

before(() => system.recovered());
after(() => system.leader());

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
      assert.equal(status.runners, `${parallelism}/${parallelism}`);
      assert.equal(status.lostRunners, 0);
      assert.equal(condition({ status }, 'RunnersReady').status, 'True');
      const nodes = new Set((await load.runners()).map(({ spec }) => spec.nodeName));
      assert.equal(nodes.size, parallelism > 1 ? 2 : 1);
      const jobs = await list('Job', space.name);
      assert.equal(jobs.length, 1);
    });
  }
});

describe('it ends before its time', { concurrency: 1 }, () => {
  test('by a threshold that breaks in the middle, for all runners', async (t) => {
    const { targets, load } = await underLoad(t, {
      ...{ parallelism: 3, arrival: { rate: 60, durationSeconds: 60 }, delayAbortSeconds: 0 },
      thresholds: ['http_req_duration: p(90)<150'],
      abortOnFail: ['http_req_duration: p(90)<150'],
    });
    await load.runs();
    await reached(targets, 300);
    await pods.answer(targets[0], 8080, '/slow?ms=400');
    // (On a machine that is too busy to measure, it says that instead, and stops all the same.)
    const ended = await load.fails(['ThresholdBroken', 'Invalid']);
    const count = await loaded(targets);
    assert.ok(count < 2400, `${count} requests of 3600 were sent`);
    assert.equal(ended.status.requests, count);
    assert.equal(condition(ended, 'ThresholdsMet').status, 'False');
    assert.equal(ended.status.thresholdsHeld, '0/1');
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
});

// When a runner is killed: given the test and its pods under load, until then.
const moments = {
  'before the start': async (load) => {
    const started = async () => (await load.runners())[0]?.status.containerStatuses?.[0].started;
    await until(started, figuresSeconds, 'the first runner has started');
  },
  'in the middle': async (load, targets) => {
    await load.runs();
    await reached(targets, 100);
  },
  'near the end': async (load, targets) => {
    await load.runs();
    await reached(targets, 680);
  },
};

describe('a runner is killed', { concurrency: 1 }, () => {
  const total = 800;

  async function killed(t, onRunnerLoss, moment) {
    const { targets, load } = await underLoad(t, {
      ...{ parallelism: 2, onRunnerLoss, arrival: { rate: 40, durationSeconds: total / 40 } },
      activeDeadlineSeconds: 240,
    });
    await moment(load, targets);
    const [first] = await load.runners();
    kill(first);
    const test = await load.ended();
    const count = await loaded(targets);
    t.diagnostic(`${count} arrived; ${JSON.stringify(test.status)}`);
    // What the lost one sent in its last second is not known; nothing is told that did not happen.
    const { requests = 0 } = test.status;
    assert.ok(requests <= count && requests > count - 60, `${requests} of ${count}`);
    return { load, first, count, test, word: condition(test, 'Succeeded') };
  }

  for (const [moment, waiting] of Object.entries(moments)) {
    test(`${moment}, and the test fails`, async (t) => {
      const { count, word } = await killed(t, 'Fail', waiting);
      assert.equal(word.reason, 'RunnerLost');
      assert.match(word.message, /137/);
      assert.ok(count < total);
    });

    test(`${moment}, and the other goes on`, async (t) => {
      const { count, test: ended, word } = await killed(t, 'Continue', waiting);
      assert.equal(ended.status.lostRunners, 1);
      assert.ok(['Completed', 'Invalid'].includes(word.reason), word.reason);
      assert.ok(count >= total / 2 && count < total, `${count}`);
    });

    test(`${moment}, and another takes its place`, async (t) => {
      const { load, first, word } = await killed(t, 'Replace', waiting);
      assert.ok(['Completed', 'Invalid', 'RunnerLost'].includes(word.reason), word.reason);
      const [now] = await load.runners();
      const late = word.reason === 'RunnerLost' || moment === 'near the end';
      assert.ok(late || !now || now.metadata.uid !== first.metadata.uid, 'nobody took its place');
    });
  }
});

describe('what is around it breaks', { concurrency: 1 }, () => {
  test('the store starts anew in the middle', async (t) => {
    const { targets, load } = await underLoad(t, {
      ...{ parallelism: 2, arrival: { rate: 40, durationSeconds: 40 } },
      activeDeadlineSeconds: 300,
    });
    await load.runs();
    await reached(targets, 200);
    const [store] = await system.podsOf('sonde-store');
    system.kill(store);
    const { status } = await load.ended();
    const count = await loaded(targets);
    assert.equal(status.requests, count, JSON.stringify(status));
    assert.equal(count, 1600);
    await system.recovered();
  });

  test('the controller is killed in the middle', async (t) => {
    const { space, targets, load } = await underLoad(t, {
      ...{ parallelism: 2, arrival: { rate: 40, durationSeconds: 40 } },
      activeDeadlineSeconds: 300,
    });
    await load.runs();
    await reached(targets, 100);
    system.kill(await system.leader());
    const { status } = await load.ended();
    assert.equal(status.requests, await loaded(targets));
    assert.equal((await list('Job', space.name)).length, 1);
    await system.recovered();
  });

  test('the target is scaled up', async (t) => {
    const { space, targets, load } = await underLoad(t, {
      arrival: { rate: 40, durationSeconds: 40 },
    });
    await load.runs();
    await reached(targets, 100);
    await patch('Deployment', space.name, 'web', { spec: { replicas: 2 } });
    assert.match((await load.event('TargetChanged')).note, /2 are ready now/);
    const { status } = await load.ended();
    const all = await space.pods('Deployment', 'web', 2);
    assert.equal(status.requests, await loaded(all));
  });
});

test('the target is rolled out in the middle', async (t) => {
  const { space, targets, load } = await underLoad(
    t,
    { arrival: { rate: 40, durationSeconds: 40 } },
    { replicas: 2 },
  );
  await load.runs();
  await reached(targets, 100);
  const annotations = { 'tests.sonde.dev/rolled': 'out' };
  const spec = { template: { metadata: { annotations } } };
  await patch('Deployment', space.name, 'web', { spec });
  await load.event('TargetChanged');
  const { status } = await load.ended();
  // The new pods have had the rest: connections that broke were opened again.
  const all = await space.pods('Deployment', 'web', 2);
  const live = all.filter(({ metadata }) => !metadata.deletionTimestamp);
  assert.ok((await loaded(live)) > 300, JSON.stringify(status));
  assert.ok(status.requests > 1500, JSON.stringify(status));
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
  test('are throttled by their CPU limit', async (t) => {
    const { load } = await underLoad(t, {
      ...{ arrival: { rate: 3000, durationSeconds: 10 }, connections: 64 },
      runner: { resources: { limits: { cpu: '50m' } } },
    });
    const { status } = await load.fails('Invalid');
    assert.equal(status.validity, 'Invalid');
  });

  test('are not placed', async (t) => {
    const { space, targets, load } = await underLoad(t, {
      runner: { startTimeoutSeconds: 10, resources: { requests: { cpu: '500' } } },
    });
    const { status } = await load.fails('RunnerUnschedulable');
    assert.match(condition({ status }, 'Succeeded').message, /Insufficient cpu/);
    assert.equal(await loaded(targets), 0);
    const gone = async () =>
      (await list('Pod', space.name, 'labelSelector=sonde.dev/load-test')).length === 0;
    await until(gone, goneSeconds, 'no runner is left');
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

test('pods are loaded by their own addresses, and profiled meanwhile', async (t) => {
  const { space, targets, load } = await underLoad(
    t,
    {
      target: { service: { name: 'web', endpoints: 'Pods' } },
      arrival: { rate: 40, durationSeconds: 30 },
      profile: {
        delaySeconds: 3,
        captures: [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 2 }],
      },
    },
    { replicas: 2 },
  );
  const { status } = await load.ended();
  const [one, two] = await Promise.all(targets.map((pod) => loaded([pod])));
  assert.equal(status.requests, one + two);
  assert.ok(one > 300 && two > 300, `${one} ${two}`);
  const profile = await get('ProfileRun', space.name, status.profileRunRefs[0]);
  assert.equal(condition(profile, 'Succeeded').status, 'True', JSON.stringify(profile.status));
  assert.equal(profile.metadata.ownerReferences[0].uid, load.uid);
});
