// SPDX-License-Identifier: Apache-2.0
'use strict';

// sonde-controller as a whole, with a real store; the API server, the kubelets and the sidecars
// are played.

const assert = require('node:assert/strict');
const net = require('node:net');
const { test } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const { conditionWords, metrics, open, until } = require('./support/cluster.js');
const { fakeStore } = require('./support/service.js');

test('a run is carried out, and its choice is written before a pod is touched', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  let written;
  cluster.answer = ({ method, sub }) => {
    if (method === 'PATCH' && sub === 'ephemeralcontainers') {
      written = structuredClone(cluster.get('profileruns', 'slow').status);
    }
    return false;
  };
  const run = cluster.run('slow');
  clinic.controller();
  const entry = await cluster.attached('pod-a');
  assert.equal(written.targets[0].podName, 'pod-a');
  assert.equal(written.targets[0].podUID, cluster.get('pods', 'pod-a').metadata.uid);
  assert.equal(entry.name, `sonde-${run.metadata.uid.replaceAll('-', '')}`);
  assert.equal(entry.securityContext.runAsUser, 1000);
  assert.equal(entry.targetContainerName, 'app');
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
  const { status } = cluster.get('profileruns', 'slow');
  assert.equal(status.pods, '1/1');
  assert.equal(status.targets[0].state, 'Succeeded');
  assert.equal(status.targets[0].pid, 7);
  assert.equal(cluster.patches().length, 1);
  assert.deepEqual(
    cluster.requests.filter(({ kind }) => kind === 'secrets'),
    [],
  );
});

test('what cannot be analysed is captured all the same', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  cluster.run('slow');
  clinic.controller();
  await cluster.attached('pod-a');
  const sidecar = clinic.sidecar('pod-a');
  await sidecar.stores('cpu.0', '{"no":"profile"}');
  await sidecar.captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
  const analyzed = cluster.condition('slow', 'Analyzed');
  assert.equal(conditionWords(analyzed), 'False AnalysisFailed');
  assert.match(analyzed.message, /no nodes/);
  const { status } = cluster.get('profileruns', 'slow');
  assert.equal(status.artifacts.length, 1);
  assert.equal(status.summary, undefined);
});

test('what happens to a run is told as Events', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const run = cluster.run('slow');
  clinic.controller();
  await cluster.attached('pod-a');
  const sidecar = clinic.sidecar('pod-a');
  await sidecar.beat();
  await until(() => cluster.condition('slow', 'Attached')?.status === 'True', 10000, 'the capture');
  await sidecar.done();
  await cluster.ends('slow');
  const of = (name) =>
    cluster
      .asked('POST', '/namespaces/clinic/events')
      .map(({ body }) => body)
      .filter(({ regarding }) => regarding.name === name);
  await until(() => of('slow').length === 3, 10000, 'three Events');
  assert.deepEqual(
    of('slow').map(({ type, reason, action }) => [type, reason, action]),
    [
      ['Normal', 'Accepted', 'Choose'],
      ['Normal', 'Attached', 'Attach'],
      ['Normal', 'Completed', 'Conclude'],
    ],
  );
  for (const event of of('slow')) {
    const { regarding } = event;
    assert.equal(regarding.uid, run.metadata.uid);
    assert.equal(regarding.kind, 'ProfileRun');
    assert.equal(event.metadata.namespace ?? 'clinic', 'clinic');
    assert.equal(event.reportingController, 'sonde.dev/controller');
  }
  assert.equal(of('slow')[0].note, 'Pod/pod-a');
  cluster.run('wrong', { target: { podName: 'pod-a', containerName: 'no' } });
  await until(() => of('wrong').some(({ type }) => type === 'Warning'), 15000, 'a warning');
  const { reason, note } = of('wrong').find(({ type }) => type === 'Warning');
  assert.equal(reason, 'TargetNotFound');
  assert.match(note, /no container no/);
});

test('the answer to the patch is lost: the sidecar is seen, not added again', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  let lost = 0;
  cluster.answer = (request, response) => {
    if (request.sub !== 'ephemeralcontainers' || lost++) {
      return false;
    }
    const nobody = { writeHead: () => nobody, end: () => response.destroy() };
    cluster.serve(request, nobody);
    return true;
  };
  cluster.run('slow');
  clinic.controller();
  await cluster.attached('pod-a');
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
  assert.equal(cluster.entries('pod-a').length, 1);
});

test('a pod that has changed meanwhile is read again', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  let conflicts = 0;
  cluster.answer = ({ sub }) => {
    if (sub === 'ephemeralcontainers' && conflicts++ === 0) {
      cluster.change('pods', 'pod-a', () => {});
    }
    return false;
  };
  cluster.run('slow');
  clinic.controller();
  await cluster.attached('pod-a');
  assert.equal(cluster.patches().length, 2);
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
});

test('what the namespace forbids is said', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const message = 'pods "pod-a" is forbidden: violates PodSecurity "restricted:latest"';
  cluster.answer = ({ sub }, response) => {
    if (sub === 'ephemeralcontainers') {
      cluster.status(response, 403, 'Forbidden', message);
    }
    return sub === 'ephemeralcontainers';
  };
  cluster.run('slow');
  clinic.controller();
  const ended = await cluster.ends('slow');
  assert.equal(conditionWords(ended), 'False PodSecurityDenied');
  assert.match(ended.message, /restricted:latest/);
  assert.equal(cluster.patches().length, 1);
});

test('without the store no pod is touched', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  await clinic.store.kill();
  cluster.run('slow');
  clinic.controller();
  assert.equal(conditionWords(await cluster.ends('slow', 40000)), 'False StoreUnreachable');
  assert.equal(cluster.patches().length, 0);
});

test('an API server that takes no sidecars for a while dooms no run', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const times = [];
  const most = 9; // the store keeps 8 tokens of a target
  cluster.answer = ({ method, sub }, response) => {
    const refused = method === 'PATCH' && sub === 'ephemeralcontainers' && times.length < most;
    if (refused) {
      times.push(Date.now());
      cluster.status(response, 503, 'ServiceUnavailable', 'etcdserver: leader changed');
    }
    return refused;
  };
  cluster.run('slow');
  clinic.controller();
  await until(() => cluster.entries('pod-a').length, 40000, 'the sidecar');
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  assert.equal(gaps.length, most - 1);
  assert.ok(gaps[4] > 4 * gaps[0], `${gaps} ms`);
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
});

test('changes come in pages, and none of them is too large for the controller', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const positions = [];
  const { uid } = cluster.run('slow').metadata;
  const done = { state: 'Succeeded', reason: 'Completed', processes: [{ pid: 7 }] };
  const change = (phase, result) => ({ uid, target: 'pod-a', phase, result });
  const pages = [
    { next: 'a-1', all: true, more: true, changes: [] },
    { next: 'a-2', all: true, more: false, changes: [change('Capturing')] },
    // A million values: as a tree they would be 100 MiB.
    { next: 'a-3', all: false, changes: [change('Done', { x: Array(1_000_000).fill(0) })] },
    { next: 'no position', all: false, changes: [] },
    { next: 'a-4', all: true, changes: [change('Done', done)] },
  ];
  clinic.store = await fakeStore(t, (_step, _count, response, { url }) => {
    const { pathname, searchParams } = new URL(url, 'https://h');
    if (!pathname.endsWith('/changes')) {
      return false;
    }
    // The first one comes once the pod is known to the store.
    const page = positions.length || clinic.store.counts.runs ? pages.shift() : undefined;
    if (page) {
      positions.push(searchParams.get('since'));
    }
    if (page || positions.length === 0) {
      response.end(JSON.stringify(page ?? { next: '', all: true, changes: [] }));
    }
    return true; // and what comes after the last waits
  });
  const controller = clinic.controller();
  assert.equal(conditionWords(await cluster.ends('slow', 30000)), 'True Completed');
  assert.deepEqual(positions, ['', 'a-1', 'a-2', 'a-2', '']);
  assert.match(controller.stderr(), /the store does not tell its changes.*values/);
});

test('an image that cannot be had ends the run', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  cluster.run('slow');
  clinic.controller();
  const { name } = await cluster.attached('pod-a');
  const waiting = { reason: 'ImagePullBackOff', message: 'Back-off pulling image' };
  cluster.tell('pod-a', name, { waiting });
  const ended = await cluster.ends('slow', 30000);
  assert.equal(conditionWords(ended), 'False SidecarNotStarted');
  assert.match(ended.message, /Back-off pulling image/);
});

test('a pod that was made anew under its name is another one', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  cluster.run('slow');
  clinic.controller();
  await cluster.attached('pod-a');
  cluster.drop('pods', 'pod-a');
  cluster.pod('pod-a');
  assert.equal(conditionWords(await cluster.ends('slow')), 'False TargetExited');
  assert.equal(cluster.patches().length, 1);
});

test('who the process runs as is found out by a first look', async (t) => {
  const clinic = await open(t, { user: 0 });
  const { cluster } = clinic;
  cluster.run('slow');
  clinic.controller();
  const look = await cluster.attached('pod-a');
  assert.match(look.name, /-look$/);
  assert.deepEqual(look.args, ['look']);
  assert.ok(!look.env.some(({ name }) => name === 'SONDE_TOKEN'));
  const terminated = { exitCode: 0, reason: 'Completed', message: '{"uid":1234}' };
  cluster.tell('pod-a', look.name, { terminated });
  const entry = await cluster.attached('pod-a', 2);
  assert.equal(entry.securityContext.runAsUser, 1234);
  await clinic.sidecar('pod-a', entry).captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
});

test('a run that is cancelled leaves', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  cluster.run('slow');
  clinic.controller();
  await cluster.attached('pod-a');
  const sidecar = clinic.sidecar('pod-a');
  await sidecar.beat();
  cluster.change('profileruns', 'slow', (run) => {
    run.spec.cancel = true;
  });
  await sidecar.cancelled();
  await sidecar.done('Cancelled', 'Cancelled');
  assert.equal(conditionWords(await cluster.ends('slow')), 'False Cancelled');
});

test('a run is cancelled with patience while the store is away', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const times = [];
  clinic.store = await fakeStore(t, (step, _count, response, { url }) => {
    if (step === 'cancel') {
      times.push(Date.now());
      response.statusCode = 503;
      response.end('{"code":"Busy"}');
    }
    return step === 'cancel' || url.includes('/changes');
  });
  cluster.run('slow');
  clinic.controller();
  await cluster.attached('pod-a');
  cluster.change('profileruns', 'slow', (run) => {
    run.spec.cancel = true;
  });
  await until(() => times.length > 3, 10000, 'tries');
  assert.ok(times[3] - times[0] > 2000, `${times.map((time) => time - times[0])} ms`);
});

test('a run that is cancelled while the store learns of it touches nothing', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  let register;
  clinic.store = await fakeStore(t, (step, _count, response, { url }) => {
    if (step === 'runs') {
      register = () => response.end('{}');
    } else if (step === 'cancel' && register) {
      response.statusCode = 404;
      response.end('{"code":"NotFound"}');
      setImmediate(register);
    }
    return step === 'runs' || step === 'cancel' || url.includes('/changes');
  });
  cluster.run('slow');
  clinic.controller();
  await until(() => register, 10000, 'the registration');
  cluster.change('profileruns', 'slow', (run) => {
    run.spec.cancel = true;
  });
  assert.equal(conditionWords(await cluster.ends('slow')), 'False Cancelled');
  assert.equal(cluster.patches().length, 0);
});

test('a status that is refused is written less and less often', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const times = [];
  cluster.answer = ({ sub }, response) => {
    const refused = sub === 'status' && times.length < 6;
    if (refused) {
      times.push(Date.now());
      cluster.status(response, 500, 'InternalError', 'not now');
    }
    return refused;
  };
  cluster.run('slow');
  const controller = clinic.controller();
  await until(() => cluster.entries('pod-a').length, 30000, 'the sidecar');
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  assert.equal(gaps.length, 5);
  for (const [i, gap] of gaps.slice(1).entries()) {
    assert.ok(gap > 1.4 * gaps[i], `${gaps} ms`);
  }
  assert.match(await metrics(controller), /^sonde_reconcile_errors_total 6$/m);
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
});

test('a run ends although its whole status is refused', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  let refused = 0;
  cluster.answer = ({ method, sub, body }, response) => {
    const wrong = method === 'PATCH' && sub === 'status' && body.status.targets?.[0].pid;
    if (wrong) {
      refused++;
      cluster.status(response, 422, 'Invalid', 'status.targets[0].pid: Invalid value');
    }
    return Boolean(wrong);
  };
  cluster.run('slow');
  const controller = clinic.controller();
  await cluster.attached('pod-a');
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
  const { status } = cluster.get('profileruns', 'slow');
  assert.ok(status.startTime && status.completionTime);
  assert.equal(status.targets, undefined);
  assert.deepEqual(
    status.conditions.map(({ type }) => type),
    ['Succeeded'],
  );
  assert.ok(refused > 0);
  assert.match(controller.stderr(), /only its end is written/);
});

test('what the store does not have was not captured', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  clinic.store = await fakeStore(t, (step, _count, response, { url }) => {
    if (step === 'conclude') {
      response.statusCode = 404;
      response.end('{"code":"NotFound","message":"there is no such run"}');
    }
    return step === 'conclude' || url.includes('/changes');
  });
  cluster.run('slow');
  clinic.controller();
  await cluster.attached('pod-a');
  clinic.sidecar('pod-a').ends('{"state":"Succeeded","reason":"Completed"}');
  const ended = await cluster.ends('slow');
  assert.equal(conditionWords(ended), 'False StoreFailed');
  assert.match(ended.message, /no such run/);
  assert.equal(cluster.condition('slow', 'ArtifactsStored').status, 'False');
});

test('a run that takes too long leaves', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  cluster.run('slow', { activeDeadlineSeconds: 10 });
  clinic.controller();
  await cluster.attached('pod-a');
  const sidecar = clinic.sidecar('pod-a');
  await sidecar.cancelled();
  await sidecar.done('Cancelled', 'Cancelled');
  assert.equal(conditionWords(await cluster.ends('slow')), 'False DeadlineExceeded');
});

test('a run that is deleted in the middle leaves, and is concluded', async (t) => {
  const clinic = await open(t);
  const { cluster, store } = clinic;
  const run = cluster.run('slow');
  clinic.controller();
  await cluster.attached('pod-a');
  const sidecar = clinic.sidecar('pod-a');
  await sidecar.beat();
  cluster.drop('profileruns', 'slow');
  await sidecar.cancelled();
  await sidecar.done('Cancelled', 'Cancelled');
  await until(
    async () => (await store.view({ uid: run.metadata.uid })).state === 'Cancelled',
    10000,
    'the conclusion',
  );
});

test('a run that has been kept long enough is deleted, and no other of its name', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const run = cluster.run('old', { ttlSecondsAfterFinished: 1 });
  cluster.change('profileruns', 'old', (object) => {
    object.status = { completionTime: '2026-01-01T00:00:00Z' };
  });
  clinic.controller();
  await until(() => !cluster.get('profileruns', 'old'), 10000, 'its end');
  const [{ body }] = cluster.asked('DELETE', '/profileruns/old');
  assert.equal(body.preconditions.uid, run.metadata.uid);
});

test('no more pods at a time than maxConcurrent', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  cluster.pod('pod-b');
  cluster.run('slow', {
    target: { selector: { matchLabels: { app: 'web' } } },
    podSelection: { policy: 'All', maxConcurrent: 1 },
  });
  clinic.controller();
  const names = ['pod-a', 'pod-b'];
  const attached = () => names.filter((pod) => cluster.entries(pod).length);
  const [first] = await until(() => attached().length && attached(), 10000, 'the first');
  const sidecar = clinic.sidecar(first);
  sidecar.runs();
  await sidecar.beat();
  await until(
    () => cluster.get('profileruns', 'slow').status.targets.some((a) => a.state === 'Capturing'),
    5000,
    'the capture',
  );
  assert.deepEqual(attached(), [first]);
  await sidecar.done();
  await until(() => attached().length === 2, 10000, 'the second');
  await clinic.sidecar(names.find((pod) => pod !== first)).captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
});

test('of sixty pods fifty are taken, and the run says so', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  for (let i = 1; i < 60; i++) {
    cluster.pod(`pod-${i}`);
  }
  cluster.run('slow', {
    target: { selector: { matchLabels: { app: 'web' } } },
    podSelection: { policy: 'All', maxConcurrent: 1 },
  });
  clinic.controller();
  await until(() => cluster.get('profileruns', 'slow').status?.targets, 10000, 'the choice');
  const { targets, targetsLeftOut } = cluster.get('profileruns', 'slow').status;
  assert.equal(targets.length, 50);
  assert.equal(targetsLeftOut, 10);
  const { status, message } = cluster.condition('slow', 'Accepted');
  assert.equal(status, 'True');
  assert.match(message, /10 more were left out/);
});

test('a run waits for its gates, says so, and then goes on', async (t) => {
  const clinic = await open(t, { ready: 'False' });
  const { cluster } = clinic;
  cluster.run('slow');
  clinic.controller();
  const waiting = () => cluster.condition('slow', 'Accepted')?.status === 'False';
  await until(waiting, 10000, 'the gates');
  assert.equal(cluster.condition('slow', 'Succeeded').status, 'Unknown');
  assert.equal(cluster.patches().length, 0);
  cluster.change('pods', 'pod-a', (pod) => {
    pod.status.conditions[0].status = 'True';
  });
  await cluster.attached('pod-a');
  assert.equal(cluster.condition('slow', 'Accepted').status, 'True');
});

test('a pod that was profiled a short time ago is left alone', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  cluster.run('first');
  clinic.controller();
  await cluster.attached('pod-a');
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('first')), 'True Completed');
  cluster.run('second', { safety: { coolDownSeconds: 3600 } });
  const accepted = () => cluster.condition('second', 'Accepted');
  await until(accepted, 10000, 'a word on it');
  assert.equal(conditionWords(accepted()), 'False CoolingDown');
  assert.equal(cluster.patches().length, 1);
  cluster.run('third', { safety: { coolDownSeconds: 0 } });
  await cluster.attached('pod-a', 2);
});

test('a workload that is rolled out is waited for', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const status = { observedGeneration: 1, replicas: 2, updatedReplicas: 1, availableReplicas: 1 };
  cluster.make('deployments', { name: 'web' }, { spec: { replicas: 1 }, status });
  cluster.change('pods', 'pod-a', ({ metadata }) => {
    metadata.labels['pod-template-hash'] = 'a1';
    metadata.ownerReferences = [{ kind: 'ReplicaSet', name: 'web-a1', controller: true }];
  });
  cluster.run('slow', { target: { workloadRef: { kind: 'Deployment', name: 'web' } } });
  clinic.controller();
  const accepted = () => cluster.condition('slow', 'Accepted');
  await until(accepted, 10000, 'a word on it');
  assert.equal(conditionWords(accepted()), 'False RolloutInProgress');
  cluster.change('deployments', 'web', (deployment) => {
    deployment.status.replicas = 1;
  });
  await cluster.attached('pod-a');
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
});

test('a gate that stays closed is looked at less and less often', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const times = [];
  cluster.answer = ({ method, kind }, response) => {
    const isWorkload = method === 'GET' && kind === 'deployments';
    if (isWorkload) {
      times.push(Date.now());
      const metadata = { name: 'web', generation: 2 };
      cluster.send(response, 200, { metadata, spec: { replicas: 1 }, status: {} });
    }
    return isWorkload;
  };
  cluster.change('pods', 'pod-a', ({ metadata }) => {
    metadata.labels['pod-template-hash'] = 'a1';
    metadata.ownerReferences = [{ kind: 'ReplicaSet', name: 'web-a1', controller: true }];
  });
  cluster.run('slow', { target: { workloadRef: { kind: 'Deployment', name: 'web' } } });
  clinic.controller();
  await until(() => times.length === 4, 30000, 'the fourth look');
  assert.equal(cluster.condition('slow', 'Accepted').reason, 'RolloutInProgress');
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  assert.ok(gaps[0] < 4000 && gaps[1] > 3000 && gaps[2] > 7000, `${gaps} ms`);
});

test('while nothing changes nothing is asked, and the numbers are in Prometheus’s form', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const controller = clinic.controller();
  const at = `http://127.0.0.1:${await controller.port()}`;
  const ready = async () => (await fetch(`${at}/readyz`)).status === 200;
  await until(ready, 10000, 'readiness');
  cluster.run('slow');
  await cluster.attached('pod-a');
  await clinic.sidecar('pod-a').captures();
  await cluster.ends('slow');
  const last = () => cluster.requests.at(-1);
  await until(
    async () => {
      const before = last();
      await delay(2000);
      return before === last();
    },
    20000,
    'quiet',
  );
  const before = cluster.requests.length;
  const quietSeconds = 20;
  await delay(quietSeconds * 1000);
  const asked = cluster.requests.slice(before).map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(asked, []);
  const text = await metrics(controller);
  const line =
    /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [\d.e+-]+)$/;
  assert.deepEqual(
    text
      .trimEnd()
      .split('\n')
      .filter((one) => !line.test(one)),
    [],
  );
  assert.match(text, /^sonde_runs_ended_total\{reason="Completed"\} 1$/m);
  assert.match(text, /^sonde_attaches_total 1$/m);
  assert.match(text, /^sonde_objects\{kind="pods"\} 1$/m);
  for (const [verb, code] of [
    ['list', 200],
    ['get', 200],
    ['create', 201],
    ['patch', 200],
  ]) {
    assert.match(
      text,
      new RegExp(`^sonde_api_requests_total\\{verb="${verb}",code="${code}"\\} [1-9]`, 'm'),
    );
  }
  assert.match(text, /^sonde_watches_total\{kind="profileruns"\} 1$/m);
  assert.match(text, /^sonde_queue_ready 0$/m);
  assert.match(text, /^sonde_queue_adds_total [1-9]/m);
  for (const name of ['sonde_queue_wait_seconds', 'sonde_reconcile_seconds']) {
    const value = (end) => Number(text.split(`\n${name}_${end} `)[1]?.split('\n')[0]);
    const buckets = [...text.matchAll(new RegExp(`^${name}_bucket\\{.*\\} (\\d+)$`, 'gm'))];
    const counts = buckets.map(([, count]) => Number(count));
    assert.equal(counts.length, 13);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    );
    assert.equal(counts.at(-1), value('count'));
    assert.ok(value('count') > 0 && value('sum') > 0, text);
  }
  assert.match(
    text,
    new RegExp(
      `^sonde_reconciles_total ${/sonde_reconcile_seconds_count (\d+)/.exec(text)[1]}$`,
      'm',
    ),
  );
});

test('a pod that is too large hides no other one', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const hostile = (name, more) => {
    cluster.pod(name);
    cluster.change('pods', name, (pod) => Object.assign(pod.spec.containers[0], more));
  };
  const long = { env: [{ name: 'A', value: 'x'.repeat(5 << 20) }] };
  const many = { args: Array(467000).fill('a') };
  hostile('long-1', long);
  hostile('many-1', many);
  const controller = clinic.controller();
  const skipped = async () =>
    Number(
      /^sonde_objects_skipped_total\{kind="pods"\} (\d+)$/m.exec(await metrics(controller))[1],
    );
  await until(async () => (await skipped()) === 2, 20000, 'the list without them');
  hostile('many-2', many);
  hostile('long-2', long);
  await until(async () => (await skipped()) === 4, 20000, 'the watch without them');
  cluster.run('slow');
  await cluster.attached('pod-a');
  await clinic.sidecar('pod-a').captures();
  assert.equal(conditionWords(await cluster.ends('slow')), 'True Completed');
  const text = await metrics(controller);
  assert.match(text, /^sonde_objects\{kind="pods"\} 3$/m);
  assert.match(text, /^sonde_watches_total\{kind="pods"\} 1$/m);
  assert.match(controller.stderr(), /"an object is left out"/);
});

test('who holds connections to the numbers shuts out nobody else', async (t) => {
  const clinic = await open(t);
  const controller = clinic.controller();
  const port = await controller.port();
  const dial = (localAddress) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    return socket;
  };
  const held = Array.from({ length: 30 }, () => dial('127.0.0.1').resume());
  await until(() => held.filter((one) => one.closed).length === 26, 10000, 'their end');
  const other = dial('127.0.0.2');
  other.end('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const answer = Buffer.concat(await other.toArray()).toString();
  assert.match(answer, /^HTTP\/1.1 200 /);
});
