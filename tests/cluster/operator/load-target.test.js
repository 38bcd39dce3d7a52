// SPDX-License-Identifier: Apache-2.0
'use strict';

// What is loaded: a target that changes in the middle, pods one by one, hosts, and what their
// processes did meanwhile.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { call, get, patch, pathOf } = require('./support/api.js');
const {
  Load,
  believed,
  closed,
  completed,
  gentle,
  gentleSent,
  gentleTotal,
  loaded,
  reached,
  target,
  underLoad,
} = require('./support/load.js');
const { Person } = require('./support/people.js');
const { resultOf } = require('./support/result.js');
const { condition } = require('./support/run.js');
const { Space } = require('./support/space.js');
const system = require('./support/system.js');

before(() => system.recovered());
after(() => system.leader());

describe('the target changes in the middle', { concurrency: 1 }, () => {
  test('it is scaled up', async (t) => {
    const attempt = async () => {
      const { space, targets, load } = await underLoad(t, gentle);
      await load.hasten();
      await reached(targets, gentleSent / 3);
      await patch('Deployment', space.name, 'web', { spec: { replicas: 2 } });
      assert.match((await load.event('TargetChanged')).note, /2 are ready now/);
      const ended = await load.ended();
      const all = await space.pods('Deployment', 'web', 2);
      assert.equal(ended.status.requests, gentleTotal);
      assert.equal(await loaded(all), gentleSent);
      return ended;
    };
    completed(await believed(t, attempt));
  });

  test('it is rolled out', async (t) => {
    const attempt = async () => {
      const { space, targets, load } = await underLoad(t, gentle, { replicas: 2 });
      await load.hasten();
      await reached(targets, gentleSent / 3);
      const annotations = { 'tests.sonde.dev/rolled': 'out' };
      const spec = { template: { metadata: { annotations } } };
      await patch('Deployment', space.name, 'web', { spec });
      await load.event('TargetChanged');
      const ended = await load.ended();
      // The new pods have had the rest: connections that broke were opened again.
      const all = await space.pods('Deployment', 'web', 2);
      const live = all.filter(({ metadata }) => !metadata.deletionTimestamp);
      assert.ok((await loaded(live)) > gentleTotal / 10, JSON.stringify(ended.status));
      assert.ok(ended.status.requests > 0.9 * gentleTotal, JSON.stringify(ended.status));
      return ended;
    };
    completed(await believed(t, attempt));
  });
});

test('pods are loaded by their own addresses, and told apart', async (t) => {
  const amount = 400;
  const { space, targets, load } = await underLoad(
    t,
    { ...closed(amount), target: { service: { name: 'web', endpoints: 'Pods' } } },
    { replicas: 2, env: { SLOW_MS: 50 } },
  );
  const ended = await load.succeeds();
  const result = await resultOf(await Person.administrator(t, space), load.name);
  for (const pod of targets) {
    const { name } = pod.metadata;
    const part = result.parts.find(({ address }) => address === name);
    assert.ok(part, `${name} is not among ${result.parts.map(({ address }) => address)}`);
    const count = await loaded([pod]);
    assert.equal(part.counts.answered, count, name);
    assert.ok(count > amount / 4, `${name} has had ${count}`);
  }
  assert.equal(ended.status.requests, amount);
});

test('it is profiled as soon as the load is steady', async (t) => {
  const { space, load } = await underLoad(
    t,
    {
      ...{ arrival: { rate: 20, durationSeconds: 60 }, connections: 4 },
      profile: { captures: [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 5 }] },
    },
    { env: { BUSY_PERCENT: 30 } },
  );
  const { status } = await load.ended(180);
  const profile = await get('ProfileRun', space.name, status.profileRunRefs[0]);
  assert.equal(condition(profile, 'Succeeded').status, 'True', JSON.stringify(profile.status));
  assert.equal(profile.metadata.ownerReferences[0].uid, load.uid);
  const person = await Person.administrator(t, space);
  const { code, stdout, stderr } = await person.kubectl(['sonde', 'report', load.name]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /cpu meanwhile, .*hotLoop/);
  // It began when the load had run for a while, and in time to see nothing but load.
  const [{ fromNanoseconds }] = (await resultOf(person, load.name)).profiles;
  t.diagnostic(`it began ${fromNanoseconds / 1e9} s after the load`);
  assert.ok(fromNanoseconds >= 10e9 && fromNanoseconds <= 55e9, `${fromNanoseconds}`);
});

describe('hosts', { concurrency: 1 }, () => {
  const urlOf = (url, more) => ({ ...closed(100), name: 'url', target: { url }, ...more });

  test('in the cluster are loaded by a URL', async (t) => {
    const space = await Space.make(t);
    const targets = await target(space);
    const load = await Load.apply(space, urlOf(`http://web.${space.name}.svc`));
    await load.succeeds();
    assert.equal(await loaded(targets), 100);
  });

  test('outside of it are refused when the test is made', async (t) => {
    const space = await Space.make(t);
    const made = Load.apply(space, urlOf('http://example.com'));
    await assert.rejects(made, /does not allow load on.*example\.com.*sonde\.dev\/load-hosts/);
  });

  test('outside of it are refused behind a Service of another name, too', async (t) => {
    const space = await Space.make(t);
    const spec = { type: 'ExternalName', externalName: 'example.com' };
    await space.create('v1', 'Service', 'web', { spec });
    const load = await Load.apply(space, {});
    const { status } = await load.fails('HostNotAllowed');
    assert.match(condition({ status }, 'Succeeded').message, /example\.com/);
  });

  test('outside of it have a ceiling where they are allowed', async (t) => {
    const space = await Space.make(t);
    const annotations = { 'sonde.dev/load-hosts': 'api.example.com' };
    await patch('Namespace', undefined, space.name, { metadata: { annotations } });
    const arrival = { rate: 1001, durationSeconds: 5 };
    const load = await Load.apply(space, urlOf('http://api.example.com', { arrival }));
    const { status } = await load.fails('HostNotAllowed');
    assert.match(condition({ status }, 'Succeeded').message, /1000/);
  });
});

test('runners go where they are sent: nodeSelector, tolerations, priority', async (t) => {
  const key = 'tests.sonde.dev/runners';
  const priority = `tests-sonde-${Date.now()}`;
  const priorities = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', value: 1000 };
  const object = { ...priorities, metadata: { name: priority } };
  await call('POST', pathOf('PriorityClass'), { object });
  t.after(() => call('DELETE', pathOf('PriorityClass', undefined, priority)));
  const { spec: node } = await get('Node', undefined, 'node1');
  const taints = node.taints ?? [];
  const mark = (label, more) =>
    patch('Node', undefined, 'node1', {
      metadata: { labels: { [key]: label } },
      spec: { taints: [...taints, ...more] },
    });
  const space = await Space.make(t);
  const targets = await target(space);
  t.after(() => mark(null, []));
  await mark('here', [{ key, value: 'only', effect: 'NoSchedule' }]);
  const runner = {
    nodeSelector: { [key]: 'here' },
    tolerations: [{ key, operator: 'Equal', value: 'only', effect: 'NoSchedule' }],
    priorityClassName: priority,
  };
  const spec = { ...closed(100), parallelism: 2 };
  const load = await Load.apply(space, { ...spec, runner });
  await load.succeeds();
  for (const pod of await load.runners()) {
    assert.equal(pod.spec.nodeName, 'node1');
    assert.equal(pod.spec.priority, 1000);
  }
  assert.equal(await loaded(targets), 100);
  // Without the toleration nobody takes them.
  const { nodeSelector } = runner;
  const late = { ...spec, name: 'late', runner: { nodeSelector, startTimeoutSeconds: 10 } };
  const { status } = await (await Load.apply(space, late)).fails('RunnerUnschedulable');
  assert.match(condition({ status }, 'Succeeded').message, /taint/);
});

test('the highest rate that a service bears is found', async (t) => {
  // Above 60 a second each answer waits for the one before it, for longer and longer.
  const space = await Space.make(t);
  await target(space, { env: { CAPACITY: 60 } });
  let number = 0;
  const attempt = async () => {
    number++;
    const load = await Load.apply(space, {
      ...{ name: `knee-${number}`, arrival: undefined, connections: 40, warmUpSeconds: 3 },
      search: { startRate: 20, maxRate: 400, trialSeconds: 6, precisionPercent: 25 },
      thresholds: ['http_req_duration: p(90)<300'],
      activeDeadlineSeconds: 400,
    });
    await load.hasten();
    return load.ended(400);
  };
  let ended;
  for (let i = 0; i < 3 && !(ended?.status.highestRate >= 40); i++) {
    ended = await attempt();
    t.diagnostic(JSON.stringify(ended.status));
  }
  // A trial on a machine that is too busy counts as one that breaks, so less may be found.
  assert.ok(ended.status.highestRate >= 40 && ended.status.highestRate <= 75);
  assert.equal(condition(completed(ended), 'Succeeded').status, 'True');
  const report = await (await Person.administrator(t, space)).kubectl([
    ...['sonde', 'report', `knee-${number}`],
  ]);
  const line = `the highest rate that keeps: ${ended.status.highestRate} a second`;
  assert.ok(report.stdout.includes(line), report.stdout);
});
