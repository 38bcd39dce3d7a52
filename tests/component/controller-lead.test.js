// SPDX-License-Identifier: Apache-2.0
'use strict';

// One controller goes on with what another one began, and leaves alone what is not its own.

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const { test } = require('node:test');
const { conditionWords, now, open, until } = require('./support/cluster.js');

async function kill(controller) {
  controller.child.kill('SIGKILL');
  await controller.done;
}

// A run whose controller is killed once it is attached; with beats, its sidecar is returned.
async function abandon(clinic, { beats = false } = {}) {
  clinic.cluster.run('slow');
  const controller = clinic.controller();
  await clinic.cluster.attached('pod-a');
  const sidecar = beats ? clinic.sidecar('pod-a') : null;
  await sidecar?.beat();
  await kill(controller);
  return sidecar;
}

test('after SIGKILL another one goes on, and attaches nothing twice', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  await abandon(clinic);
  clinic.controller();
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
  assert.equal(cluster.patches().length, 1);
});

test('a leader whose watch is behind overwrites no choice', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  cluster.pod('pod-b');
  cluster.run('slow', { target: { selector: { matchLabels: { app: 'web' } } } });
  const before = structuredClone(cluster.get('profileruns', 'slow'));
  const first = clinic.controller();
  const pods = ['pod-a', 'pod-b'];
  const attached = () => pods.find((pod) => cluster.entries(pod).length);
  const pod = await until(attached, 10000, 'the sidecar');
  await until(() => cluster.get('profileruns', 'slow').status?.targets, 10000, 'the choice');
  await kill(first);
  cluster.tell(pod, cluster.entries(pod)[0].name, { running: { startedAt: now() } });
  let conflicts = 0;
  const held = [];
  cluster.answer = (request, response) => {
    const { method, kind, query, sub } = request;
    const isOfRuns = kind === 'profileruns';
    if (isOfRuns && method === 'GET' && query.get('watch') && !conflicts) {
      held.push(() => cluster.serve(request, response));
      return true;
    }
    if (isOfRuns && method === 'GET' && !request.name && !conflicts) {
      const metadata = { resourceVersion: before.metadata.resourceVersion };
      cluster.send(response, 200, { kind: 'List', metadata, items: [before] });
      return true;
    }
    conflicts += sub === 'status' && Boolean(request.body.metadata.resourceVersion);
    return false;
  };
  clinic.controller();
  await until(() => conflicts, 10000, 'a status with a precondition');
  for (const serve of held) {
    serve();
  }
  await clinic.sidecar(pod).captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
  assert.equal(cluster.get('profileruns', 'slow').status.targets[0].podName, pod);
  assert.equal(cluster.patches().length, 1);
});

test('a sidecar that no kubelet starts is given up, by whoever leads', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  await abandon(clinic);
  clinic.controller();
  const ended = await cluster.ends('slow', 75000);
  assert.equal(conditionWords(ended), 'False SidecarNotStarted');
  assert.match(ended.message, /60 s/);
});

test('a run that was deleted while no controller ran leaves', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const sidecar = await abandon(clinic, { beats: true });
  cluster.drop('profileruns', 'slow');
  clinic.controller();
  await sidecar.cancelled();
});

test('a run of another controller’s namespace goes on', async (t) => {
  const clinic = await open(t);
  const { cluster, store } = clinic;
  const other = await store.newRun({ kind: 'ProfileRun', metadata: { name: 'slow' }, spec: {} });
  cluster.run('slow');
  clinic.controller(['--no-election', '--namespace', 'clinic']);
  await cluster.attached('pod-a');
  const sidecar = clinic.sidecar('pod-a');
  await sidecar.beat();
  await sidecar.done(); // which the controller knows by the store alone
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
  const { status, text } = await store.beatAs(other, randomUUID().replaceAll('-', ''));
  assert.equal(status, 200);
  assert.equal(JSON.parse(text).cancel, false);
  assert.deepEqual(cluster.asked('GET', '/namespaces/default/'), []);
});

test('a run that a cache which is behind does not have goes on', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const sidecar = await abandon(clinic, { beats: true });
  const held = [];
  let isBehind = true;
  cluster.answer = (request, response) => {
    const { method, kind, name, query } = request;
    const isList = isBehind && method === 'GET' && kind === 'profileruns' && !name;
    if (isList && query.get('watch')) {
      held.push(() => cluster.serve(request, response));
    } else if (isList) {
      cluster.send(response, 200, { kind: 'List', metadata: { resourceVersion: '1' }, items: [] });
    }
    return isList;
  };
  clinic.controller();
  await until(() => cluster.asked('GET', '/profileruns/slow').length, 15000, 'the question');
  isBehind = false;
  for (const serve of held) {
    serve();
  }
  assert.equal((await sidecar.beat()).cancel, false);
  await sidecar.done();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
});

test('of two replicas one leads, and the other one takes over', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const both = [clinic.controller([]), clinic.controller([])];
  const leader = await until(
    () => both.find((one) => one.stderr().includes('"leading"')),
    20000,
    'a leader',
  );
  const other = both.find((one) => one !== leader);
  assert.doesNotMatch(other.stderr(), /"leading"/);
  await kill(leader);
  const begin = Date.now();
  cluster.run('slow');
  await until(() => cluster.entries('pod-a').length, 25000, 'the other one at work');
  assert.ok(Date.now() - begin <= 20000, `${Date.now() - begin} ms`);
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
});

test('a former leader that wakes up touches nothing, and ends', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const both = [clinic.controller([]), clinic.controller([])];
  const leads = (one) => one.stderr().includes('"leading"');
  const leader = await until(() => both.find(leads), 20000, 'a leader');
  const other = both.find((one) => one !== leader);
  let isRefused = false;
  let isPaused = false;
  cluster.answer = ({ method, name, sub }, response) => {
    if (sub === 'ephemeralcontainers' && !isRefused) {
      cluster.status(response, 409, 'Conflict', 'the pod has changed');
      isRefused = true;
      return true;
    }
    // The pod lies in the socket when it wakes up, and the sidecar would be the next step.
    if (method === 'GET' && name === 'pod-a' && isRefused && !isPaused) {
      isPaused = leader.child.kill('SIGSTOP');
    }
    return false;
  };
  cluster.run('slow');
  await until(() => isPaused, 10000, 'the pod to be read again');
  await until(() => leads(other), 30000, 'the other one');
  const { name } = await cluster.attached('pod-a');
  leader.child.kill('SIGCONT');
  assert.equal((await leader.done).code, 1);
  assert.deepEqual(
    cluster.entries('pod-a').map((entry) => entry.name),
    [name],
  );
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
  assert.equal(cluster.entries('pod-a').length, 1);
});
