// SPDX-License-Identifier: Apache-2.0
'use strict';

// What breaks around runs. One test after the other, since each breaks something for all; the
// last one costs the cluster a node.

const assert = require('node:assert/strict');
const { createHash, randomInt } = require('node:crypto');
const { after, before, test } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const { get, patch, remove } = require('./support/api.js');
const { cluster } = require('./support/cluster.js');
const { Person, rights } = require('./support/people.js');
const pods = require('./support/pods.js');
const { Run, attachedOnce, condition, cpu } = require('./support/run.js');
const { Space } = require('./support/space.js');
const { artifactPath, askStore } = require('./support/store.js');
const system = require('./support/system.js');
const { until } = require('./support/wait.js');

const closedSeconds = 60;
const failoverSeconds = 60;
// The lead is lost after 10 s without the API server, and a Lease lasts 15 s.
const frozenSeconds = 25;
const lostSeconds = 150;
const crowdSeconds = 240;

// A generator of numbers from 0 to 1, to be repeated by its seed (mulberry32).
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function onePod(t, more) {
  const space = await Space.make(t);
  const pod = await space.pod('target', undefined, more);
  return { space, pod };
}

// What the status lists can be had from the store, byte by byte.
async function artifactsAreThere(t, space, { status }) {
  const { token } = await Person.make(t, space, 'loader', rights.artifacts);
  for (const { id, bytes, sha256 } of status.artifacts ?? []) {
    const { status: code, text } = await askStore('GET', artifactPath(space, id), { token });
    assert.equal(code, 200, text);
    assert.equal(Buffer.byteLength(text), bytes);
    assert.equal(createHash('sha256').update(text).digest('hex'), sha256);
  }
}

before(() => system.recovered());
after(() => system.leader());

test('fifty runs at once', async (t) => {
  const space = await Space.make(t);
  const all = await space.deployment('web', 10, [pods.container({ env: { BUSY_PERCENT: 1 } })]);
  const runs = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      Run.apply(space, { pod: all[index % 10], name: `profile-${index}`, captures: [cpu(1)] }),
    ),
  );
  const begin = Date.now();
  const ends = await Promise.allSettled(runs.map((run) => run.succeeds(crowdSeconds)));
  assert.deepEqual(
    ends.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.message),
    [],
  );
  t.diagnostic(`all have ended after ${Date.now() - begin} ms`);
  await attachedOnce(
    space,
    runs.map((run, index) => [run, [all[index % 10]]]),
  );
  for (const pod of all) {
    await runs[0].leftNothing(pod);
  }
});

test('the store is down before the start: the target is not touched', async (t) => {
  const { pod, space } = await onePod(t);
  t.after(() => system.scaleStore(1));
  await system.scaleStore(0);
  const run = await Run.apply(space, { pod });
  await run.fails('StoreUnreachable');
  await run.neverTouched(pod);
  await run.leftNothing(pod);
});

test('the store goes down in the middle: the inspector is closed, the run ends', async (t) => {
  const { pod, space } = await onePod(t);
  t.after(() => system.scaleStore(1));
  const run = await Run.apply(space, { pod, captures: [cpu(120)] });
  await run.captures(pod);
  await system.scaleStore(0);
  await pods.inspectorCloses(pod, closedSeconds);
  await system.scaleStore(1);
  await run.fails(['StoreUnreachable', 'StoreFailed', 'UploadRejected']);
  await run.leftNothing(pod);
  await run.attachedOnce(pod);
});

test('the store is killed in the middle, and comes back', async (t) => {
  const { pod, space } = await onePod(t);
  t.after(() => system.recovered());
  const run = await Run.apply(space, { pod, captures: [{ ...cpu(8), windowSeconds: 1 }] });
  await run.captures(pod);
  const [store] = await system.podsOf('sonde-store');
  system.kill(store);
  const ended = await run.ended();
  t.diagnostic(JSON.stringify(condition(ended, 'Succeeded')));
  await artifactsAreThere(t, space, ended);
  await run.leftNothing(pod);
  await run.attachedOnce(pod);
});

test("the sidecar's image is missing on the node: a failure, not a hang", async (t) => {
  const { pod, space } = await onePod(t, { nodeName: 'node2' });
  const image = await system.withoutImage(t, '2');
  const run = await Run.apply(space, { pod });
  const ended = await run.ended();
  assert.equal(condition(ended, 'Succeeded').reason, 'SidecarNotStarted');
  assert.ok(condition(ended, 'Succeeded').message.includes(image), JSON.stringify(ended.status));
  await run.neverTouched(pod);
  await run.attachedOnce(pod);
});

test('a kubelet that tells no users: the sidecar looks first, and then captures', async (t) => {
  // As kubelets do that are older than Kubernetes 1.31.
  const tellsUsers = (value) =>
    cluster('disturb', 'kubelet', '2', 'SupplementalGroupsPolicy', String(value));
  t.after(() => tellsUsers(true));
  await tellsUsers(false);
  const { pod, space } = await onePod(t, { nodeName: 'node2' });
  assert.equal(pod.status.containerStatuses[0].user, undefined);
  assert.equal(pod.spec.containers[0].securityContext.runAsUser, undefined);
  const run = await Run.apply(space, { pod });
  const ended = await run.succeeds();
  assert.equal(ended.status.targets[0].pid, 1);
  const { spec } = await pods.again(pod);
  const users = Object.fromEntries(
    spec.ephemeralContainers.map(({ name, securityContext }) => [name, securityContext.runAsUser]),
  );
  const nobody = 65532;
  assert.deepEqual(users, { [`${run.container}-look`]: nobody, [run.container]: 1000 });
  await run.attachedOnce(pod);
  await run.leftNothing(pod);
});

test('the leader is killed: another leads, and the run ends', async (t) => {
  const { pod, space } = await onePod(t);
  t.after(() => system.recovered());
  const leader = await system.leader();
  const held = await system.holder();
  const run = await Run.apply(space, { pod, captures: [cpu(3)] });
  await run.captures(pod);
  system.kill(leader);
  await run.succeeds(failoverSeconds * 2);
  assert.notEqual(await system.holder(), held);
  await run.attachedOnce(pod);
  await run.leftNothing(pod);
});

// Rounds, and runs of each: in every round the leader is killed once, each of the runs is at
// another point then.
const rounds = 4;
const together = 3;
const seed = Number(process.env.SONDE_SEED ?? randomInt(2 ** 31));

test('the controller is killed at twelve random points of a run', async (t) => {
  t.diagnostic(`SONDE_SEED=${seed}`);
  t.after(() => system.recovered());
  const draw = random(seed);
  const space = await Space.make(t);
  const all = await space.deployment('web', together);
  for (let round = 0; round < rounds; round++) {
    // How old the runs are then: most are in their first second, when most happens; of the first
    // ones each round has a part of the time after that, up to the end.
    const ages = all.map((_, index) =>
      Math.round(index === 0 ? 1000 + (round + draw()) * 650 : draw() * 1000),
    );
    const oldest = Math.max(...ages);
    const leader = await system.leader();
    const began = Date.now();
    const runs = await Promise.all(
      all.map(async (pod, index) => {
        await delay(oldest - ages[index]);
        return Run.apply(space, { pod, name: `profile-${round}-${index}` });
      }),
    );
    await delay(Math.max(0, began + oldest - Date.now()));
    system.kill(leader);
    t.diagnostic(`round ${round}: killed when the runs were ${ages.join(', ')} ms old`);
    const ended = await Promise.all(runs.map((run) => run.succeeds(failoverSeconds * 2)));
    await system.recovered();
    for (const [index, run] of runs.entries()) {
      const now = await run.get();
      assert.equal(now.status.completionTime, ended[index].status.completionTime);
      await run.leftNothing(all[index]);
    }
    await attachedOnce(
      space,
      runs.map((run, index) => [run, [all[index]]]),
    );
  }
});

test('the API server restarts in the middle', async (t) => {
  const { pod, space } = await onePod(t);
  const run = await Run.apply(space, { pod, captures: [cpu(10)] });
  await run.captures(pod);
  await cluster('disturb', 'restart', 'apiserver');
  await run.succeeds();
  await run.attachedOnce(pod);
  await run.leftNothing(pod);
  const next = await Run.apply(space, { pod, name: 'next' });
  await next.succeeds();
});

test('the API server is frozen until the capture is over', async (t) => {
  const { pod, space } = await onePod(t);
  t.after(() => system.recovered());
  const run = await Run.apply(space, { pod, captures: [cpu(6)] });
  await run.captures(pod);
  await cluster('disturb', 'signal', 'apiserver', 'STOP');
  try {
    await pods.inspectorCloses(pod, closedSeconds);
  } finally {
    await cluster('disturb', 'signal', 'apiserver', 'CONT');
  }
  await run.succeeds();
  await run.attachedOnce(pod);
  await run.leftNothing(pod);
});

test('the API server is frozen for longer than a leader may go without it', async (t) => {
  const { pod, space } = await onePod(t);
  t.after(() => system.recovered());
  await system.leader();
  const run = await Run.apply(space, { pod, captures: [cpu(6)] });
  await run.captures(pod);
  const began = Date.now();
  await cluster('disturb', 'signal', 'apiserver', 'STOP');
  try {
    await pods.inspectorCloses(pod, closedSeconds);
    await until(() => Date.now() - began > frozenSeconds * 1000, frozenSeconds + 5, 'its time');
  } finally {
    await cluster('disturb', 'signal', 'apiserver', 'CONT');
  }
  await run.succeeds(failoverSeconds * 2);
  await run.attachedOnce(pod);
  await run.leftNothing(pod);
});

test('a node dies in the middle: its run ends, and others go on', async (t) => {
  const { pod, space } = await onePod(t, { nodeName: 'node2' });
  const other = await space.pod('other', undefined, { nodeName: 'node1' });
  // Our own programs are to be where they survive, but for one of the controllers at most.
  await patch('Node', undefined, 'node2', { spec: { unschedulable: true } });
  await moveAway('sonde-store', 0);
  await moveAway('sonde-controller', 1);
  await system.recovered();
  const run = await Run.apply(space, { pod, captures: [cpu(300)] });
  await run.captures(pod);
  await cluster('disturb', 'lose-node', '2');
  const ready = async () => {
    const { status } = await get('Node', undefined, 'node2');
    return status.conditions.find(({ type }) => type === 'Ready').status !== 'True';
  };
  await until(ready, failoverSeconds, 'the cluster knows that the node is lost');
  const ended = await run.ended(lostSeconds);
  t.diagnostic(JSON.stringify(condition(ended, 'Succeeded')));
  assert.equal(condition(ended, 'Succeeded').status, 'False');
  const known = ['SidecarLost', 'TargetExited'];
  assert.ok(known.includes(condition(ended, 'Succeeded').reason), JSON.stringify(ended.status));
  await run.attachedOnce(pod);
  const next = await Run.apply(space, { pod: other, name: 'next' });
  await next.succeeds(failoverSeconds * 2);
});

// Leaves at most so many pods of a Deployment on the second node.
async function moveAway(name, most) {
  const there = (await system.podsOf(name)).filter(({ spec }) => spec.nodeName === 'node2');
  for (const { metadata } of there.slice(most)) {
    await remove('Pod', metadata.namespace, metadata.name);
  }
}
