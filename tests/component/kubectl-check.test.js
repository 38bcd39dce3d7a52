// SPDX-License-Identifier: Apache-2.0
'use strict';

// `kubectl sonde check`, and `run` with a baseline or a budget: in a real store behind an API server
// that is played.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { ApiServer } = require('./support/api-server.js');
const { tested: carriedOut } = require('./support/load-runners.js');
const { bin, exited, start, temporary } = require('./support/sonde.js');
const { Service, personToken } = require('./support/store-service.js');
const { until } = require('./support/wait.js');

const plugin = path.join(path.dirname(bin), 'kubectl-sonde');
const BUDGET = 97;
const REGRESSION = 98;
const THRESHOLD = 99;
const thresholds = ['http_req_duration: p(99) < 900'];
const tested = (service, name, microseconds, more) =>
  carriedOut(service, name, microseconds, { thresholds, ...more });

async function cluster(t) {
  const service = await Service.start(t);
  const server = await new ApiServer(t).start();
  server.forward(service, personToken);
  const env = { ...process.env, KUBECONFIG: server.kubeconfig() };
  const begin = (args) => start(t, plugin, args, { env });
  return { service, server, begin, run: (args) => begin(args).done };
}

function budget(t, text) {
  const file = path.join(temporary(t), 'budget.yaml');
  fs.writeFileSync(file, text);
  return file;
}

test('a run is held against a baseline in its namespace', async (t) => {
  const { service, run } = await cluster(t);
  await tested(service, 'main', 10000);
  await tested(service, 'pull-7', 10010);
  await tested(service, 'pull-8', 40000);
  const quiet = await run(['check', 'pull-7', '--baseline', 'main']);
  exited(quiet, 0);
  assert.match(quiet.stdout, /0 failed/);
  const slow = await run(['check', 'pull-8', '--baseline', 'main']);
  exited(slow, REGRESSION);
  assert.match(slow.stdout, /^failed {2}baseline: p50: .* slower: .*: worse$/m);
  const missing = await run(['check', 'pull-8', '--baseline', 'nothing']);
  exited(missing, 0);
  assert.match(missing.stdout, /^skipped baseline/m);
  const json = await run(['check', 'pull-8', '--baseline', 'main', '--output', 'json']);
  exited(json, REGRESSION);
  assert.equal(JSON.parse(json.stdout).verdict, 'Regression');
  const file = path.join(temporary(t), 'junit.xml');
  const junit = ['check', 'pull-8', '--baseline', 'main', '--format', 'junit', '-o', file];
  exited(await run(junit), REGRESSION);
  assert.match(fs.readFileSync(file, 'utf8'), /<testsuite.* failures="[1-9]/);
  const markdown = ['check', 'pull-8', '--baseline', 'main', '--format', 'markdown'];
  assert.match((await run(markdown)).stdout, /^### ❌ pull\\?-8: Regression$/m);
  exited(await run(['check', 'nothing']), 3);
  exited(await run(['check', 'pull-8', '--baseline', 'main', '-n', 'billing']), 3);
  exited(await run(['check', '../x']), 2);
});

test('runs of a series are held against those of another one, by its name', async (t) => {
  const { service, run } = await cluster(t);
  for (const [letters, microseconds] of [
    ['aaaaa', 10000],
    ['bbbbb', 10020],
    ['ccccc', 10040],
  ]) {
    await tested(service, `main-${letters}`, microseconds, { schedule: 'series/main' });
  }
  await tested(service, 'pull-7-ddddd', 40000, { schedule: 'series/pull-7' });
  const against = ['--baseline', 'main', '--baseline-runs', '3', '--output', 'json'];
  const slow = await run(['check', 'pull-7', ...against]);
  exited(slow, REGRESSION);
  assert.equal(JSON.parse(slow.stdout).name, 'pull-7');
  const quiet = await run(['check', 'main', ...against]);
  exited(quiet, 0);
  const baseline = JSON.parse(quiet.stdout).checks.filter(({ kind }) => kind === 'baseline');
  assert.ok(baseline.length > 0 && baseline.every(({ state }) => state === 'passed'));
});

test('a run is held against a budget', async (t) => {
  const { service, run } = await cluster(t);
  await tested(service, 'main', 10000);
  const kept = budget(t, 'thresholds:\n- "http_req_duration: p(50)<100"\n');
  exited(await run(['check', 'main', '--budget', kept]), 0);
  const over = budget(t, 'thresholds:\n- "http_req_duration: p(50)<1"\n');
  const result = await run(['check', 'main', '--budget', over]);
  exited(result, BUDGET);
  assert.match(result.stdout, /^failed {2}budget: http_req_duration: p\(50\)<1/m);
  const wrong = await run(['check', 'main', '--budget', budget(t, 'thresholds: 7\n')]);
  exited(wrong, 2);
  assert.match(wrong.stderr, /budget\.yaml:1:\d+: thresholds/);
  // One of a real service is longer than a request's path may be.
  const functions = Array.from({ length: 60 }, (_, i) => `- {name: function${i}, maxPercent: 100}`);
  const real = `thresholds: ["http_req_duration: p(50)<1"]\nfunctions:\n${functions.join('\n')}\n`;
  const long = await run([
    'check',
    'main',
    '--budget',
    budget(t, `# ${'x'.repeat(9000)}\n${real}`),
  ]);
  exited(long, BUDGET);
  assert.match(long.stdout, /^failed {2}budget: http_req_duration: p\(50\)<1/m);
});

test('what the store is asked wrongly it refuses', async (t) => {
  const service = await Service.start(t);
  const kept = await service.run();
  const where = `runs/${kept.uid}/check?namespace=clinic`;
  for (const query of ['format=pdf', 'runs=0', 'runs=x', `baseline=${'a'.repeat(300)}`]) {
    const answer = await service.person('GET', `${where}&${query}`);
    assert.equal(answer.status, 400, `${query}: ${answer.text}`);
  }
  const post = (body) => service.person('POST', where, { body: Buffer.from(body) });
  assert.equal((await post('7')).status, 400);
  assert.equal((await post(`maxBusyPercent: 5 #${'x'.repeat(64 << 10)}`)).status, 413);
  const other = await service.person('GET', `runs/${kept.uid}/check?namespace=billing`);
  assert.equal(other.status, 404);
});

test('what a run could not be held against is said before it is made', async (t) => {
  const server = await new ApiServer(t).start();
  const env = { ...process.env, KUBECONFIG: server.kubeconfig() };
  const file = path.join(temporary(t), 'test.json');
  const target = { service: { name: 'patients', port: 80 } };
  const scenario = { requests: [{ name: 'one', path: '/' }] };
  const spec = { target, scenario, arrival: { rate: 100, durationSeconds: 60 } };
  const document = { apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest', spec };
  fs.writeFileSync(file, JSON.stringify({ ...document, metadata: { name: 'pull-9' } }));
  const huge = budget(t, `maxBusyPercent: 5 #${'x'.repeat(64 << 10)}\n`);
  for (const [words, says] of [
    [['--budget', huge], /budget\.yaml: it has \d+ bytes, and a cluster takes 65536/],
    [['--budget', budget(t, 'maxBusyPercent: x\n')], /budget\.yaml:1:\d+: maxBusyPercent/],
    [['--baseline', 'a'.repeat(280)], /no run is called so/],
    [['--baseline', 'a/b'], /"a\/b" is no name of a run/],
  ]) {
    const refused = await start(t, plugin, ['run', file, ...words], { env }).done;
    exited(refused, 2);
    assert.match(refused.stderr, says);
  }
  // Of a schedule that is applied nothing comes that could be.
  const schedule = { schedule: '@daily', testTemplate: { spec } };
  const nightly = { ...document, kind: 'LoadTestSchedule', metadata: { name: 'nightly' } };
  fs.writeFileSync(file, JSON.stringify({ ...nightly, spec: schedule }));
  for (const words of [
    ['--baseline', 'main'],
    ['--budget', budget(t, 'maxBusyPercent: 60\n')],
  ]) {
    const refused = await start(t, plugin, ['run', file, ...words], { env }).done;
    exited(refused, 2);
    assert.match(refused.stderr, /--baseline and --budget are about a run, and a schedule makes/);
  }
  assert.deepEqual(server.requests, []);
});

// The uid that the played API server gives what is made, and a document to make it of.
const uid = '11111111-2222-4333-8444-555555555555';

function writeTest(t) {
  const spec = {
    ...{ target: { service: { name: 'patients', port: 80 } }, thresholds },
    scenario: { requests: [{ name: 'one', path: '/' }] },
    ...{ arrival: { rate: 100, durationSeconds: 60 }, parallelism: 2 },
  };
  const document = { apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest', spec };
  const file = path.join(temporary(t), 'test.json');
  fs.writeFileSync(file, JSON.stringify({ ...document, metadata: { name: 'pull-9' } }));
  return file;
}

test('a budget is read once, and goes with the run', async (t) => {
  const { service, server, begin } = await cluster(t);
  const file = writeTest(t);
  const once = budget(t, 'thresholds: ["http_req_duration: p(50)<1"]\n');
  const running = begin(['run', file, '--budget', once]);
  await until(() => server.watches.length > 0, 20000, 'the watch');
  fs.rmSync(once);
  await tested(service, 'pull-9', 10000, { uid });
  server.change('loadtests/clinic/pull-9', { Succeeded: ['True', 'Completed', ''] });
  const result = await running.done;
  exited(result, BUDGET);
  assert.match(result.stderr, /^failed {2}budget: http_req_duration: p\(50\)<1/m);
});

test('run waits, and ends with the verdict of its baseline', async (t) => {
  const { service, server, begin, run } = await cluster(t);
  await tested(service, 'main', 10000);
  const file = writeTest(t);
  const words = ['run', file, '--wait', '--baseline', 'main'];
  exited(await run([...words.slice(0, 2), '--no-wait', '--baseline', 'main']), 2);
  const running = begin(words);
  await until(() => server.watches.length > 0, 20000, 'the watch');
  await tested(service, 'pull-9', 40000, { uid });
  server.change('loadtests/clinic/pull-9', { Succeeded: ['True', 'Completed', ''] });
  const result = await running.done;
  exited(result, REGRESSION);
  assert.match(result.stderr, /^failed {2}baseline: p50: /m);
  assert.match(result.stdout, /2000 requests/);
  // What has failed by itself has that verdict.
  server.objects.clear();
  const again = begin(words);
  await until(() => server.watches.length > 1, 20000, 'the watch');
  server.change('loadtests/clinic/pull-9', { Succeeded: ['False', 'ThresholdBroken', 'p(99)'] });
  exited(await again.done, THRESHOLD);
});
