// SPDX-License-Identifier: Apache-2.0
'use strict';

// sonde-controller and LoadTests; the API server, the kubelets, the runners and the store are
// played.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { conditionWords, metrics, until } = require('./support/cluster.js');
const { begin, good, running } = require('./support/load-clinic.js');

const url = (text, rate = 10) => ({
  target: { url: text },
  arrival: { rate, durationSeconds: 10 },
});

// The controller is killed; the one after it has seen the Job.
async function again(clinic, meanwhile = () => {}) {
  const looks = () => clinic.cluster.asked('GET', '/jobs/').length;
  clinic.process.child.kill('SIGKILL');
  await clinic.process.done;
  meanwhile();
  const before = looks();
  clinic.controller();
  await until(() => looks() > before, 10000, 'a look at the Job');
}

test('a test is registered, its Job is made, and the verdict is the store’s', async (t) => {
  const { cluster, store, made, job, pods } = await running(t, { parallelism: 2 });
  const [registration] = store.posted('runs');
  assert.equal(registration.kind, 'LoadTest');
  assert.deepEqual(
    registration.targets.map(({ target }) => target),
    ['runner-0', 'runner-1'],
  );
  assert.equal(registration.document.spec.connections, 10);
  assert.equal(registration.addresses, undefined);
  const [container] = job.spec.template.spec.containers;
  const value = (name) => container.env.find((one) => one.name === name)?.value;
  assert.equal(value('SONDE_TOKENS').split(',').length, 2);
  assert.equal(value('SONDE_RUN_UID'), made.metadata.uid);
  assert.equal(job.metadata.ownerReferences[0].uid, made.metadata.uid);
  assert.equal(cluster.get('loadtests', 'peak').status.runners, '2/2');
  for (const pod of pods) {
    cluster.endRunner(pod);
  }
  store.tell(made, { phase: 'Over', ready: 2 });
  assert.equal(conditionWords(await cluster.loadEnds('peak')), 'True Completed');
  const { status } = cluster.get('loadtests', 'peak');
  const { p50, p99, errorRate, thresholdsHeld, validity, artifact, requests } = status;
  assert.deepEqual(
    { p50, p99, errorRate, thresholdsHeld, validity, artifact, requests },
    {
      ...{ p50: '850us', p99: '231ms', errorRate: '0.12%', thresholdsHeld: '1/1' },
      ...{ validity: 'Valid', artifact: 'a.1', requests: 100 },
    },
  );
  assert.equal(cluster.loadCondition('peak', 'ThresholdsMet').status, 'True');
  assert.equal(store.posted('conclude')[0].state, 'Succeeded');
  assert.deepEqual(cluster.asked('DELETE', '/jobs/'), []);
});

test('a broken threshold is the verdict', async (t) => {
  const { cluster, store, made } = await running(t);
  const broken = { ...good.thresholds[0], value: 400, holds: false };
  store.conclusion.load = {
    ...{ ...good, thresholds: [broken] },
    ...{ succeeded: false, reason: 'ThresholdBroken', message: 'p(99) is 400 ms' },
  };
  store.tell(made, { phase: 'Over', ready: 1, stopped: true });
  const succeeded = await cluster.loadEnds('peak');
  assert.equal(conditionWords(succeeded), 'False ThresholdBroken');
  assert.equal(succeeded.message, 'p(99) is 400 ms');
  assert.equal(
    conditionWords(cluster.loadCondition('peak', 'ThresholdsMet')),
    'False ThresholdBroken',
  );
  assert.equal(cluster.get('loadtests', 'peak').status.thresholdsHeld, '0/1');
});

test('it waits while it is paused, and for a Service that is not there yet', async (t) => {
  const clinic = await begin(t);
  const { cluster } = clinic;
  cluster.drop('services', 'web');
  cluster.load('peak', { paused: true });
  clinic.controller();
  const reason = () => cluster.loadCondition('peak', 'Accepted')?.reason;
  await until(() => reason() === 'Paused', 10000, 'the pause');
  assert.equal(cluster.get('loadtests', 'peak').status.startTime, undefined);
  cluster.change('loadtests', 'peak', (object) => {
    object.spec.paused = false;
  });
  await until(() => reason() === 'TargetNotFound', 10000, 'the wait for the Service');
  cluster.drop('endpointslices', 'web-1');
  cluster.service('web', { pods: [] });
  await until(() => reason() === 'TooFewReady', 20000, 'the wait for its pods');
  cluster.change('endpointslices', 'web-1', (object) => {
    object.endpoints = [{ addresses: ['10.1.0.9'], targetRef: { kind: 'Pod', name: 'pod-a' } }];
  });
  await cluster.job('peak');
  assert.equal(cluster.loadCondition('peak', 'Accepted').status, 'True');
});

test('a document that cannot be carried out ends at once', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  cluster.make('namespaces', {
    name: 'clinic',
    annotations: { 'sonde.dev/load-hosts': 'api.example.com, *.example.org' },
  });
  cluster.load('far', url('https://api.example.net/'));
  cluster.load('fast', url('https://api.example.com/', 5000));
  cluster.load('wrong', { parallelism: 0 });
  const captures = [{ name: 'cpu', type: 'CPUProfile' }];
  cluster.load('blind', { ...url('http://web.other.svc/'), profile: { captures } });
  cluster.service('away', { externalName: 'db.example.net' });
  cluster.load('alias', { target: { service: { name: 'away' } } });
  cluster.service('inner', { externalName: 'web.clinic.svc.cluster.local' });
  cluster.load('no-pods', { target: { service: { name: 'inner', endpoints: 'Pods' } } });
  cluster.load('no-labels', { target: { service: { name: 'inner' } }, profile: { captures } });
  cluster.load('named', url('https://a.example.org/'));
  cluster.load('number', url('http://134744072/'));
  clinic.controller();
  const far = await cluster.loadEnds('far');
  assert.equal(conditionWords(far), 'False HostNotAllowed');
  assert.match(far.message, /api\.example\.net.*load-hosts/);
  assert.match((await cluster.loadEnds('number')).message, /134744072.*load-hosts/);
  assert.match((await cluster.loadEnds('fast')).message, /5000 requests a second/);
  assert.equal(conditionWords(await cluster.loadEnds('wrong')), 'False InvalidSpec');
  assert.match((await cluster.loadEnds('blind')).message, /spec\.profile\.target/);
  assert.equal(conditionWords(await cluster.loadEnds('alias')), 'False HostNotAllowed');
  assert.match((await cluster.loadEnds('no-pods')).message, /endpoints: must be Service.*inner/);
  assert.match((await cluster.loadEnds('no-labels')).message, /spec\.profile\.target: must be/);
  await cluster.job('named');
  assert.deepEqual(
    store.posted('runs').map(({ name }) => name),
    ['named'],
  );
});

test('a name that leads out of the cluster by way of Services is outside, too', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  cluster.make('namespaces', {
    name: 'clinic',
    annotations: { 'sonde.dev/load-hosts': 'api.example.com' },
  });
  const inside = 'clinic.svc.cluster.local';
  for (const [name, externalName] of [
    ...[
      ['away', 'db.example.net'],
      ['second', `away.${inside}`],
      ['named', 'api.example.com'],
    ],
    ...[
      ['other', `web.${inside}`],
      ['ring', `ring.${inside}`],
    ],
  ]) {
    cluster.service(name, { externalName, pods: [] });
  }
  cluster.service('stranger', { selector: undefined, pods: [] });
  cluster.change('endpointslices', 'stranger-1', (object) => {
    object.metadata.namespace = 'lab';
    object.endpoints = [{ addresses: ['192.0.2.7'], conditions: { ready: true } }];
  });
  cluster.make('services', { name: 'stranger', namespace: 'lab' }, { spec: { ports: [] } });
  cluster.answer = ({ path: where }, response) => {
    const hidden = where.startsWith('/api/v1/namespaces/hidden/');
    if (hidden) {
      cluster.status(response, 403, 'Forbidden', 'services "web" is forbidden');
    }
    return hidden;
  };
  const hosts = ['away', 'AWAY.clinic.svc', 'pod-0.away.clinic.svc.cluster.local', 'second'];
  for (const [index, host] of hosts.entries()) {
    cluster.load(`out-${index}`, url(`http://${host}/`));
  }
  cluster.load('ring', url('http://ring/'));
  cluster.load('hidden', url('http://web.hidden.svc/'));
  cluster.load('stranger', url('http://stranger.lab.svc/'));
  const allowed = ['http://named/', 'http://other/', 'http://web.clinic.svc', 'http://localhost'];
  for (const [index, text] of allowed.entries()) {
    cluster.load(`in-${index}`, url(text));
  }
  cluster.load('fast', url('http://named/', 5000));
  clinic.controller();
  for (const index of hosts.keys()) {
    const succeeded = await cluster.loadEnds(`out-${index}`);
    assert.equal(conditionWords(succeeded), 'False HostNotAllowed');
    assert.match(succeeded.message, /^db\.example\.net is outside/);
  }
  assert.match((await cluster.loadEnds('hidden')).message, /^web\.hidden\.svc is outside/);
  assert.match((await cluster.loadEnds('stranger')).message, /^192\.0\.2\.7 is outside/);
  assert.equal(conditionWords(await cluster.loadEnds('ring')), 'False InvalidSpec');
  assert.match((await cluster.loadEnds('fast')).message, /5000 requests a second/);
  for (const index of allowed.keys()) {
    await cluster.job(`in-${index}`);
  }
  assert.equal(store.posted('runs').length, allowed.length);
});

test('the namespace bounds the rate of each test, whatever it loads', async (t) => {
  const clinic = await begin(t);
  const { cluster } = clinic;
  cluster.make('namespaces', {
    name: 'clinic',
    annotations: { 'sonde.dev/load-max-rate': '100' },
  });
  const stages = [
    { durationSeconds: 5, rate: 100 },
    { durationSeconds: 5, rate: 101, ramp: true },
  ];
  cluster.load('slow', { arrival: { rate: 100, durationSeconds: 10 } });
  cluster.load('fast', { arrival: { rate: 101, durationSeconds: 10 } });
  cluster.load('ramp', { ...url('http://web/'), arrival: { stages } });
  cluster.load('closed', { arrival: { durationSeconds: 10 } });
  clinic.controller();
  for (const name of ['fast', 'ramp', 'closed']) {
    const succeeded = await cluster.loadEnds(name);
    assert.equal(conditionWords(succeeded), 'False RateNotAllowed');
    assert.match(succeeded.message, /100 .*load-max-rate/);
  }
  await cluster.job('slow');
});

test('with endpoints: Pods the store learns their addresses and names', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  cluster.change('endpointslices', 'web-1', (object) => {
    const targetRef = { kind: 'Pod', name: 'pod-b' };
    const gone = { addresses: ['10.1.0.3'], targetRef, conditions: { ready: false } };
    object.endpoints.push({ addresses: ['10.1.0.2'], targetRef }, gone);
  });
  cluster.load('peak', { target: { service: { name: 'web', endpoints: 'Pods' } } });
  clinic.controller();
  await cluster.job('peak');
  assert.deepEqual(store.posted('runs')[0].addresses, [
    { address: '10.1.0.1:8080', name: 'pod-a' },
    { address: '10.1.0.2:8080', name: 'pod-b' },
  ]);
});

test('more pods than can be loaded one by one are loaded through their Service', async (t) => {
  const clinic = await begin(t);
  const { cluster } = clinic;
  cluster.service('wide', { pods: Array.from({ length: 257 }, (_, index) => `wide-${index}`) });
  cluster.load('one-by-one', { target: { service: { name: 'wide', endpoints: 'Pods' } } });
  cluster.load('together', { target: { service: { name: 'wide' } } });
  clinic.controller();
  const succeeded = await cluster.loadEnds('one-by-one');
  assert.equal(conditionWords(succeeded), 'False Unsupported');
  assert.match(succeeded.message, /more than 256 pods .* endpoints: Service/);
  await cluster.job('together');
});

test('a runner that is lost is told to the store, once, with its cause', async (t) => {
  const { cluster, store, made, pods, process } = await running(t, {
    ...{ parallelism: 3, onRunnerLoss: 'Continue' },
    runner: { resources: { limits: { memory: '64Mi' } } },
  });
  cluster.endRunner(pods[0], { exitCode: 137, reason: 'OOMKilled' });
  await store.wait('runners/0/lost');
  cluster.endRunner(pods[1], { exitCode: 137, reason: 'Error' });
  await store.wait('runners/1/lost');
  cluster.change('pods', pods[2].metadata.name, (object) => {
    object.metadata.deletionTimestamp = new Date(Date.now() - 60000).toISOString();
  });
  await store.wait('runners/2/lost');
  const [first] = store.posted('runners/0/lost');
  assert.equal(first.reason, 'RunnerOutOfMemory');
  assert.match(first.message, /^pod peak-.*-0-.* on node1: .*64Mi/);
  assert.equal(first.pod, pods[0].metadata.name);
  assert.match(store.posted('runners/1/lost')[0].message, /exit code 137 \(Error\)/);
  assert.match(store.posted('runners/2/lost')[0].message, /node has not said/);
  store.tell(made, { phase: 'Running', ready: 3, active: 0, lost: 3 });
  await until(() => cluster.get('loadtests', 'peak').status.lostRunners === 3, 10000, 'the loss');
  assert.match(await metrics(process), /sonde_runners_lost_total 3/);
  store.tell(made, { phase: 'Over', ready: 3, lost: 3 });
  await cluster.loadEnds('peak');
  for (const number of [0, 1, 2]) {
    assert.equal(store.posted(`runners/${number}/lost`).length, 1);
  }
});

test('a replacement that runs hides the loss before it', async (t) => {
  const { cluster, store, job, pods } = await running(t, { onRunnerLoss: 'Replace' });
  assert.equal(job.spec.backoffLimitPerIndex, 5);
  cluster.endRunner(pods[0], { exitCode: 1, reason: 'Error' });
  await store.wait('runners/0/lost');
  const later = { attempt: 1 };
  const second = cluster.runner(job, 0, later);
  second.metadata.creationTimestamp = new Date(Date.now() + 60000).toISOString();
  cluster.put('pods', second);
  cluster.endRunner(second, { exitCode: 1, reason: 'Error', message: 'no such flag' });
  const told = await store.wait('runners/0/lost', 2);
  assert.match(told.message, /no such flag/);
});

test('a runner that no node takes ends the test with the scheduler’s words', async (t) => {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  const made = cluster.load('peak', { runner: { startTimeoutSeconds: 10 } });
  clinic.controller();
  const job = await cluster.job('peak');
  const message = '0/1 nodes are available: 1 Insufficient cpu.';
  cluster.runner(job, 0, {
    status: {
      ...{ phase: 'Pending', containerStatuses: [] },
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    },
  });
  await until(
    () => cluster.loadCondition('peak', 'RunnersReady')?.reason === 'RunnerUnschedulable',
    10000,
    'the word of the scheduler',
  );
  await store.wait('/cancel', 1, 30000);
  store.tell(made, { phase: 'Over' });
  const succeeded = await cluster.loadEnds('peak');
  assert.equal(conditionWords(succeeded), 'False RunnerUnschedulable');
  assert.match(succeeded.message, /Insufficient cpu/);
  const ready = cluster.loadCondition('peak', 'RunnersReady');
  assert.equal(conditionWords(ready), 'False RunnerUnschedulable');
  await until(() => cluster.eventsOf('RunnerUnschedulable')[0], 10000, 'the last Event');
  assert.deepEqual(cluster.eventsOf('Started'), []);
  assert.equal(store.posted('cancel').length, 1);
  await until(() => cluster.asked('DELETE', '/jobs/').length === 1, 10000, 'the end of the Job');
});

for (const what of ['a target', 'runners']) {
  test(`the deadline tells of the wait for ${what}`, async (t) => {
    const clinic = await begin(t);
    const { cluster, store } = clinic;
    cluster.change('endpointslices', 'web-1', ({ endpoints }) => {
      endpoints[0].conditions.ready = what === 'runners';
    });
    const made = cluster.load('peak', {
      arrival: { rate: 1, durationSeconds: 1 },
      activeDeadlineSeconds: 10,
    });
    clinic.controller();
    if (what === 'runners') {
      const message = '0/1 nodes are available: 1 Insufficient cpu.';
      const conditions = [{ type: 'PodScheduled', status: 'False', message }];
      const status = { phase: 'Pending', containerStatuses: [], conditions };
      cluster.runner(await cluster.job('peak'), 0, { status });
      await store.wait('/cancel', 1, 30000);
      store.tell(made, { phase: 'Over' });
    }
    const succeeded = await cluster.loadEnds('peak', 30000);
    assert.equal(conditionWords(succeeded), 'False DeadlineExceeded');
    const words = what === 'runners' ? /waited: .*Insufficient cpu/ : /waited: no pod .*ready/;
    assert.match(succeeded.message, words);
  });
}

test('cancel is passed on, and ends it when the store says so', async (t) => {
  const { cluster, store, made } = await running(t);
  cluster.change('loadtests', 'peak', (object) => {
    object.spec.cancel = true;
  });
  await store.wait('/cancel');
  store.conclusion.load = { ...good, succeeded: false, reason: 'Cancelled' };
  store.tell(made, { phase: 'Over' });
  assert.equal(conditionWords(await cluster.loadEnds('peak')), 'False Cancelled');
  assert.equal(store.posted('conclude')[0].state, 'Cancelled');
});

test('at profileDue the ProfileRun is made, waited for, and concluded with', async (t) => {
  const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 5 }];
  const { cluster, store, made } = await running(t, {
    profile: { captures },
    metadata: { annotations: { 'sonde.dev/requester': 'ann' } },
  });
  store.tell(made, { phase: 'Running', ready: 1, active: 1, profileDue: true });
  const name = 'peak-profile';
  await until(() => cluster.get('profileruns', name), 10000, 'the ProfileRun');
  const { metadata, spec } = cluster.get('profileruns', name);
  assert.equal(metadata.annotations['sonde.dev/requester'], 'ann');
  assert.equal(metadata.ownerReferences[0].uid, made.metadata.uid);
  assert.deepEqual(spec.target, { selector: { matchLabels: { app: 'web' } } });
  assert.equal(spec.captures[0].durationSeconds, 5);
  await until(
    () => cluster.get('loadtests', 'peak').status.profileRunRefs?.[0] === name,
    10000,
    'the reference',
  );
  store.tell(made, { phase: 'Over', ready: 1 });
  await until(() => cluster.get('profileruns', name).status?.targets, 10000, 'the profile');
  assert.deepEqual(store.posted(`${made.metadata.uid}/conclude`), []);
  // (The controller, which carries the run out, may write over it.)
  await until(
    () => {
      cluster.change('profileruns', name, (object) => {
        object.status.completionTime = new Date().toISOString();
      });
      return cluster.get('loadtests', 'peak').status.completionTime;
    },
    20000,
    'the end',
  );
  assert.deepEqual(store.posted(`${made.metadata.uid}/conclude`)[0].profiles, [metadata.uid]);
});

test('a profile that never became due is said to be missing', async (t) => {
  const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 5 }];
  const { cluster, store, made } = await running(t, { profile: { captures } });
  store.tell(made, { phase: 'Over', ready: 1 });
  await cluster.loadEnds('peak');
  const events = () => cluster.asked('POST', '/events').map(({ body }) => body.reason);
  await until(() => events().includes('ProfileNotTaken'), 10000, 'the event');
  assert.equal(cluster.get('profileruns', 'peak-profile'), undefined);
});

for (const end of ['cancel', 'abort']) {
  test(`the ProfileRun of a test that ends early is cancelled: ${end}`, async (t) => {
    const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 60 }];
    const { cluster, store, made } = await running(t, { profile: { captures } });
    store.tell(made, { phase: 'Running', ready: 1, active: 1, profileDue: true });
    await until(() => cluster.get('profileruns', 'peak-profile'), 10000, 'the ProfileRun');
    assert.equal(cluster.get('profileruns', 'peak-profile').spec.cancel ?? false, false);
    if (end === 'cancel') {
      cluster.change('loadtests', 'peak', (object) => {
        object.spec.cancel = true;
      });
    } else {
      store.tell(made, { phase: 'Running', ready: 1, active: 1, profileDue: true, stopped: true });
    }
    await until(
      () => cluster.get('profileruns', 'peak-profile').spec.cancel === true,
      10000,
      'its end',
    );
  });
}

test('figures are written at most every five seconds, news at once', async (t) => {
  const { cluster, store, made } = await running(t);
  const writes = () => cluster.asked('PATCH', '/loadtests/peak/status').length;
  const before = writes();
  for (let i = 1; i <= 20; i++) {
    store.tell(made, { phase: 'Running', ready: 1, active: 1, requests: i, rate: i });
  }
  await until(() => cluster.get('loadtests', 'peak').status.requests === 20, 20000, 'figures');
  assert.ok(writes() - before <= 3, `${writes() - before} writes`);
  const status = cluster.get('loadtests', 'peak').status;
  assert.equal(status.rate, '20.0');
});

test('a controller that begins in mid-test makes nothing twice', async (t) => {
  const { clinic, cluster, store, made } = await running(t, { parallelism: 2 });
  await again(clinic);
  store.tell(made, { phase: 'Running', ready: 2, active: 2, requests: 7 });
  await until(() => cluster.get('loadtests', 'peak').status.requests === 7, 15000, 'figures');
  assert.equal(cluster.loadCondition('peak', 'RunnersReady').status, 'True');
  store.tell(made, { phase: 'Over', ready: 2 });
  assert.equal(conditionWords(await cluster.loadEnds('peak')), 'True Completed');
  assert.equal(store.posted('runs').length, 1);
  assert.equal(cluster.asked('POST', '/jobs').length, 1);
});

test('a test that was not accepted is seen to have its runners all the same', async (t) => {
  const { clinic, cluster, store, made } = await running(t, { parallelism: 2 });
  await again(clinic, () => {
    cluster.change('loadtests', 'peak', ({ status }) => {
      status.conditions.find(({ type }) => type === 'Accepted').status = 'False';
    });
  });
  store.tell(made, { phase: 'Running', ready: 2, active: 2, requests: 7 });
  await until(() => cluster.get('loadtests', 'peak').status.requests === 7, 15000, 'figures');
  assert.equal(cluster.loadCondition('peak', 'Accepted').status, 'True');
  assert.equal(store.posted('runs').length, 1);
});

test('in mid-test nothing is asked of the target but whose pods to profile', async (t) => {
  const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 60 }];
  const { clinic, cluster, store, made } = await running(t, { profile: { captures } });
  await again(clinic, () => {
    cluster.change('endpointslices', 'web-1', ({ endpoints }) => {
      endpoints[0].conditions.ready = false;
    });
  });
  store.tell(made, { phase: 'Running', ready: 1, active: 1, profileDue: true });
  await until(() => cluster.get('profileruns', 'peak-profile'), 10000, 'the ProfileRun');
  assert.equal(cluster.loadCondition('peak', 'Accepted').status, 'True');
});

test('a target that is gone in mid-test costs the profile, not the test', async (t) => {
  const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 60 }];
  const { clinic, cluster, store, made } = await running(t, { profile: { captures } });
  await again(clinic, () => {
    cluster.drop('services', 'web');
    cluster.change('loadtests', 'peak', ({ status }) => {
      status.startTime = new Date(Date.now() - 60000).toISOString();
    });
  });
  store.tell(made, { phase: 'Running', ready: 1, active: 1, profileDue: true });
  await until(() => cluster.eventsOf('ProfileNotTaken')[0], 30000, 'the word that there is none');
  assert.equal(cluster.loadCondition('peak', 'Accepted').status, 'True');
  store.tell(made, { phase: 'Over', ready: 1 });
  assert.equal(conditionWords(await cluster.loadEnds('peak')), 'True Completed');
});

test('pods that come while they are under load are told', async (t) => {
  const { cluster, store, made } = await running(t);
  const show = (requests) => store.tell(made, { phase: 'Running', ready: 1, active: 1, requests });
  show(1);
  await until(() => cluster.get('loadtests', 'peak').status.requests, 15000, 'figures');
  cluster.pod('pod-b');
  let count = 1;
  await until(
    () => {
      show(++count);
      return cluster.loadCondition('peak', 'Running').reason === 'TargetChanged';
    },
    20000,
    'the change',
  );
  assert.match(cluster.loadCondition('peak', 'Running').message, /2 are ready now/);
});

test('pods and runners that come and go all the time are not told each time', async (t) => {
  const { cluster, store, made } = await running(t);
  let count = 0;
  const flap = () => {
    const active = ++count % 2;
    store.tell(made, { phase: 'Running', ready: 1, active, requests: count });
    if (cluster.get('pods', 'pod-b')) {
      cluster.drop('pods', 'pod-b');
    } else {
      cluster.pod('pod-b');
    }
  };
  const changes = () => cluster.eventsOf('TargetChanged').length;
  const flapped = (done) => () => {
    flap();
    return done();
  };
  await until(flapped(changes), 20000, 'the first change');
  const writes = () => cluster.asked('PATCH', '/loadtests/peak/status').length;
  const [before, since] = [writes(), Date.now()];
  await until(
    flapped(() => writes() >= before + 3),
    40000,
    'three writings',
  );
  assert.ok(Date.now() - since > 8000, `three writings in ${Date.now() - since} ms`);
  assert.equal(changes(), 1);
});
