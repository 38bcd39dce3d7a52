// SPDX-License-Identifier: Apache-2.0
'use strict';

// `kubectl sonde`: the commands in a cluster. tests/cluster has them against a real one.

const assert = require('node:assert/strict');
const { createHash, randomBytes } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { zstdCompressSync } = require('node:zlib');
const { ApiServer } = require('./support/api-server.js');
const { bin, exited, profileRun, start, temporary } = require('./support/sonde.js');
const { until } = require('./support/wait.js');

const plugin = path.join(path.dirname(bin), 'kubectl-sonde');
const uid = '11111111-2222-4333-8444-555555555555';
const row = {
  uid,
  name: 'slow',
  namespace: 'clinic',
  kind: 'ProfileRun',
  state: 'Succeeded',
  reason: 'Completed',
  message: '',
  created: '2026-01-02T03:04:05.000Z',
};

async function cluster(t, user) {
  const server = await new ApiServer(t).start();
  const kubeconfig = server.kubeconfig(user === 'certificate' ? server.clientCertificate() : user);
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const begin = (args) => start(t, plugin, args, { env });
  return { server, begin, run: (args) => begin(args).done };
}

function document(t, name = 'slow') {
  const file = path.join(temporary(t), 'run.yaml');
  fs.writeFileSync(file, profileRun(name, [{ name: 'cpu', durationSeconds: 5 }]));
  return file;
}

test('runs are listed, for people and for programs', async (t) => {
  const { server, run } = await cluster(t);
  server.store.runs = () => [200, JSON.stringify({ runs: [row] })];
  const text = await run(['runs']);
  exited(text, 0);
  assert.match(text.stdout, /^UID +NAME +KIND +STATE/);
  assert.match(text.stdout, /11111111 +slow +ProfileRun +Succeeded +Completed/);
  const [request] = server.asked('GET', '/proxy/');
  assert.equal(request.query.get('namespace'), 'clinic');
  assert.equal(request.headers['sonde-authorization'], 'Bearer the-token');
  const all = await run(['runs', '-A', '--output', 'json']);
  assert.deepEqual(JSON.parse(all.stdout).runs, [row]);
  assert.equal(server.asked('GET', '/proxy/')[1].query.get('namespace'), null);
  const other = await run(['runs', '-n', 'billing']);
  exited(other, 0);
  assert.equal(server.asked('GET', '/proxy/')[2].query.get('namespace'), 'billing');
  server.store.runs = () => [200, '{"runs":[]}'];
  assert.match((await run(['runs'])).stdout, /no runs yet/);
});

test('reports and exports come as the store has them', async (t) => {
  const { server, run } = await cluster(t);
  const big = 'x'.repeat(3 << 20);
  const artifact = (capture) => ({ capture, type: 'CPUProfile' });
  server.store['runs/slow/report'] = (r) => [200, `the report as ${r.query.get('format')}\n`];
  server.store['runs/slow'] = () => [200, JSON.stringify({ artifacts: [artifact('cpu')] })];
  server.store['runs/slow/captures/cpu'] = () => [200, big];
  assert.equal((await run(['report', 'slow'])).stdout, 'the report as text\n');
  assert.equal((await run(['report', 'slow', '--format', 'json'])).stdout, 'the report as json\n');
  assert.equal((await run(['report', 'slow', '--format', 'html'])).stdout, 'the report as html\n');
  const file = path.join(temporary(t), 'out');
  exited(await run(['export', 'slow', '--format', 'pprof', '-o', file]), 0);
  assert.equal(fs.readFileSync(file, 'utf8'), big);
  assert.equal(server.asked('GET', 'captures')[0].query.get('format'), 'pprof');
  server.store.compare = (r) => [200, `${r.query.get('before')} to ${r.query.get('after')}\n`];
  assert.equal((await run(['compare', 'slow', 'fast', '--capture', 'x'])).stdout, 'slow to fast\n');
  assert.equal(server.asked('GET', 'compare')[0].query.get('capture'), 'x');
  exited(await run(['compare', 'slow', '../x']), 2);
  const several = { artifacts: [artifact('cpu'), artifact('other')] };
  server.store['runs/slow'] = () => [200, JSON.stringify(several)];
  const ambiguous = await run(['export', 'slow', '--format', 'pprof']);
  exited(ambiguous, 2);
  assert.match(ambiguous.stderr, /cpu and other: give --capture/);
  exited(await run(['export', 'slow', '--format', 'folded', '--capture', 'cpu']), 0);
  exited(await run(['export', 'slow']), 2);
});

test('a capture that comes compressed is unfolded, whole or not at all', async (t) => {
  const { server, run } = await cluster(t);
  const big = Buffer.from('{"a heap": "snapshot"}\n'.repeat(5 << 20)); // 110 MB
  const kept = zstdCompressSync(big);
  server.store['runs/slow/captures/snapshot'] = ({ headers }) =>
    headers['accept-encoding'].includes('zstd')
      ? [200, kept, { 'Content-Encoding': 'zstd' }]
      : [413, JSON.stringify({ code: 'TooLarge', message: 'it has too much' })];
  const file = path.join(temporary(t), 'out');
  const args = ['export', 'slow', '--capture', 'snapshot', '--format', 'raw', '-o', file];
  exited(await run(args), 0);
  assert.ok(big.equals(fs.readFileSync(file)));
  fs.rmSync(file);
  const damaged = Buffer.from(kept);
  damaged[damaged.length >> 1] ^= 1;
  server.store['runs/slow/captures/snapshot'] = () => [
    200,
    damaged,
    { 'Content-Encoding': 'zstd' },
  ];
  exited(await run(args), 1);
  assert.deepEqual(fs.readdirSync(path.dirname(file)), []);
});

test('an artifact that does not come whole is not taken', async (t) => {
  const { server, run } = await cluster(t);
  const whole = randomBytes(300000);
  const kept = zstdCompressSync(whole);
  const told = {
    'Content-Encoding': 'zstd',
    'Sonde-Bytes': String(whole.length),
    'Sonde-Sha256': createHash('sha256').update(whole).digest('hex'),
  };
  const answer = (bytes, headers = told) => {
    server.store['runs/slow/captures/cpu'] = () => [200, bytes, headers];
  };
  const file = path.join(temporary(t), 'out');
  const args = ['export', 'slow', '--capture', 'cpu', '--format', 'raw', '-o', file];
  answer(kept);
  exited(await run(args), 0);
  assert.ok(whole.equals(fs.readFileSync(file)));
  fs.rmSync(file);
  const other = zstdCompressSync(randomBytes(300000));
  const others = { ...told, 'Sonde-Sha256': told['Sonde-Sha256'].replace(/^./, 'x') };
  const without = (name) =>
    Object.fromEntries(Object.entries(told).filter(([key]) => key !== name));
  for (const [bytes, headers, pattern] of [
    [kept.subarray(0, 200000), told, /\d+ bytes came, of 300000: .*delete the run/],
    [Buffer.concat([kept, kept]), told, /600000 bytes came, of 300000: /],
    [other, told, /300000 bytes came, of 300000, with another SHA-256: /],
    [kept, others, /with another SHA-256: /],
    [kept, without('Sonde-Bytes'), /only one came/],
    [kept, without('Sonde-Sha256'), /only one came/],
  ]) {
    answer(bytes, headers);
    const result = await run(args);
    exited(result, 1);
    assert.match(result.stderr, pattern);
    assert.deepEqual(fs.readdirSync(path.dirname(file)), []);
  }
});

test('what is refused is said in the words of who refused it', async (t) => {
  const { server, run } = await cluster(t);
  const no = (status, code, message) => () => [status, JSON.stringify({ code, message })];
  const missing = await run(['report', 'nothing']);
  exited(missing, 3);
  assert.match(missing.stderr, /there is no such run/);
  server.store['runs/slow/report'] = no(403, 'Denied', 'ann may not get profileruns/report');
  const denied = await run(['report', 'slow']);
  exited(denied, 1);
  assert.match(denied.stderr, /ann may not get profileruns\/report/);
  server.store['runs/slow/report'] = () => [503, 'no endpoints available'];
  const down = await run(['report', 'slow']);
  exited(down, 1);
  assert.match(down.stderr, /StoreUnreachable/);
  for (const name of ['a/b', '..', '']) {
    exited(await run(['report', name]), 2);
  }
  const nowhere = await start(t, plugin, ['runs', '--kubeconfig', '/nonexistent'], {}).done;
  exited(nowhere, 1);
  assert.match(nowhere.stderr, /\/nonexistent/);
});

test('a run is deleted in the store first, then its object', async (t) => {
  const { server, run } = await cluster(t);
  server.store['runs/slow'] = () => [200, JSON.stringify(row)];
  server.store[`runs/${uid}`] = () => [200, JSON.stringify({ deleted: uid })];
  const result = await run(['delete', 'slow']);
  exited(result, 0);
  assert.match(result.stdout, new RegExp(`deleted ${uid}`));
  const deletions = server.requests.filter((r) => r.method === 'DELETE');
  assert.match(deletions[0].path, new RegExp(`proxy/api/v1/runs/${uid}$`));
  assert.match(deletions[1].path, /namespaces\/clinic\/profileruns\/slow$/);
  assert.equal(JSON.parse(deletions[1].body).preconditions.uid, uid);
  server.store[`runs/${uid}`] = () => [403, JSON.stringify({ code: 'Denied', message: 'no' })];
  exited(await run(['delete', 'slow']), 1);
  assert.equal(server.asked('DELETE', 'profileruns').length, 1);
});

test('a certificate gets a token of the reader', async (t) => {
  const { server, run } = await cluster(t, 'certificate');
  server.store.runs = () => [200, '{"runs":[]}'];
  exited(await run(['runs']), 0);
  const [request] = server.asked('GET', '/proxy/');
  assert.equal(request.headers['sonde-authorization'], 'Bearer of-the-reader');
  assert.equal(request.headers.authorization, undefined);
});

// Follows a run until it watches.
async function following(t, args) {
  const { server, begin } = await cluster(t);
  server.store[`runs/${uid}/report`] = (r) => [200, `report ${r.query.get('format')}\n`];
  const running = begin(args);
  await until(() => server.watches.length > 0, 20000, 'the watch');
  return { server, running };
}

const accepted = { Accepted: ['True', 'Accepted', ''] };

test('a document is applied, followed and reported', async (t) => {
  const { server, running } = await following(t, ['run', document(t)]);
  const [created] = server.asked('POST', 'profileruns');
  const object = JSON.parse(created.body);
  assert.equal(object.metadata.namespace, 'clinic');
  assert.equal(object.spec.captures[0].durationSeconds, 5);
  server.change('clinic/slow', { ...accepted, Succeeded: ['Unknown', 'Running', ''] });
  await running.says(/slow: Accepted True/);
  server.change('clinic/slow', { ...accepted, Succeeded: ['True', 'Completed', ''] });
  const result = await running.done;
  exited(result, 0);
  assert.equal(result.stdout, 'report text\n');
});

test('a run that fails says why, and how to mend it', async (t) => {
  const { server, running } = await following(t, ['run', document(t)]);
  const failed = ['False', 'PodSecurityDenied', 'the pod breaks the policy'];
  server.change('clinic/slow', { Succeeded: failed });
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /PodSecurityDenied: slow: the pod breaks the policy/);
  assert.match(result.stderr, /in line with the policy/);
});

test('a run that is deleted meanwhile ends the waiting', async (t) => {
  const { server, running } = await following(t, ['run', document(t)]);
  server.change('clinic/slow', accepted);
  await running.says(/Accepted/);
  server.remove('clinic/slow');
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /slow was deleted/);
});

test('a run that is deleted as soon as it has ended has ended', async (t) => {
  const { server, running } = await following(t, ['run', document(t)]);
  for (const { response } of server.watches) {
    response.cork(); // both come at once
  }
  server.change('clinic/slow', { ...accepted, Succeeded: ['True', 'Completed', ''] });
  server.remove('clinic/slow');
  for (const { response } of server.watches) {
    response.uncork();
  }
  const result = await running.done;
  exited(result, 0);
  assert.equal(result.stdout, 'report text\n');
});

test('Ctrl-C leaves the run in the cluster, and says how to end it', async (t) => {
  const { running } = await following(t, ['run', document(t)]);
  running.child.kill('SIGINT');
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /goes on in the cluster.*cancel/);
});

test('what a list does not have yet is no run that was deleted', async (t) => {
  const { server, begin } = await cluster(t);
  server.store[`runs/${uid}/report`] = () => [200, 'report\n'];
  server.behind = true;
  const running = begin(['run', document(t)]);
  await until(() => server.watches.length > 0, 20000, 'the watch');
  server.change('clinic/slow', { ...accepted, Succeeded: ['True', 'Completed', ''] });
  exited(await running.done, 0);
});

test('what is gone before it could be followed was deleted', async (t) => {
  const { server, run } = await cluster(t);
  server.create = (_plural, _namespace, object, response) => {
    server.send(response, 201, { ...object, metadata: { ...object.metadata, uid } });
  };
  const result = await run(['run', document(t)]);
  exited(result, 1);
  assert.match(result.stderr, /slow was deleted/);
});

test('an API server that is away is asked until it is back, and that is said once', async (t) => {
  const { server, running } = await following(t, ['run', document(t)]);
  const { port } = server.server.address();
  server.watches.length = 0;
  server.server.close();
  server.server.closeAllConnections();
  await running.says(/slow: the API server does not answer \(.*asked again until it does/);
  await new Promise((resolve) => server.server.listen(port, '127.0.0.1', resolve));
  await until(() => server.watches.length > 0, 60000, 'the next watch');
  server.change('clinic/slow', { ...accepted, Succeeded: ['True', 'Completed', ''] });
  const result = await running.done;
  exited(result, 0);
  assert.equal(result.stderr.match(/does not answer/g).length, 1);
});

test('--timeout ends the waiting, not the run', async (t) => {
  const { run } = await cluster(t);
  const result = await run(['run', document(t), '--timeout', '1s']);
  exited(result, 1);
  assert.match(result.stderr, /longer than --timeout: slow goes on in the cluster.*cancel/);
  exited(await run(['run', document(t), '--timeout', '1s', '--no-wait']), 2);
});

test('Ctrl-C while one of several is followed leaves the others out', async (t) => {
  const file = document(t);
  fs.appendFileSync(file, `\n---\n${fs.readFileSync(document(t, 'other'), 'utf8')}`);
  const { server, running } = await following(t, ['run', file]);
  running.child.kill('SIGINT');
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /1 of 2 documents were not begun/);
  assert.equal(server.asked('POST', 'profileruns').length, 1);
});

test('a document is checked before anything is sent, and names are taken once', async (t) => {
  const { server, run } = await cluster(t);
  const bad = path.join(temporary(t), 'bad.yaml');
  fs.writeFileSync(bad, profileRun('slow', [{ name: 'cpu', durationSeconds: 0 }]));
  const invalid = await run(['run', bad]);
  exited(invalid, 2);
  assert.match(invalid.stderr, /bad\.yaml:1:\d+: spec\.captures\[0\]\.durationSeconds/);
  assert.deepEqual(server.requests, []);
  server.denied = 'you may not patch pods/ephemeralcontainers in clinic';
  const denied = await run(['run', document(t)]);
  exited(denied, 1);
  assert.match(denied.stderr, /may not patch pods\/ephemeralcontainers/);
  server.denied = undefined;
  exited(await run(['run', document(t), '--no-wait']), 0);
  const again = await run(['run', document(t), '--no-wait']);
  exited(again, 1);
  assert.match(again.stderr, /there is a ProfileRun slow in clinic already/);
  exited(await run(['run', document(t), '--pid', '1']), 2);
});

test('a workload is profiled without a document', async (t) => {
  const { server, run } = await cluster(t);
  const printed = await run(['profile', 'sts/db', '--duration', '7s', '--dry-run']);
  exited(printed, 0);
  const object = JSON.parse(printed.stdout);
  assert.deepEqual(object.spec.target.workloadRef, { kind: 'StatefulSet', name: 'db' });
  assert.equal(object.spec.captures[0].durationSeconds, 7);
  assert.match(object.metadata.name, /^db-[0-9a-f]{6}$/);
  assert.deepEqual(server.requests, []);
  exited(await run(['profile', 'patients', '--no-wait']), 0);
  const created = JSON.parse(server.asked('POST', 'profileruns')[0].body);
  assert.deepEqual(created.spec.target.workloadRef, { kind: 'Deployment', name: 'patients' });
  for (const word of ['cronjob/x', 'deployment/', 'deployment/UPPER', 'a/b/c']) {
    exited(await run(['profile', word, '--no-wait']), 2);
  }
  exited(await run(['profile']), 2);
});

test('without the plugin’s name a cluster must be meant', async (t) => {
  const { server } = await cluster(t);
  server.store.runs = () => [200, '{"runs":[]}'];
  const env = { ...process.env, KUBECONFIG: path.join(server.directory, 'kubeconfig') };
  exited(await start(t, bin, ['runs', '--cluster'], { env }).done, 0);
  exited(await start(t, bin, ['runs', '-n', 'clinic'], { env }).done, 0);
  assert.equal(server.asked('GET', '/proxy/').length, 2);
  const local = await start(t, bin, ['profile', 'deployment/x'], { env }).done;
  exited(local, 2);
  assert.match(local.stderr, /kubectl sonde/);
});
