// SPDX-License-Identifier: Apache-2.0
'use strict';

// sonde-controller and the runners of a LoadTest, when something goes wrong: with itself, the API
// server, the store, or a runner.

const assert = require('node:assert/strict');
const { createHash, randomUUID } = require('node:crypto');
const { test } = require('node:test');
const { conditionWords, until } = require('./support/cluster.js');
const { begin, good, running } = require('./support/load-clinic.js');

async function kill({ child, done }) {
  child.kill('SIGKILL');
  await done;
}

// Requests that are not served until release() is called.
function hold(cluster, isHeld) {
  const held = [];
  cluster.answer = (request, response) => {
    const isOne = isHeld(request);
    if (isOne) {
      held.push(() => cluster.serve(request, response));
    }
    return isOne;
  };
  return {
    count: () => held.length,
    release: () => {
      cluster.answer = () => false;
      for (const serve of held) {
        serve();
      }
    },
  };
}

// Requests that are refused; so many of them, or all.
function refuse(
  cluster,
  isRefused,
  { code = 500, reason = 'InternalError', times = Infinity } = {},
) {
  let count = 0;
  cluster.answer = (request, response) => {
    const isOne = count < times && isRefused(request);
    if (isOne) {
      count++;
      cluster.status(response, code, reason, 'the webhook is away');
    }
    return isOne;
  };
  return () => count;
}

const isJob =
  (wanted) =>
  ({ method, kind }) =>
    method === wanted && kind === 'jobs';

test('a test that was registered and has no Job yet is registered again', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  const made = cluster.load('peak', { parallelism: 2 });
  refuse(cluster, isJob('POST'));
  const first = clinic.controller();
  await until(() => cluster.asked('POST', '/jobs').length, 10000, 'a Job that is refused');
  store.tell(made, { phase: 'Waiting' });
  await kill(first);
  store.waiting = undefined;
  const services = hold(cluster, ({ method, kind }) => method === 'GET' && kind === 'services');
  const second = clinic.controller();
  await until(services.count, 10000, 'a look at the Service');
  await until(() => store.waiting?.since > 0, 10000, 'what the store knows');
  services.release();
  const job = await cluster.job('peak');
  assert.equal(store.posted('runs').length, 2);
  const { env } = job.spec.template.spec.containers[0];
  const tokens = env.find(({ name }) => name === 'SONDE_TOKENS').value.split(',');
  const [sha256] = store.posted('runs')[1].targets.map(({ tokenSha256 }) => tokenSha256);
  assert.equal(createHash('sha256').update(tokens[0]).digest('hex'), sha256);
  assert.equal(tokens.length, 2);
  assert.equal(second.child.signalCode, null);
});

// A status that a controller wrote a minute ago, before it was gone.
function left(cluster, accepted) {
  const lastTransitionTime = new Date(Date.now() - 60000).toISOString();
  cluster.change('loadtests', 'peak', (object) => {
    object.status = {
      startTime: lastTransitionTime,
      conditions: [{ type: 'Accepted', message: '', lastTransitionTime, ...accepted }],
    };
  });
}

test('the time in which nobody carried a test on is not that of its runners', async (t) => {
  const clinic = await begin(t);
  const { cluster } = clinic;
  cluster.load('peak', { runner: { startTimeoutSeconds: 10 } });
  left(cluster, { status: 'True', reason: 'Accepted' });
  clinic.controller();
  await cluster.job('peak');
  assert.equal(cluster.loadCondition('peak', 'Accepted').status, 'True');
});

test('a target that cannot be read is said to be so, and read later', async (t) => {
  const clinic = await begin(t);
  const { cluster } = clinic;
  const isRead = ({ method, kind }) => method === 'GET' && kind === 'endpointslices';
  let away = true;
  refuse(cluster, (request) => away && isRead(request), { code: 403 });
  cluster.load('peak');
  clinic.controller();
  const accepted = () => cluster.loadCondition('peak', 'Accepted');
  await until(() => accepted()?.reason === 'TargetNotRead', 10000, 'the word of it');
  assert.match(accepted().message, /its EndpointSlices could not be read: .*the webhook is away/);
  away = false;
  await cluster.job('peak');
});

test('who leads next leaves what is known of the runners until it has looked', async (t) => {
  const clinic = await begin(t);
  const { cluster } = clinic;
  cluster.load('peak');
  const first = clinic.controller();
  const job = await cluster.job('peak');
  const refusal = (message) => ({
    ...{ phase: 'Pending', containerStatuses: [] },
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
  });
  const pod = cluster.runner(job, 0, { status: refusal('no node fits') });
  const says = (words) =>
    until(
      () => words.test(cluster.loadCondition('peak', 'RunnersReady')?.message),
      20000,
      `${words}`,
    );
  await says(/no node fits/);
  await kill(first);
  const written = () => cluster.asked('PATCH', '/loadtests/peak/status');
  const { length } = written();
  clinic.controller();
  cluster.change('pods', pod.metadata.name, (object) => {
    object.status = refusal('still no node');
  });
  await says(/still no node/);
  const reasons = written()
    .slice(length)
    .map(({ body }) => body.status.conditions.find(({ type }) => type === 'RunnersReady').reason);
  assert.deepEqual([...new Set(reasons)], ['RunnerUnschedulable']);
});

test('that runners were made is told once', async (t) => {
  const { clinic, cluster, store, made, process } = await running(t);
  await kill(process);
  store.waiting = undefined;
  const reads = hold(cluster, isJob('GET'));
  clinic.controller();
  await until(reads.count, 10000, 'a look at the Job');
  await until(() => store.waiting?.since > 0, 10000, 'what the store knows');
  reads.release();
  store.tell(made, { phase: 'Over', ready: 1 });
  await cluster.loadEnds('peak');
  await until(() => cluster.eventsOf('Completed')[0], 10000, 'the last Event');
  assert.equal(cluster.eventsOf('RunnersCreated').length, 1);
});

test('a Service is waited for from when it was missed', async (t) => {
  const clinic = await begin(t);
  const { cluster } = clinic;
  cluster.drop('services', 'web');
  cluster.load('peak');
  left(cluster, { status: 'False', reason: 'TooFewReady' });
  clinic.controller();
  const reason = () => cluster.loadCondition('peak', 'Accepted').reason;
  await until(() => reason() === 'TargetNotFound', 10000, 'the wait for the Service');
  cluster.service('web');
  await cluster.job('peak');
});

test('a container that was put beside the runner neither hides it nor keeps its pod', async (t) => {
  const { cluster, store, made, pods } = await running(t, {
    ...{ parallelism: 2, onRunnerLoss: 'Continue' },
  });
  const endBeside = (pod, terminated) =>
    cluster.change('pods', pod.metadata.name, ({ status }) => {
      status.containerStatuses = [
        { name: 'istio-proxy', state: { running: {} } },
        { name: 'runner', state: { terminated } },
      ];
    });
  endBeside(pods[0], { exitCode: 137, reason: 'OOMKilled' });
  assert.equal((await store.wait('runners/0/lost')).reason, 'RunnerOutOfMemory');
  endBeside(pods[1], { exitCode: 0, reason: 'Completed' });
  store.tell(made, { phase: 'Over', ready: 2, lost: 1 });
  await cluster.loadEnds('peak');
  await until(() => cluster.asked('DELETE', '/jobs/').length === 1, 10000, 'the end of the Job');
});

test('what the store has said is not lost with the object that took it', async (t) => {
  const { clinic, cluster, store, made, process } = await running(t);
  await kill(process);
  store.tell(made, { phase: 'Over', ready: 1 });
  store.refuse.conclude = 503;
  clinic.controller();
  await store.wait('/conclude');
  // Whoever writes it before the controller does: it is taken up anew, and the store tells nothing
  // twice.
  cluster.change('loadtests', 'peak', (object) => {
    object.metadata.annotations = { seen: 'yes' };
  });
  const before = store.posted('/conclude').length;
  store.refuse.conclude = undefined;
  assert.equal(conditionWords(await cluster.loadEnds('peak')), 'True Completed');
  assert.ok(store.posted('/conclude').length > before);
});

test('a stranger’s pod with the label of a test is none of its runners', async (t) => {
  const { cluster, store, made, job, pods } = await running(t, { onRunnerLoss: 'Continue' });
  const fake = (metadata) => ({
    ...structuredClone(cluster.get('pods', pods[0].metadata.name)),
    metadata: { ...pods[0].metadata, uid: randomUUID(), ...metadata },
    status: { phase: 'Failed', reason: 'Evicted', message: 'by nobody' },
  });
  const ownerReferences = [{ kind: 'Job', name: 'mine', uid: randomUUID(), controller: true }];
  const creationTimestamp = new Date(Date.now() + 60000).toISOString();
  cluster.put('pods', fake({ name: 'beside', ownerReferences, creationTimestamp }), 'ADDED');
  cluster.put('pods', fake({ name: 'alone', ownerReferences: [], creationTimestamp }), 'ADDED');
  cluster.put('pods', fake({ namespace: 'other', creationTimestamp }), 'ADDED');
  // The watch tells in order: those came before this one, which is lost indeed.
  cluster.endRunner(pods[0], { exitCode: 1, reason: 'Error' });
  const told = await store.wait('runners/0/lost');
  assert.equal(told.pod, pods[0].metadata.name);
  assert.match(told.message, /exit code 1/);
  store.tell(made, { phase: 'Over', ready: 1, lost: 1 });
  await cluster.loadEnds('peak');
  assert.equal(store.posted('runners/0/lost').length, 1);
  assert.equal(job.metadata.name, cluster.get('loadtests', 'peak').status.job);
});

// A pod that the Job's controller puts in the place of one before it, ten seconds or more later.
function replacement(cluster, job, attempt) {
  const pod = cluster.runner(job, 0, { attempt });
  pod.metadata.creationTimestamp = new Date(Date.now() + attempt * 60000).toISOString();
  return cluster.put('pods', pod);
}

test('each pod of a runner that is lost is told, in their order', async (t) => {
  const { cluster, store, job, pods } = await running(t, { onRunnerLoss: 'Replace' });
  store.refuse.lost = 503;
  cluster.endRunner(pods[0], { exitCode: 1, reason: 'Error', message: 'the first' });
  await store.wait('runners/0/lost');
  const second = replacement(cluster, job, 1);
  cluster.endRunner(second, { exitCode: 1, reason: 'Error', message: 'the second' });
  const third = replacement(cluster, job, 2);
  const before = store.posted('runners/0/lost').length;
  await store.wait('runners/0/lost', before + 1);
  store.refuse.lost = undefined;
  const names = () => [...new Set(store.posted('runners/0/lost').map(({ pod }) => pod))];
  await until(() => names().length === 2, 10000, 'the second loss');
  cluster.endRunner(third, { exitCode: 1, reason: 'Error', message: 'the third' });
  await until(() => names().length === 3, 10000, 'the third loss');
  assert.deepEqual(
    names(),
    [pods[0], second, third].map(({ metadata }) => metadata.name),
  );
});

test('who begins in mid-test tells what was lost while nobody looked', async (t) => {
  const { clinic, cluster, store, made, job, pods, process } = await running(t, {
    ...{ onRunnerLoss: 'Replace' },
  });
  await kill(process);
  cluster.endRunner(pods[0], { exitCode: 1, reason: 'Error' });
  const second = replacement(cluster, job, 1);
  cluster.endRunner(second, { exitCode: 1, reason: 'Error' });
  replacement(cluster, job, 2);
  clinic.controller();
  await store.wait('runners/0/lost', 2);
  store.tell(made, { phase: 'Over', ready: 1, lost: 2 });
  await cluster.loadEnds('peak');
  assert.deepEqual(
    store.posted('runners/0/lost').map(({ pod }) => pod),
    [pods[0], second].map(({ metadata }) => metadata.name),
  );
});

test('a loss is told again until the store has heard of it', async (t) => {
  const { cluster, store, made, pods } = await running(t, { onRunnerLoss: 'Continue' });
  store.refuse.lost = 403;
  cluster.endRunner(pods[0], { exitCode: 1, reason: 'Error' });
  await store.wait('runners/0/lost', 2);
  store.refuse.lost = 409;
  const { length } = store.posted('runners/0/lost');
  await store.wait('runners/0/lost', length + 1);
  store.tell(made, { phase: 'Over', ready: 1, lost: 1 });
  assert.equal(conditionWords(await cluster.loadEnds('peak')), 'True Completed');
});

test('a test that the store has lost ends', async (t) => {
  const { cluster, store, pods } = await running(t, { onRunnerLoss: 'Continue' });
  Object.assign(store.refuse, { lost: 404, cancel: 404, conclude: 404 });
  cluster.endRunner(pods[0], { exitCode: 1, reason: 'Error' });
  const succeeded = await cluster.loadEnds('peak');
  assert.equal(conditionWords(succeeded), 'False StoreFailed');
  assert.match(succeeded.message, /the store does not know the test any more/);
});

test('a ProfileRun that does not end is waited for until shortly before the deadline', async (t) => {
  const { cluster, store, made } = await running(t, {
    profile: { captures: [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 60 }] },
    activeDeadlineSeconds: 18,
  });
  store.tell(made, { phase: 'Running', ready: 1, active: 1, profileDue: true });
  await until(() => cluster.get('profileruns', 'peak-profile'), 10000, 'the ProfileRun');
  store.tell(made, { phase: 'Over', ready: 1 });
  assert.equal(conditionWords(await cluster.loadEnds('peak', 30000)), 'True Completed');
  const { startTime, completionTime } = cluster.get('loadtests', 'peak').status;
  const seconds = (Date.parse(completionTime) - Date.parse(startTime)) / 1000;
  assert.ok(seconds >= 7 && seconds < 18, `${seconds} s`);
});

test('the Job is deleted again until it is gone', async (t) => {
  const { cluster, store, made } = await running(t);
  const refused = refuse(cluster, isJob('DELETE'), { times: 2 });
  cluster.change('loadtests', 'peak', (object) => {
    object.spec.cancel = true;
  });
  await store.wait('/cancel');
  store.tell(made, { phase: 'Over' });
  assert.equal(conditionWords(await cluster.loadEnds('peak')), 'False Cancelled');
  const isThere = () => [...cluster.objects.keys()].some((key) => key.startsWith('jobs/'));
  await until(() => !isThere(), 10000, 'the end of the Job');
  assert.equal(refused(), 2);
});

test('a ProfileRun that is being made when its test is cancelled is cancelled, too', async (t) => {
  const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 60 }];
  const { cluster, store, made } = await running(t, { profile: { captures } });
  const isOne = ({ method, kind }) => method === 'POST' && kind === 'profileruns';
  const creations = hold(cluster, isOne);
  store.tell(made, { phase: 'Running', ready: 1, active: 1, profileDue: true });
  await until(creations.count, 10000, 'the ProfileRun');
  cluster.change('loadtests', 'peak', (object) => {
    object.spec.cancel = true;
  });
  store.tell(made, { phase: 'Over', ready: 1 });
  await until(() => store.waiting?.since === store.told.length, 10000, 'the end to be heard of');
  creations.release();
  const isPatch = ({ method, kind, sub }) => method === 'PATCH' && kind === 'profileruns' && !sub;
  const refused = refuse(cluster, isPatch, { times: 1 });
  assert.equal(conditionWords(await cluster.loadEnds('peak')), 'False Cancelled');
  const isCancelled = () => cluster.get('profileruns', 'peak-profile').spec.cancel === true;
  await until(isCancelled, 10000, 'its end');
  assert.equal(refused(), 1);
});

test('why a ProfileRun that was due could not be made is said', async (t) => {
  const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 60 }];
  const { cluster, store, made } = await running(t, { profile: { captures } });
  const isOne = ({ method, kind }) => method === 'POST' && kind === 'profileruns';
  const refused = refuse(cluster, isOne);
  store.tell(made, { phase: 'Running', ready: 1, active: 1, profileDue: true });
  await until(refused, 10000, 'a refusal');
  store.tell(made, { phase: 'Over', ready: 1, profileDue: true });
  await cluster.loadEnds('peak');
  await until(() => cluster.eventsOf('ProfileNotTaken')[0], 10000, 'the event');
  const [{ note }] = cluster.eventsOf('ProfileNotTaken');
  assert.match(note, /over before the ProfileRun was made: .*the webhook is away/);
});

test('a store without room is waited for, and the condition says so', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  store.refuse.runs = 503;
  cluster.load('peak', { runner: { startTimeoutSeconds: 10 } });
  clinic.controller();
  const ready = () => cluster.loadCondition('peak', 'RunnersReady');
  await until(() => ready()?.reason === 'StoreBusy', 10000, 'the word of the store');
  assert.match(ready().message, /503 Full.*: 64 load tests go on/);
  // More often than a store that does not answer is asked, and longer than runners are waited for.
  await until(() => store.posted('runs').length === 8, 30000, 'patience');
  assert.equal(cluster.loadCondition('peak', 'Succeeded').status, 'Unknown');
  store.refuse.runs = undefined;
  await cluster.job('peak');
  await until(() => ready().reason === 'Starting', 10000, 'the next step');
});

test('a test that has waited for the store loads the pods that are there then', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  store.refuse.runs = 503;
  cluster.load('peak', { target: { service: { name: 'web', endpoints: 'Pods' } } });
  clinic.controller();
  const first = await store.wait('runs');
  assert.deepEqual(first.addresses, [{ address: '10.1.0.1:8080', name: 'pod-a' }]);
  cluster.change('endpointslices', 'web-1', ({ endpoints }) => {
    Object.assign(endpoints[0], {
      addresses: ['10.1.0.9'],
      targetRef: { kind: 'Pod', name: 'pod-b' },
    });
  });
  const last = () => store.posted('runs').at(-1).addresses;
  await until(() => last()[0].name === 'pod-b', 40000, 'the pods of now');
  assert.deepEqual(last(), [{ address: '10.1.0.9:8080', name: 'pod-b' }]);
  store.refuse.runs = undefined;
  await cluster.job('peak');
});

test('a test that the store refuses ends at once, with its words', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  store.refuse.runs = 400;
  cluster.load('peak');
  clinic.controller();
  const succeeded = await cluster.loadEnds('peak');
  assert.equal(conditionWords(succeeded), 'False StoreFailed');
  assert.match(succeeded.message, /64 load tests go on/);
  assert.equal(store.posted('runs').length, 1);
});

test('a Job that cannot be made is tried again, ever later, and said', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  const refused = refuse(cluster, isJob('POST'));
  const made = cluster.load('peak', { runner: { startTimeoutSeconds: 10 } });
  clinic.controller();
  const ready = () => cluster.loadCondition('peak', 'RunnersReady');
  await until(() => ready()?.reason === 'RunnersNotReady', 10000, 'the cause');
  assert.match(ready().message, /could not be made: .*the webhook is away/);
  // What wakes it meanwhile makes it no sooner.
  for (let i = 0; i < 20; i++) {
    cluster.change('loadtests', 'peak', (object) => {
      object.metadata.labels = { seen: String(i) };
    });
  }
  await until(() => store.posted('/cancel').length, 30000, 'the end of patience');
  store.tell(made, { phase: 'Over' });
  const succeeded = await cluster.loadEnds('peak');
  assert.equal(conditionWords(succeeded), 'False RunnersNotReady');
  assert.match(succeeded.message, /the webhook is away/);
  assert.ok(refused() >= 3 && refused() <= 8, `${refused()} tries`);
});

test('a Job that was refused for a while is made in the end', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  const made = cluster.load('peak');
  refuse(cluster, isJob('POST'), { times: 3, code: 429, reason: 'TooManyRequests' });
  clinic.controller();
  const job = await cluster.job('peak');
  cluster.endRunner(cluster.runner(job, 0));
  store.tell(made, { phase: 'Over', ready: 1 });
  assert.equal(conditionWords(await cluster.loadEnds('peak')), 'True Completed');
});

test('a pod that waits for a volume is named with what it needs', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  const data = { id: { configMapRef: { name: 'ids', key: 'a.csv' } } };
  const made = cluster.load('peak', {
    scenario: { data, requests: [{ name: 'one', path: '/{{id}}' }] },
    http: { tls: { clientCertificateSecretName: 'me' } },
    runner: { startTimeoutSeconds: 10 },
  });
  clinic.controller();
  const job = await cluster.job('peak');
  const ready = () => cluster.loadCondition('peak', 'RunnersReady');
  await until(() => /0 of 1 pods were made/.test(ready()?.message), 10000, 'the wait for a pod');
  assert.match(ready().message, new RegExp(`kubectl -n clinic describe job ${job.metadata.name}`));
  const state = { waiting: { reason: 'ContainerCreating' } };
  const { metadata } = cluster.runner(job, 0, {
    status: { phase: 'Pending', containerStatuses: [{ name: 'runner', state }] },
  });
  const words = new RegExp(
    `pod ${metadata.name} on node1 has not started .*describe pod ${metadata.name}.*` +
      'ConfigMap ids, Secret me',
  );
  await until(() => words.test(ready().message), 10000, 'the name of the pod');
  assert.equal(ready().status, 'Unknown');
  await until(() => store.posted('/cancel').length, 30000, 'the end of patience');
  store.tell(made, { phase: 'Over' });
  const succeeded = await cluster.loadEnds('peak');
  assert.equal(conditionWords(succeeded), 'False RunnersNotReady');
  assert.match(succeeded.message, words);
});

test('a test that takes too long is ended, and its runners with it', async (t) => {
  const { cluster, store } = await running(t, { activeDeadlineSeconds: 12 });
  await until(() => store.posted('/cancel').length, 20000, 'the end of its time');
  store.conclusion.load = { ...good, succeeded: false, reason: 'DeadlineExceeded' };
  store.tell(cluster.get('loadtests', 'peak'), { phase: 'Over', ready: 1 });
  const succeeded = await cluster.loadEnds('peak');
  assert.equal(conditionWords(succeeded), 'False DeadlineExceeded');
  assert.match(succeeded.message, /more than 12 s/);
  assert.equal(store.posted('/conclude')[0].reason, 'DeadlineExceeded');
  await until(() => cluster.asked('DELETE', '/jobs/').length === 1, 10000, 'the end of the Job');
});

test('what the store found out stands in the status, which is deleted after its time', async (t) => {
  const { cluster, store, made, pods } = await running(t, { ttlSecondsAfterFinished: 3 });
  store.conclusion.load = { ...good, highestRate: 480, startSkewMicroseconds: 1200 };
  cluster.endRunner(pods[0]);
  store.tell(made, { phase: 'Over', ready: 1 });
  await cluster.loadEnds('peak');
  const { highestRate, startSkewMicroseconds, completionTime } = cluster.get(
    'loadtests',
    'peak',
  ).status;
  assert.deepEqual(
    { highestRate, startSkewMicroseconds },
    { highestRate: 480, startSkewMicroseconds: 1200 },
  );
  await until(() => !cluster.get('loadtests', 'peak'), 15000, 'its deletion');
  assert.ok(Date.now() >= Date.parse(completionTime) + 3000);
});
