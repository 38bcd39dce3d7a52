// SPDX-License-Identifier: Apache-2.0
'use strict';

// A run held against a baseline and a budget, as CI does it.

const assert = require('node:assert/strict');
const http = require('node:http');
const test = require('node:test');
const { listen } = require('./support/load.js');
const { Sonde, exited, profileRun, start } = require('./support/sonde.js');
const { startTarget } = require('./support/target.js');

const BUDGET = 97;
const REGRESSION = 98;
const THRESHOLD = 99;
// Without a rate there is no pace that a busy machine could miss.
const CLOSED = ['-c', '2', '-a', '60', '--no-progress'];

// Answers after so long: `wait` may be changed.
async function startServer(t) {
  const server = http.createServer((_request, response) => {
    setTimeout(() => response.end('hello'), server.wait);
  });
  server.wait = 1;
  const port = await listen(t, server);
  return { server, url: `http://127.0.0.1:${port}/` };
}

function budget(sonde, text) {
  return sonde.document('budget.yaml', text);
}

test('a load test is held against the last good one of a name', async (t) => {
  const sonde = new Sonde(t);
  const { server, url } = await startServer(t);
  const load = (name) => {
    return sonde.run(['load', url, ...CLOSED, '--name', name, '--baseline', 'main']);
  };
  const first = await load('main');
  exited(first, 0);
  assert.match(first.stderr, /^skipped baseline: the baseline: .*no run/m);
  const quiet = await sonde.run(['check', 'main', '--baseline', 'main']);
  exited(quiet, 0);
  server.wait = 300;
  const slow = await load('pull-7');
  exited(slow, REGRESSION);
  assert.match(slow.stderr, /^failed {2}baseline: p50: p50 is \d+ % \[.*\] slower: .*: worse$/m);
  const report = await sonde.report('pull-7');
  assert.deepEqual([report.state, report.reason], ['Failed', 'Regression']);
  assert.equal(report.regression.with, 'main');
  assert.match(report.message, /^p50 is \d+ % \[\d+, \d+\] slower than main: .* → /);
  // Said again by its own status, and by any other baseline.
  const again = await sonde.run(['check', 'pull-7']);
  exited(again, REGRESSION);
  const same = await sonde.run(['check', 'pull-7', '--baseline', report.uid]);
  exited(same, 0);
  assert.match(same.stdout, /^skipped baseline: .*has succeeded before this one$/m);
});

test('one whose thresholds are broken is no baseline', async (t) => {
  const sonde = new Sonde(t);
  const { url } = await startServer(t);
  const broken = ['--threshold', 'http_req_duration: p(50)<0.001'];
  exited(await sonde.run(['load', url, ...CLOSED, '--name', 'main', ...broken]), THRESHOLD);
  const held = ['--name', 'pull-7', '--baseline', 'main'];
  const pull = await sonde.run(['load', url, ...CLOSED, ...held]);
  exited(pull, 0);
  assert.match(pull.stderr, /^skipped baseline: .*no run called main has succeeded before/m);
});

test('another path of the service is not compared', async (t) => {
  const sonde = new Sonde(t);
  const { url } = await startServer(t);
  exited(await sonde.run(['load', url, ...CLOSED, '--name', 'main']), 0);
  const other = await sonde.run(['load', `${url}reports`, ...CLOSED, '--baseline', 'main']);
  exited(other, 0);
  assert.match(other.stderr, /main: that was asked for something else \(the path\)/);
});

test('another load is not compared', async (t) => {
  const sonde = new Sonde(t);
  const { server, url } = await startServer(t);
  exited(await sonde.run(['load', url, ...CLOSED, '--name', 'main']), 0);
  server.wait = 300;
  const words = ['-c', '3', '-a', '30', '--no-progress', '--baseline', 'main'];
  const other = await sonde.run(['load', url, ...words]);
  exited(other, 0);
  assert.match(other.stderr, /another load \(closed: 2 connections; this one: closed: 3 conn/);
});

test('a budget is kept or not, in every format', async (t) => {
  const sonde = new Sonde(t);
  const { url } = await startServer(t);
  const file = budget(
    sonde,
    [
      'thresholds:',
      '- "http_reqs: count>1"',
      '- "http_req_duration: p(50)<0.001"',
      'functions: [{name: readVisits, maxPercent: 10}]',
    ].join('\n'),
  );
  const words = ['load', url, ...CLOSED, '--name', 'main', '--budget', file];
  const load = await sonde.run(words);
  exited(load, BUDGET);
  assert.match(load.stderr, /^failed {2}budget: http_req_duration: p\(50\)<0\.001: it was \d/m);
  assert.match(load.stderr, /^failed {2}budget: functions: nothing of it was measured: .*CPU/m);
  assert.match(load.stderr, /^4 checks: 2 passed, 2 failed, 0 skipped$/m);
  const state = (await sonde.report('main')).state;
  assert.equal(state, 'Succeeded'); // it is CI's budget, not the run's
  const check = async (format) => {
    const done = await sonde.run(['check', 'last', '--budget', file, '--format', format]);
    exited(done, BUDGET);
    return done.stdout;
  };
  const json = JSON.parse(await check('json'));
  assert.equal(json.verdict, 'BudgetExceeded');
  assert.deepEqual(
    json.checks.map((one) => [one.kind, one.state]),
    [
      ['run', 'passed'],
      ['budget', 'passed'],
      ['budget', 'failed'],
      ['budget', 'failed'],
    ],
  );
  const junit = await check('junit');
  assert.match(junit, /tests="4" failures="2" errors="0" skipped="0"/);
  assert.match(junit, /<system-out>main {2}Succeeded/);
  const markdown = await check('markdown');
  assert.match(markdown, /^### ❌ main: BudgetExceeded$/m);
  assert.match(markdown, /^<details><summary>Report<\/summary>$/m);
  // A threshold that breaks comes first.
  const broken = await sonde.run([...words, '--threshold', 'http_reqs: count<1']);
  exited(broken, THRESHOLD);
});

test('a profile is held against its functions', async (t) => {
  const sonde = new Sonde(t);
  const hot = '{name: hot, maxPercent: 100, maxMillisecondsPerSecond: 1000}';
  const file = budget(sonde, `functions: [${hot}]\nmaxBusyPercent: 1\n`);
  const work = 'let x = 0; for (let i = 0; i < 2e7; i++) { x += i % 7; } return x;';
  const script = sonde.document(
    'work.js',
    `function hot() { ${work} } setInterval(hot, 60); console.error('ready');`,
  );
  const spec = {
    target: { podName: 'local' },
    captures: [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 2, windowSeconds: 1 }],
  };
  const kind = { apiVersion: 'sonde.dev/v1alpha1', kind: 'ProfileRun', metadata: { name: 'main' } };
  const document = sonde.document('run.yaml', JSON.stringify({ ...kind, spec }));
  const target = start(t, process.execPath, [script]);
  await target.says(/ready/);
  const run = await sonde.run(['run', document, '--budget', file, '--pid', String(target.pid)]);
  exited(run, BUDGET);
  assert.match(run.stderr, /^failed {2}budget: busy time: \d+\.\d % of the time, of at most 1$/m);
  assert.match(run.stderr, /^4 checks: 3 passed, 1 failed, 0 skipped$/m);
  // CI servers tell cases by class and name.
  const junit = await sonde.run(['check', 'last', '--budget', file, '--format', 'junit']);
  const cases = junit.stdout.match(/<testcase classname="[^"]*" name="[^"]*"/g);
  assert.equal(cases.length, 4);
  assert.equal(new Set(cases).size, 4, cases.join('\n'));
});

test('each of several profiles is held against a budget', async (t) => {
  const sonde = new Sonde(t);
  const target = await startTarget(t);
  const cpu = (name) => ({ name, type: 'CPUProfile', durationSeconds: 1 });
  const document = sonde.document('run.yaml', profileRun('main', [cpu('early'), cpu('late')]));
  exited(await sonde.run(['run', document, '--pid', String(target.pid)]), 0);
  const held = ['--budget', budget(sonde, 'maxBusyPercent: 100\n'), '--format', 'json'];
  const check = await sonde.run(['check', 'main', ...held]);
  exited(check, 0);
  const names = JSON.parse(check.stdout).checks.map(({ name }) => name);
  assert.deepEqual(names.slice(1), ['busy time (early)', 'busy time (late)']);
  await target.isAsBefore();
});

const frame = (functionName, url, lineNumber) => ({
  ...{ functionName, url, lineNumber, columnNumber: 0, scriptId: '1' },
});

// Of a second in which readVisits() has 300 ms, render() 100, and nothing happens else: of 999 ms,
// since nobody knows how long the last sample took.
function cpuProfile() {
  const rows = [
    [frame('readVisits', 'file:///app/routes/patients.js', 40), 300],
    [frame('render', 'file:///app/views/page.js', 80), 100],
    [frame('(idle)', '', -1), 600],
  ];
  const nodes = rows.map(([callFrame], i) => ({ id: i + 2, callFrame }));
  const children = nodes.map(({ id }) => id);
  const samples = rows.flatMap(([, count], i) => Array(count).fill(i + 2));
  return JSON.stringify({
    nodes: [{ id: 1, callFrame: frame('(root)', '', -1), children }, ...nodes],
    ...{ samples, timeDeltas: samples.map(() => 1000) },
    ...{ startTime: 0, endTime: 1000 * samples.length },
  });
}

// Of three megabytes.
function heapProfile() {
  const keep = { callFrame: frame('keep', 'file:///app/cache.js', 3), selfSize: 3e6, id: 2 };
  const head = { callFrame: frame('(root)', '', -1), selfSize: 0, id: 1 };
  return JSON.stringify({
    head: { ...head, children: [{ ...keep, children: [] }] },
    samples: [{ size: 3e6, nodeId: 2, ordinal: 1 }],
  });
}

const visits = (more) => `functions: [{name: readVisits, ${more}}]`;
const bounds = [
  ['cpu', visits('maxPercent: 74'), 'failed', 'it takes 75.0 % of the busy time, of at most 74'],
  ['cpu', visits('maxPercent: 76'), 'passed', 'it takes 75.0 %'],
  ['cpu', visits('file: routes/patients.js, maxPercent: 74'), 'failed', 'it takes 75.0 %'],
  ['cpu', visits('file: s/patients.js, maxPercent: 0'), 'passed', 'it takes 0.0 %'],
  ['cpu', visits('maxMillisecondsPerSecond: 299'), 'failed', 'it takes 300.3 ms of each second'],
  ['cpu', visits('maxMillisecondsPerSecond: 301'), 'passed', 'it takes 300.3 ms'],
  ['cpu', 'maxBusyPercent: 39', 'failed', '40.0 % of the time, of at most 39'],
  ['cpu', 'maxBusyPercent: 41', 'passed', '40.0 %'],
  ['cpu', 'maxAllocatedKilobytes: 1', 'failed', 'the run has no profile of allocations'],
  ['heap', 'maxAllocatedKilobytes: 2999', 'failed', '3000 kB, of at most 2999'],
  ['heap', 'maxAllocatedKilobytes: 3001', 'passed', '3000 kB'],
  ['heap', visits('maxPercent: 99'), 'failed', 'the run has no CPU profile'],
];

test('each maximum of a budget is kept below it, and not above', async (t) => {
  const sonde = new Sonde(t);
  const files = {
    cpu: sonde.document('cpu.cpuprofile', cpuProfile()),
    heap: sonde.document('heap.heapprofile', heapProfile()),
  };
  for (const [name, file] of Object.entries(files)) {
    exited(await sonde.run(['import', file, '--name', name]), 0);
  }
  for (const [name, text, state, words] of bounds) {
    const held = ['--budget', budget(sonde, text), '--format', 'json'];
    const check = await sonde.run(['check', name, ...held]);
    exited(check, state === 'failed' ? BUDGET : 0);
    const [found] = JSON.parse(check.stdout).checks.filter(({ kind }) => kind === 'budget');
    assert.equal(found.state, state, `${text}: ${check.stdout}`);
    assert.ok(found.message.includes(words), `${text}: ${found.message}`);
  }
});

// pprof's type does not say of what it is.
test('allocations in a pprof keep no budget of functions, and are no CPU profile', async (t) => {
  const sonde = new Sonde(t);
  const file = sonde.document('a.heapprofile', heapProfile());
  exited(await sonde.run(['import', file, '--name', 'node']), 0);
  const pprof = sonde.document('a.pb.gz', '');
  exited(await sonde.run(['export', 'node', '--format', 'pprof', '-o', pprof]), 0);
  for (const name of ['main', 'pull-7']) {
    exited(await sonde.run(['import', pprof, '--name', name]), 0);
  }
  const functions = budget(sonde, 'functions: [{name: keep, maxPercent: 10}]\n');
  const unmeasured = await sonde.run(['check', 'pull-7', '--budget', functions]);
  exited(unmeasured, BUDGET);
  assert.match(unmeasured.stdout, /^failed {2}budget: functions: nothing .* has no CPU profile$/m);
  const bytes = budget(sonde, 'maxAllocatedKilobytes: 2999\n');
  exited(await sonde.run(['check', 'pull-7', '--budget', bytes]), BUDGET);
  const compared = await sonde.run(['check', 'pull-7', '--baseline', 'main']);
  exited(compared, 0);
  assert.match(compared.stdout, /^skipped baseline: .*main: that is a profile of allocations$/m);
});

test('a budget that is wrong is refused before anything is done', async (t) => {
  const sonde = new Sonde(t);
  const file = budget(sonde, 'maxBusyPercent: 60\nfunctions:\n- {name: a}\n');
  for (const words of [
    ['load', 'http://127.0.0.1:1/', '--budget', file],
    ['check', 'last', '--budget', file],
  ]) {
    const refused = await sonde.run(words);
    exited(refused, 2);
    assert.match(refused.stderr, /budget\.yaml:3:3: functions\[0\]: must have maxPercent or/);
  }
  const load = (...words) => sonde.run(['load', 'http://127.0.0.1:1/', ...words]);
  exited(await load('--no-store', '--baseline', 'main'), 2);
  exited(await load('--baseline-runs', '3'), 2);
  exited(await load('--baseline', ''), 2); // it is the name of no run, and not of any
  exited(await load('--budget', `${file}.missing`), 1);
  assert.deepEqual(await sonde.runs(), []);
});
