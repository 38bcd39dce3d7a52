// SPDX-License-Identifier: Apache-2.0
'use strict';

// `kubectl sonde` with load tests and schedules, in an API server that is played.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { ApiServer } = require('./support/api-server.js');
const { bin, exited, start, temporary } = require('./support/sonde.js');
const { LoadTest, tally } = require('./support/load-runners.js');
const { Service, personToken } = require('./support/store-service.js');
const { until } = require('./support/wait.js');

const plugin = path.join(path.dirname(bin), 'kubectl-sonde');
const uid = '11111111-2222-4333-8444-555555555555';
const spec = {
  target: { service: { name: 'patients', port: 80 } },
  scenario: { requests: [{ name: 'list', path: '/list' }] },
  arrival: { rate: 100, durationSeconds: 30 },
  connections: 10,
  parallelism: 3,
  thresholds: ['http_req_duration: p(99) < 200'],
};

async function cluster(t) {
  const server = await new ApiServer(t).start();
  const env = { ...process.env, KUBECONFIG: server.kubeconfig() };
  const begin = (args) => start(t, plugin, args, { env });
  return { server, begin, run: (args) => begin(args).done };
}

function object(kind, name, own, metadata = {}) {
  const apiVersion = 'sonde.dev/v1alpha1';
  return { apiVersion, kind, metadata: { name, ...metadata }, spec: own };
}

function file(t, ...objects) {
  const name = path.join(temporary(t), 'documents.json');
  fs.writeFileSync(name, objects.map((one) => JSON.stringify(one)).join('\n---\n'));
  return name;
}

const key = (name) => `loadtests/clinic/${name}`;
const running = {
  Accepted: ['True', 'Accepted', ''],
  RunnersReady: ['True', 'RunnersReady', '3 of 3'],
  Running: ['True', 'Running', ''],
};

// Begins a test, and follows it until it watches.
async function following(t, ...more) {
  const { server, begin } = await cluster(t);
  server.store[`runs/${uid}/report`] = (r) => [200, `{"as":"${r.query.get('format')}"}\n`];
  const process = begin(['run', file(t, object('LoadTest', 'nightly', spec)), ...more]);
  await until(() => server.watches.length > 0, 20000, 'the watch');
  return { server, process };
}

test('a load test is made, followed and reported', async (t) => {
  const { server, process } = await following(t, '--wait');
  const [created] = server.asked('POST', 'loadtests');
  const made = JSON.parse(created.body);
  assert.equal(made.metadata.namespace, 'clinic');
  assert.equal(made.spec.parallelism, 3);
  assert.match(server.asked('GET', 'loadtests')[0].query.get('fieldSelector'), /nightly/);
  server.change(key('nightly'), { ...running, Succeeded: ['Unknown', 'Running', ''] });
  await process.says(/nightly: RunnersReady True RunnersReady \(3 of 3\)/);
  await process.says(/nightly: Running True/);
  server.change(key('nightly'), {
    ...running,
    ThresholdsMet: ['True', 'ThresholdsMet', ''],
    Succeeded: ['True', 'Completed', ''],
  });
  const result = await process.done;
  exited(result, 0);
  assert.match(result.stderr, /loadtest\/nightly created in clinic/);
  assert.match(result.stderr, /ThresholdsMet True/);
  assert.equal(result.stdout, '{"as":"text"}\n');
});

const verdicts = [
  ['ThresholdBroken', 99, /p\(99\) is 312 ms/],
  ['Regression', 98, /p\(99\) is 312 ms/],
  ['Invalid', 1, /throttled/],
  ['RunnerLost', 1, /runner 2/],
  ['HostNotAllowed', 1, /example\.com/],
];
for (const [reason, code, words] of verdicts) {
  test(`a load test that ends with ${reason} exits with ${code}`, async (t) => {
    const { server, process } = await following(t, '--output', 'json');
    const message = 'p(99) is 312 ms; throttled; runner 2; example.com';
    server.change(key('nightly'), { ...running, Succeeded: ['False', reason, message] });
    const result = await process.done;
    exited(result, code);
    assert.match(result.stderr, new RegExp(`sonde: ${reason}: nightly: `));
    assert.match(result.stderr, words);
    assert.deepEqual(JSON.parse(result.stdout), { runs: [{ as: 'json' }] });
  });
}

test('what may not be seen is not waited for', async (t) => {
  const { server, run } = await cluster(t);
  const made = file(t, object('LoadTest', 'nightly', spec));
  server.unseen = 'loadtests';
  const result = await run(['run', made]);
  exited(result, 1);
  assert.match(result.stderr, /may not see loadtests/);
  exited(await run(['run', made, '--wait', '--no-wait']), 2);
});

test('Ctrl-C leaves a load test in the cluster, and says how to end it', async (t) => {
  const { process } = await following(t);
  process.child.kill('SIGINT');
  const result = await process.done;
  exited(result, 1);
  assert.match(result.stderr, /goes on in the cluster.*-n clinic patch loadtest nightly.*cancel/);
});

test('a schedule is applied, and says when it fires next', async (t) => {
  const { server, run } = await cluster(t);
  const common = { schedule: '30 2 * * *', timeZone: 'Europe/Berlin' };
  const tests = object('LoadTestSchedule', 'nightly', { ...common, testTemplate: { spec } });
  const capture = { name: 'cpu', type: 'CPUProfile', durationSeconds: 5 };
  const profile = { target: { podName: 'a' }, captures: [capture] };
  const suspended = { schedule: '@hourly', suspend: true, runTemplate: { spec: profile } };
  const both = file(t, tests, object('ProfileSchedule', 'hourly', suspended));
  const result = await run(['run', both]);
  exited(result, 0);
  const said = /^loadtestschedule\/nightly applied in clinic; it fires next at (\S+)$/m;
  const next = new Date(said.exec(result.stderr)[1]);
  assert.ok(next > new Date(), result.stderr);
  const berlin = { timeZone: 'Europe/Berlin', timeStyle: 'short' };
  assert.equal(next.toLocaleString('en-GB', berlin), '02:30');
  assert.match(result.stderr, /profileschedule\/hourly applied in clinic; suspended/);
  const [patch] = server.asked('PATCH', 'loadtestschedules/nightly');
  assert.equal(patch.headers['content-type'], 'application/apply-patch+yaml');
  assert.equal(patch.query.get('fieldManager'), 'kubectl-sonde');
  // Applied again it is the same one.
  exited(await run(['run', both]), 0);
  assert.equal(server.objects.get('loadtestschedules/clinic/nightly').spec.schedule, '30 2 * * *');
});

test('a firing is put off by its jitter, but never beyond the next one', async (t) => {
  const { run } = await cluster(t);
  const common = { schedule: '* * * * *', jitterSeconds: 86400 };
  const often = file(t, object('LoadTestSchedule', 'often', { ...common, testTemplate: { spec } }));
  const result = await run(['run', often]);
  exited(result, 0);
  const next = Date.parse(/it fires next at (\S+)$/m.exec(result.stderr)[1]);
  assert.ok(next < Date.now() + 120_000, result.stderr);
});

const times = Array.from({ length: 50 }, (_, i) => 1000 + 20 * i);

// A load test of two runners in a real store, which is behind the API server's proxy.
async function begun(service, name) {
  const thresholds = ['http_req_duration: p(99) < 200'];
  const load = await LoadTest.make(service, 2, { thresholds }, { name });
  await load.begin();
  return load;
}

async function aSecond(load) {
  for (const runner of load.runners) {
    assert.equal((await runner.second(tally(times))).status, 200);
  }
}

async function ended(load) {
  for (const runner of load.runners) {
    assert.equal((await runner.finish()).status, 200);
  }
  assert.equal((await load.conclude()).status, 200);
}

async function stored(t) {
  const service = await Service.start(t);
  const { server, run, begin } = await cluster(t);
  server.forward(service, personToken);
  return { service, server, run, begin };
}

test('what the store has of load tests is listed, reported, compared and handed out', async (t) => {
  const { service, server, run } = await stored(t);
  for (const name of ['monday', 'tuesday']) {
    const load = await begun(service, name);
    await aSecond(load);
    await aSecond(load);
    await ended(load);
  }
  const listed = await run(['runs']);
  exited(listed, 0);
  assert.match(listed.stdout, /^UID +NAME +KIND +STATE/);
  assert.match(listed.stdout, /monday +LoadTest +Succeeded/);
  const report = await run(['report', 'monday']);
  exited(report, 0);
  assert.match(report.stdout, /send lag/);
  const json = JSON.parse((await run(['report', 'last', '--output', 'json'])).stdout);
  assert.equal(json.name, 'tuesday');
  assert.match((await run(['report', 'monday', '--format', 'html'])).stdout, /^<!doctype html>/i);
  const compared = await run(['compare', 'monday', 'tuesday']);
  exited(compared, 0);
  assert.match(compared.stdout, /monday/);
  for (const [format, pattern] of [
    ['junit', /<testsuite/],
    ['csv', /^[a-z_]+,/m],
    ['k6', /"metrics"/],
    ['raw', /./],
  ]) {
    const exported = await run(['export', 'monday', '--format', format]);
    exited(exported, 0);
    assert.match(exported.stdout, pattern);
  }
  server.put(key('monday'), object('LoadTest', 'monday', spec));
  exited(await run(['delete', 'monday']), 0);
  assert.ok(!server.objects.has(key('monday')));
  assert.doesNotMatch((await run(['runs'])).stdout, /monday/);
});

test('what runners send to the store is watched, and what came of it reported', async (t) => {
  const { service, server, begin } = await stored(t);
  const load = await begun(service, 'nightly');
  server.put(key('nightly'), object('LoadTest', 'nightly', spec, { uid: load.uid }));
  const watching = begin(['watch', 'nightly']);
  for (const second of [1, 2, 3]) {
    await aSecond(load);
    const line = new RegExp(`^${second} s {2}100/s {2}p50 1\\.\\d+ ms {2}p99 .* 2 active$`, 'm');
    await until(() => line.test(watching.stdout()), 20000, `second ${second}`);
  }
  await ended(load);
  server.change(key('nightly'), { ...running, Succeeded: ['True', 'Completed', ''] });
  const result = await watching.done;
  exited(result, 0);
  assert.equal(result.stdout.match(/^\d+ s/gm).length, 3);
  const report = await begin(['report', 'nightly']).done;
  exited(report, 0);
  assert.match(report.stdout, /300 requests/);
});
