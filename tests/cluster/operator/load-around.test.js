// SPDX-License-Identifier: Apache-2.0
'use strict';

// What becomes of a load test when the store, the controllers or a node end.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { get, list } = require('./support/api.js');
const { cluster } = require('./support/cluster.js');
const {
  believed,
  closed,
  completed,
  gentle,
  gentleSent,
  gentleTotal,
  kill,
  loaded,
  reached,
  started,
  underLoad,
} = require('./support/load.js');
const { condition } = require('./support/run.js');
const system = require('./support/system.js');
const { until } = require('./support/wait.js');

const readySeconds = 90;
// A node is given up after 20 s without a word from it; then its pods are given 10 s, another 10 s
// to end, and 5 s more until they are taken for gone.
const lostSeconds = 45;
const lostSecondsMost = 75;

const moments = {
  'while runners start': (load) => started(load),
  'in the middle': async (load, targets) => {
    await load.hasten();
    await reached(targets, gentleSent / 2);
  },
  'near the end': async (load, targets) => {
    await load.hasten();
    await reached(targets, gentleSent - 60);
  },
};

const victims = {
  'the store': async () => (await system.podsOf('sonde-store'))[0],
  'the controller': () => system.leader(),
};

before(() => system.recovered());
after(() => system.recovered());

for (const [name, victim] of Object.entries(victims)) {
  describe(`${name} is killed`, { concurrency: 1 }, () => {
    for (const [moment, waiting] of Object.entries(moments)) {
      test(`${moment}: nothing is lost, and the verdict is right`, async (t) => {
        const attempt = async () => {
          await system.recovered();
          const { space, targets, load } = await underLoad(t, { ...gentle, parallelism: 2 });
          await waiting(load, targets);
          system.kill(await victim());
          await load.hasten();
          const ended = await load.ended();
          assert.equal(await loaded(targets), gentleSent);
          assert.equal(ended.status.requests, gentleTotal, JSON.stringify(ended.status));
          assert.equal((await list('Job', space.name)).length, 1);
          return ended;
        };
        const ended = completed(await believed(t, attempt));
        assert.equal(ended.status.lostRunners, 0);
      });
    }
  });
}

// The kubelet is frozen and the runner is killed: the cluster knows as much as of a node that has
// lost its power, and the node can be had back.
test('the node of a runner is lost', async (t) => {
  await system.recovered();
  const [store] = await system.podsOf('sonde-store');
  const home = store.spec.nodeName;
  const away = home === 'node1' ? 'node2' : 'node1';
  const only = (node) => ({ nodeSelector: { 'kubernetes.io/hostname': node } });
  const { targets, load } = await underLoad(
    t,
    { ...closed(100_000), runner: only(away), activeDeadlineSeconds: 600 },
    { env: { SLOW_MS: 100 }, more: only(home) },
  );
  await load.runs();
  await reached(targets, 50);
  const [runner] = await load.runners();
  assert.equal(runner.spec.nodeName, away);
  const ready = async () => {
    const { status } = await get('Node', undefined, away);
    return status.conditions.find(({ type }) => type === 'Ready').status === 'True';
  };
  const began = Date.now();
  await cluster('disturb', 'signal', `${away}-kubelet`, 'STOP');
  try {
    kill(runner);
    const { message } = condition(await load.fails('RunnerLost', 2 * readySeconds), 'Succeeded');
    const seconds = (Date.now() - began) / 1000;
    t.diagnostic(`told after ${seconds.toFixed(1)} s (${lostSeconds} s are promised): ${message}`);
    assert.ok(seconds <= lostSecondsMost, `${seconds} s`);
    assert.match(message, new RegExp(`^runner-0: pod .* on ${away}: `));
  } finally {
    await cluster('disturb', 'signal', `${away}-kubelet`, 'CONT');
  }
  await until(ready, readySeconds, `${away} is ready again`);
});
