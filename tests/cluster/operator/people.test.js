// SPDX-License-Identifier: Apache-2.0
'use strict';

// What people see and may do, with nothing but kubectl and their own rights.

const assert = require('node:assert/strict');
const { createHash, randomBytes, randomUUID } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { call } = require('./support/api.js');
const { lineOf } = require('./support/cluster.js');
const { Person, rights } = require('./support/people.js');
const pods = require('./support/pods.js');
const { Run, cpu } = require('./support/run.js');
const { Space } = require('./support/space.js');
const { artifactPath, askStore, askStoreDirectly } = require('./support/store.js');
const { podsOf } = require('./support/system.js');
const { until } = require('./support/wait.js');

// Our role for those who may profile, and those of every cluster that ours are a part of.
const requester = 'sonde-requester';
const seconds = 30;
// Where the hot function begins, or the line of it that costs most.
const service = 'tests/cluster/workloads/app/service.js';
const hotLines = ['function hotLoop(', 'sink * 31'].map((text) => lineOf(service, text));
const hotPlace = `service\\.js:(${hotLines.join('|')})\\b`;

const document = (name) => `apiVersion: sonde.dev/v1alpha1
kind: ProfileRun
metadata: {name: ${name}}
spec:
  target: {workloadRef: {kind: Deployment, name: patients}}
  captures: [{name: cpu, type: CPUProfile, durationSeconds: 3}]
`;

async function done(person, args) {
  const { code, stdout, stderr } = await person.kubectl(args);
  assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

// A run that succeeded: {space, pod, run, status}.
async function captured(t) {
  const space = await Space.make(t);
  const pod = await space.pod();
  const run = await Run.apply(space, { pod });
  const { status } = await run.succeeds();
  return { space, pod, run, status };
}

// A request as a sidecar makes it.
function asSidecar(run, token, path, { target = 'target', ...options } = {}) {
  const headers = { 'sonde-target': target, 'sonde-instance': randomBytes(16).toString('hex') };
  return askStoreDirectly('POST', `runs/${run.uid}/${path}`, { token, headers, ...options });
}

describe('people', { concurrency: 3 }, () => {
  test('a run from apply to the report', async (t) => {
    const space = await Space.make(t);
    await space.deployment('patients', 1, [pods.container({ env: { BUSY_PERCENT: 40 } })]);
    const person = await Person.make(t, space, 'ann', requester);
    const documents = [document('slow-patients'), document('once-more')].join('---\n');
    const applied = await person.apply(documents);
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, /slow-patients created\n.*once-more created/);

    const names = ['profilerun/slow-patients', 'profilerun/once-more'];
    await done(person, ['wait', '--for=condition=Succeeded', ...names, '--timeout=90s']);
    const table = await done(person, ['get', 'profileruns']);
    const [header, ...rows] = table.trimEnd().split('\n');
    assert.match(header, /^NAME +TARGET +CAPTURES +PODS +SUCCEEDED +REASON +TOP +AGE/);
    assert.equal(rows.length, 2);
    for (const row of rows) {
      const columns = `^\\S+ +Deployment/patients +CPUProfile +1/1 +True +Completed +\\d+% hotLoop ${hotPlace}`;
      assert.match(row, new RegExp(columns));
    }

    const report = await done(person, ['sonde', 'report', 'slow-patients']);
    assert.match(report, new RegExp(`hotLoop .*${hotPlace}`));
    const runs = await done(person, ['sonde', 'runs']);
    assert.match(runs, /once-more +ProfileRun +Succeeded +Completed/);
    const folded = ['sonde', 'export', 'slow-patients', '--capture', 'cpu', '--format', 'folded'];
    assert.match(await done(person, folded), /;hotLoop.* \d+/);
    await done(person, ['sonde', 'delete', 'slow-patients']);
    assert.doesNotMatch(await done(person, ['sonde', 'runs']), /slow-patients/);
  });

  test('one command from the Deployment, or from a document, to the report', async (t) => {
    const space = await Space.make(t);
    await space.deployment('patients', 1, [pods.container({ env: { BUSY_PERCENT: 40 } })]);
    const person = await Person.make(t, space, 'ann', requester);
    const line = new RegExp(`hotLoop .*${hotPlace}`);
    const profile = ['sonde', 'profile', 'deployment/patients', '--duration', '2s'];
    assert.match(await done(person, profile), line);
    const file = path.join(person.directory, 'run.yaml');
    fs.writeFileSync(file, document('written'));
    const said = JSON.parse(await done(person, ['sonde', 'run', file, '--output', 'json']));
    assert.equal(said.runs[0].name, 'written');
    assert.equal(said.runs[0].state, 'Succeeded');
  });

  test('an administrator who has a certificate and no token reads the report', async (t) => {
    const { space } = await captured(t);
    const person = await Person.administrator(t, space);
    assert.match(await done(person, ['sonde', 'report', 'profile']), /hotLoop/);
  });

  test('who made a run is recorded', async (t) => {
    const space = await Space.make(t);
    await space.deployment('patients', 1);
    const person = await Person.make(t, space, 'ann', requester);
    assert.equal((await person.apply(document('profile'))).code, 0);
    const run = new Run(
      space,
      JSON.parse(await done(person, ['get', 'prun/profile', '-o', 'json'])),
    );
    assert.equal((await run.succeeds()).status.requester, person.user);
  });

  test('without the right to attach, a run is refused at apply', async (t) => {
    const space = await Space.make(t);
    const person = await Person.make(t, space, 'bob', 'edit');
    const { code, stderr } = await person.apply(document('profile'));
    assert.notEqual(code, 0);
    assert.match(stderr, /ephemeralcontainers/);
    assert.ok(stderr.includes(person.user), stderr);
    assert.match(await done(person, ['get', 'profileruns', '--output=name']), /^$/);
  });

  test("the right to attach counts in the run's namespace only", async (t) => {
    const [space, other] = await Promise.all([Space.make(t), Space.make(t)]);
    const person = await Person.make(t, space, 'bob', requester);
    await other.allow('bob', 'edit', space.name);
    const { code, stderr } = await person.kubectl(
      ['apply', '--namespace', other.name, '--filename', '-'],
      { input: document('profile') },
    );
    assert.notEqual(code, 0);
    assert.match(stderr, /ephemeralcontainers/);
  });

  test("another namespace's person reads nothing of a run", async (t) => {
    const { space, run, status } = await captured(t);
    const other = await Space.make(t);
    const { token } = await Person.make(t, other, 'eve', requester);
    const where = `namespace=${space.name}`;
    const paths = [
      `runs?${where}`,
      'runs',
      `runs/${run.uid}?${where}`,
      `runs/${run.uid}/report?${where}`,
      `runs/${run.uid}/findings?${where}`,
      `runs/${run.uid}/captures/cpu?${where}&format=folded`,
      artifactPath(space, status.artifacts[0].id),
      `artifacts/${status.artifacts[0].id}`,
    ];
    for (const path of paths) {
      const answer = await askStore('GET', path, { token });
      assert.ok([403, 404].includes(answer.status), `${path}: ${answer.status} ${answer.text}`);
      assert.ok(!answer.text.includes('hotLoop'));
    }
    // Her own namespace does not stand for that of the run.
    const disguised = [
      `runs/${run.uid}/report?namespace=${other.name}`,
      artifactPath(other, status.artifacts[0].id),
    ];
    for (const path of disguised) {
      assert.ok([403, 404].includes((await askStore('GET', path, { token })).status), path);
    }
    const remove = await askStore('DELETE', `runs/${run.uid}?${where}`, { token });
    assert.equal(remove.status, 403, remove.text);
    for (const path of paths) {
      assert.equal((await askStore('GET', path)).status, 401, path);
      assert.equal((await askStore('GET', path, { token: 'x'.repeat(64) })).status, 401, path);
    }
  });

  test('who may read the report may not download, and each download is logged', async (t) => {
    const { space, run, status } = await captured(t);
    const reader = await Person.make(t, space, 'reader', 'view');
    const loader = await Person.make(t, space, 'loader', rights.artifacts);
    const [{ id, bytes, sha256 }] = status.artifacts;
    const report = `runs/${run.uid}/report?namespace=${space.name}&format=text`;
    assert.equal((await askStore('GET', report, reader)).status, 200);
    assert.equal((await askStore('GET', artifactPath(space, id), reader)).status, 403);

    assert.equal((await askStore('GET', report, loader)).status, 403);
    const { status: code, text } = await askStore('GET', artifactPath(space, id), loader);
    assert.equal(code, 200);
    assert.equal(Buffer.byteLength(text), bytes);
    assert.equal(createHash('sha256').update(text).digest('hex'), sha256);
    const logged = async () => {
      const logs = await Promise.all((await podsOf('sonde-store')).map((pod) => pods.logOf(pod)));
      return logs.some((log) =>
        log.split('\n').some((line) => names(line, '"download"', run.uid, loader.user)),
      );
    };
    await until(logged, seconds, 'the download is in the log');
  });
});

const names = (line, ...words) => words.every((word) => line.includes(word));

describe('our own accounts', () => {
  const may = async (account, resourceAttributes) => {
    const user = `system:serviceaccount:sonde-system:${account}`;
    const groups = ['system:serviceaccounts', 'system:authenticated'];
    const object = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user, groups, resourceAttributes },
    };
    const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
    return (await call('POST', path, { object })).status.allowed;
  };
  const elsewhere = { namespace: 'default', group: '' };
  const attach = {
    ...elsewhere,
    verb: 'patch',
    resource: 'pods',
    subresource: 'ephemeralcontainers',
  };
  const rbac = { group: 'rbac.authorization.k8s.io', resource: 'clusterroles' };
  const forbidden = [
    { ...elsewhere, verb: 'create', resource: 'pods', subresource: 'exec' },
    { ...elsewhere, verb: 'create', resource: 'pods', subresource: 'attach' },
    { ...elsewhere, verb: 'create', resource: 'pods' },
    { ...elsewhere, verb: 'delete', resource: 'pods' },
    { ...elsewhere, verb: 'get', resource: 'secrets' },
    { ...elsewhere, verb: 'list', resource: 'secrets' },
    { ...elsewhere, verb: 'create', resource: 'serviceaccounts', subresource: 'token' },
    { group: '', verb: 'impersonate', resource: 'users' },
    { ...rbac, verb: 'bind' },
    { ...rbac, verb: 'escalate' },
    { ...rbac, verb: 'update' },
    { group: '*', verb: '*', resource: '*' },
  ];

  test('the controller attaches, and may neither execute nor read Secrets', async () => {
    assert.equal(await may('sonde-controller', attach), true);
    for (const one of forbidden) {
      assert.equal(await may('sonde-controller', one), false, JSON.stringify(one));
    }
  });

  test('the store asks who somebody is and what they may, and nothing else', async () => {
    const review = { group: 'authentication.k8s.io', verb: 'create', resource: 'tokenreviews' };
    assert.equal(await may('sonde-store', review), true);
    const list = {
      group: 'sonde.dev',
      verb: 'list',
      resource: 'profileruns',
      namespace: 'default',
    };
    for (const one of [...forbidden, attach, list]) {
      assert.equal(await may('sonde-store', one), false, JSON.stringify(one));
    }
  });
});

describe('upload tokens', { concurrency: 3 }, () => {
  test('one that is in use is refused to another, and so is one that was used', async (t) => {
    const space = await Space.make(t);
    const pod = await space.pod();
    const run = await Run.apply(space, { pod, captures: [cpu(5)] });
    await run.captures(pod);
    const token = await run.token(pod);
    const through = { 'sonde-target': pod.metadata.name, 'sonde-instance': '0'.repeat(32) };
    const proxied = { token, headers: through, object: { phase: 'Capturing' } };
    const stolen = await askStore('POST', `runs/${run.uid}/heartbeat`, proxied);
    assert.deepEqual([stolen.status, stolen.json?.code], [401, 'Unauthenticated'], stolen.text);
    const heartbeat = { object: { phase: 'Capturing' } };
    const reused = await asSidecar(run, token, 'heartbeat', heartbeat);
    assert.equal(reused.json?.code, 'TokenUsed', reused.text);
    assert.ok(reused.status >= 400);
    const finish = await asSidecar(run, token, 'done', { object: { state: 'Failed' } });
    assert.equal(finish.json?.code, 'TokenUsed', finish.text);
    // It is bound to its pod.
    const elsewhere = await asSidecar(run, token, 'heartbeat', { target: 'other', ...heartbeat });
    assert.ok(elsewhere.status >= 400, elsewhere.text);
    await run.succeeds();
    const spent = await asSidecar(run, token, 'heartbeat', heartbeat);
    assert.deepEqual([spent.status, spent.json?.code], [403, 'TokenSpent'], spent.text);
    await run.leftNothing(pod);
  });

  test('one that is expired, or unknown, is refused', async () => {
    const uid = randomUUID();
    const token = randomBytes(32).toString('hex');
    const object = {
      uid,
      name: 'expired',
      namespace: 'default',
      kind: 'ProfileRun',
      requester: 'test',
      document: {
        apiVersion: 'sonde.dev/v1alpha1',
        kind: 'ProfileRun',
        metadata: { name: 'expired', namespace: 'default' },
        spec: { target: { podName: 'target' }, captures: [cpu()] },
      },
      targets: [
        {
          target: 'target',
          tokenSha256: createHash('sha256').update(token).digest('hex'),
          expires: Math.floor(Date.now() / 1000) - 1,
        },
      ],
    };
    const controller = await new Space('sonde-system').token('sonde-controller', 'sonde-store');
    const made = await askStore('POST', 'runs', { token: controller, object });
    assert.ok([200, 201].includes(made.status), made.text);
    const heartbeat = { object: { phase: 'Connected' } };
    const expired = await asSidecar({ uid }, token, 'heartbeat', heartbeat);
    assert.deepEqual([expired.status, expired.json?.code], [403, 'TokenExpired'], expired.text);
    const unknown = await asSidecar({ uid }, 'f'.repeat(64), 'heartbeat', heartbeat);
    assert.equal(unknown.status, 401, unknown.text);
    const conclusion = { state: 'Failed', reason: 'Cancelled', message: 'the test is over' };
    const conclude = { token: controller, object: { ...conclusion, completed: 1 } };
    assert.equal((await askStore('POST', `runs/${uid}/conclude`, conclude)).status, 200);
  });

  test("a person's token is neither the controller's nor a sidecar's", async (t) => {
    const { space, run } = await captured(t);
    const { token } = await Person.make(t, space, 'ann', requester);
    const object = { state: 'Failed', reason: 'Internal', message: 'forged', completed: 1 };
    const concluded = await askStore('POST', `runs/${run.uid}/conclude`, { token, object });
    assert.ok([401, 403].includes(concluded.status), concluded.text);
    const changes = await askStore('GET', 'changes?since=0&wait=0', { token });
    assert.ok([401, 403].includes(changes.status), changes.text);
    const beat = await asSidecar(run, token, 'heartbeat', { object: { phase: 'Connected' } });
    assert.ok([401, 403].includes(beat.status), beat.text);
  });
});
