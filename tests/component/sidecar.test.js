// SPDX-License-Identifier: Apache-2.0
'use strict';

// The sidecar beside real processes, with a real store: what it does, what it stores, what it says
// at its end, and that nothing is left behind.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { bundle, sources } = require('./support/bundled.js');
const { copyOfApp } = require('./support/captures.js');
const { isSanitized, nobody, start, temporary } = require('./support/sonde.js');
const {
  busy,
  capturing,
  inSeconds,
  ownScript,
  pod,
  runOf,
  startService,
  startSidecar,
  startStore,
  wasLeftClean,
  wasNotSignalled,
} = require('./support/service.js');
const { lineOf } = require('./support/source.js');
const {
  alive,
  app,
  environment,
  get,
  inspectorPort,
  listens,
  load,
  node,
  profilerRuns,
  startTarget,
  writtenPort,
} = require('./support/target.js');
const { until } = require('./support/wait.js');

const notRoot = process.getuid() !== 0 && 'needs root to become another user';
const twoSeconds = [{ name: 'cpu', durationSeconds: 2, windowSeconds: 1 }];
const inspectorGoneMilliseconds = 10000;

test('a profile of 2 s: windows, report, message, and nothing left', async (t) => {
  const store = await startStore(t);
  const target = await startService(t);
  busy(t, target);
  const run = await store.newRun(runOf(target.match, twoSeconds));
  const sidecar = startSidecar(t, store, run);
  const result = await sidecar.end(0);
  assert.equal(result.state, 'Succeeded');
  assert.equal(result.reason, 'Completed');
  assert.deepEqual(
    result.processes.map((one) => [one.pid, one.nodeVersion]),
    [[target.pid, (await target.get('/state')).version]],
  );
  const artifacts = await store.artifacts(run);
  assert.equal(artifacts.length, result.artifacts);
  assert.equal(artifacts.length, 2);
  assert.equal(
    artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0),
    result.bytes,
  );
  await wasLeftClean(target);

  const view = await store.view(run);
  assert.equal(view.targets[0].phase, 'Done');
  const stored = view.targets[0].result;
  assert.equal(stored.state, 'Succeeded');
  assert.equal(stored.processes[0].inspectorClosed, true);
  const report = await store.report(run);
  const [top] = report.captures[0].functions;
  assert.equal(top.function, 'hotSpot');
  assert.ok(top.url.endsWith('support/app.js'), top.url);
  assert.equal(top.line, lineOf(app, 'function hotSpot'));
  const texts = await store.artifacts(run, 'Sources');
  assert.equal(texts.length, 1);
  assert.equal(texts[0].capture, 'cpu');
});

test('a minified bundle: its source map is stored and applied', async (t) => {
  const directory = temporary(t, 'sonde-pod-');
  const script = await bundle(directory, 'server');
  const store = await startStore(t);
  const target = await startTarget(t, { script });
  busy(t, target);
  const run = await store.newRun(runOf(directory, twoSeconds));
  await startSidecar(t, store, run).end(0);
  await target.stop();
  fs.rmSync(directory, { recursive: true });
  assert.ok((await store.artifacts(run, 'SourceMap')).length > 0);
  const [top] = (await store.report(run)).captures[0].functions;
  assert.match(top.sourceFile, /bundle\/checksum\.ts$/);
  assert.equal(top.sourceLine, lineOf(path.join(sources, 'checksum.ts'), 'function checksumOf'));
});

test('allocations, coverage and stalls: the same, and the worst of them sums the run up', async (t) => {
  const visits = path.join(sources, 'visits.ts');
  const directory = temporary(t, 'sonde-pod-');
  const script = await bundle(directory, 'clinic');
  const store = await startStore(t);
  const target = await startTarget(t, { script });
  for (const each of ['/keep', '/block', '/merge']) {
    load(t, target.port, each, 1);
  }
  const captures = [
    { name: 'coverage', type: 'Coverage', durationSeconds: 2 },
    { name: 'heap', type: 'AllocationSampling', durationSeconds: 1 },
    { name: 'loop', type: 'EventLoop', durationSeconds: 2 },
  ];
  const run = await store.newRun(runOf(directory, captures));
  await startSidecar(t, store, run).end(0);
  await target.stop();
  fs.rmSync(directory, { recursive: true });
  const report = await store.report(run);
  const [coverage, heap, loop] = report.captures;
  const keep = heap.functions.find((one) => one.function === 'keepVisit');
  assert.match(keep.sourceFile, /bundle\/visits\.ts$/);
  assert.equal(keep.sourceLine, lineOf(visits, 'function keepVisit'));
  const merge = coverage.mostCalled.find((one) => one.function === 'mergeVisits');
  assert.equal(merge.sourceLine, lineOf(visits, 'function mergeVisits'));
  const block = loop.findings.find((one) => one.kind === 'loop-stall');
  assert.match(block.where[0].file, /bundle\/visits\.ts$/);
  const line = lineOf(visits, 'function blockLoop');
  assert.equal(block.where[0].line, line);
  const { summary } = await store.conclude(run);
  const worst = Math.max(
    ...report.captures.flatMap(({ findings }) => findings.map(({ severity }) => severity)),
  );
  const [first] = loop.findings;
  assert.equal(first.severity, worst);
  assert.match(
    summary.top,
    new RegExp(`stalled blockLoop visits\\.ts:${line}$|event loop was busy`),
  );
  assert.equal(
    summary.findings,
    report.captures.reduce((sum, { findings }) => sum + findings.length, 0),
  );
});

// ---- the end before the end ----

async function cancelledWell({ store, target, run, sidecar }, cancel) {
  const before = (await store.artifacts(run)).length;
  await cancel();
  const asked = Date.now();
  await until(async () => !(await listens(inspectorPort)), inspectorGoneMilliseconds, 'its end');
  const result = await sidecar.end(1);
  assert.ok(Date.now() - asked < inspectorGoneMilliseconds);
  assert.equal(result.state, 'Cancelled');
  assert.equal(result.reason, 'Cancelled');
  // The window that was under way is kept too.
  const artifacts = await store.artifacts(run);
  assert.equal(artifacts.length, result.artifacts);
  assert.ok(artifacts.length > before);
  assert.equal((await store.view(run)).targets[0].result.state, 'Cancelled');
  await wasLeftClean(target);
  const report = await store.report(run, 'Cancelled', 'Cancelled');
  assert.equal(report.captures[0].functions[0].function, 'hotSpot');
}

test('cancelled in the store: the inspector is closed, what was captured is stored', async (t) => {
  const all = await capturing(t);
  await cancelledWell(all, () => all.store.cancel(all.run));
});

test('SIGTERM: the same', async (t) => {
  const all = await capturing(t);
  await cancelledWell(all, () => all.sidecar.child.kill('SIGTERM'));
});

test('cancelled before it began: the target is not touched', async (t) => {
  const store = await startStore(t);
  const target = await startService(t);
  const run = await store.newRun(runOf(target.match, twoSeconds));
  await store.cancel(run);
  const result = await startSidecar(t, store, run).end(1);
  assert.equal(result.state, 'Cancelled');
  await wasNotSignalled(target);
});

test('SIGKILL: the probe in the target closes the inspector', async (t) => {
  const { target, sidecar } = await capturing(t);
  sidecar.child.kill('SIGKILL');
  await sidecar.done;
  await wasLeftClean(target);
  assert.ok(!profilerRuns(target.pid));
});

test('the deadline has passed: DeadlineExceeded, and the target is not touched', async (t) => {
  const store = await startStore(t);
  const target = await startService(t);
  const run = await store.newRun(runOf(target.match, twoSeconds));
  const env = { SONDE_DEADLINE: String(inSeconds(-1)) };
  const result = await startSidecar(t, store, run, { env }).end(1);
  assert.equal(result.reason, 'DeadlineExceeded');
  await wasNotSignalled(target);
});

test('the deadline passes in the middle: DeadlineExceeded, the windows are kept', async (t) => {
  const { store, target, run, sidecar } = await capturing(t, {
    env: { SONDE_DEADLINE: String(inSeconds(6)) },
  });
  const result = await sidecar.end(1);
  assert.equal(result.reason, 'DeadlineExceeded');
  assert.equal((await store.artifacts(run)).length, result.artifacts);
  await wasLeftClean(target);
});

// ---- the token ----

const tokens = {
  'used by another instance': async (store, document) => {
    const run = await store.newRun(document);
    const answer = await store.beatAs(run, 'a'.repeat(32));
    assert.equal(answer.status, 200);
    return { run, code: 'TokenUsed' };
  },
  expired: async (store, document) => {
    const run = await store.newRun(document, { expires: inSeconds(-1) });
    return { run, code: 'TokenExpired' };
  },
  unknown: async (store, document) => {
    const run = await store.newRun(document);
    return { run: { ...run, token: 'f'.repeat(48) }, code: 'TokenUnknown' };
  },
};

for (const [name, prepare] of Object.entries(tokens)) {
  test(`a token that is ${name}: refused, and the target is not touched`, async (t) => {
    const store = await startStore(t);
    const target = await startService(t);
    const { run, code } = await prepare(store, runOf(target.match, twoSeconds));
    const result = await startSidecar(t, store, run).end(1);
    assert.equal(result.reason, 'UploadRejected');
    assert.match(result.message, new RegExp(code));
    assert.ok(result.milliseconds < 5000, `${result.milliseconds} ms`);
    await wasNotSignalled(target);
  });
}

test('a token that is spent: refused, and the target is not touched again', async (t) => {
  const store = await startStore(t);
  const target = await startService(t);
  const second = await startService(t);
  const run = await store.newRun(runOf(target.match, [{ name: 'cpu', durationSeconds: 1 }]));
  await startSidecar(t, store, run).end(0);
  const again = { ...run, document: runOf(second.match, twoSeconds) };
  const result = await startSidecar(t, store, again).end(1);
  assert.equal(result.reason, 'UploadRejected');
  assert.match(result.message, /TokenSpent/);
  await wasNotSignalled(second);
});

test('the token is in no list of arguments, no environment and no log', async (t) => {
  const { run, sidecar } = await capturing(t);
  const of = (file) => fs.readFileSync(`/proc/${sidecar.pid}/${file}`, 'latin1');
  assert.ok(of('environ').includes('SONDE_TOKEN='));
  for (const file of ['environ', 'cmdline']) {
    assert.ok(!of(file).includes(run.token), file);
  }
  sidecar.child.kill('SIGTERM');
  const result = await sidecar.done;
  assert.match(result.stderr, /"done"/);
  assert.ok(!(result.stderr + result.stdout).includes(run.token));
});

// ---- which processes ----

async function twins(t) {
  const script = ownScript(t);
  const first = await startService(t, { script });
  const second = await startService(t, { script });
  return { first, second, match: first.match };
}

test('several processes: TargetAmbiguous lists them, none is touched', async (t) => {
  const store = await startStore(t);
  const { first, second, match } = await twins(t);
  const run = await store.newRun(runOf(match, twoSeconds));
  const result = await startSidecar(t, store, run).end(1);
  assert.equal(result.reason, 'TargetAmbiguous');
  for (const target of [first, second]) {
    assert.match(result.message, new RegExp(`\\b${target.pid}\\b.*:${target.port}`));
    await wasNotSignalled(target);
  }
});

test('childProcesses: Include: all of them, one after the other', async (t) => {
  const store = await startStore(t);
  const { first, second, match } = await twins(t);
  const captures = [{ name: 'cpu', durationSeconds: 1 }];
  const run = await store.newRun(runOf(match, captures, { childProcesses: 'Include' }));
  const result = await startSidecar(t, store, run).end(0);
  const pids = [first.pid, second.pid];
  assert.deepEqual(
    result.processes.map((one) => one.pid),
    pids,
  );
  const artifacts = await store.artifacts(run);
  const start = `${run.uid}.${pod}.`.length;
  const processes = artifacts.map((artifact) => artifact.id.slice(start).split('.')[0]).sort();
  assert.deepEqual(processes, pids.map(String).sort());
  await first.isAsBefore();
  await second.isAsBefore();
});

test('every type of capture in one run, with worker threads', async (t) => {
  const store = await startStore(t);
  const script = copyOfApp(t);
  await startTarget(t, { script, env: { CAPTURES_APP: 'workers' } });
  const captures = [
    { name: 'cpu', type: 'CPUProfile', durationSeconds: 1 },
    { name: 'heap', type: 'AllocationSampling', durationSeconds: 1 },
    { name: 'coverage', type: 'Coverage', durationSeconds: 1 },
    { name: 'loop', type: 'EventLoop', durationSeconds: 1 },
    { name: 'report', type: 'Report' },
  ];
  const run = await store.newRun(runOf(path.dirname(script), captures, { workerThreads: 'All' }));
  const result = await startSidecar(t, store, run).end(0);
  const { artifacts } = await store.view(run);
  const found = artifacts.map(({ capture, type }) => `${capture} ${type}`).sort();
  const texts = found.filter((one) => one.endsWith(' Sources'));
  const threads = ['cpu CPUProfile', 'heap HeapProfile', 'coverage Coverage', 'loop EventLoop'];
  const contexts = captures.slice(0, threads.length).map(({ name }) => `${name} Context`);
  const expected = threads.flatMap((one) => [one, one, one]);
  assert.deepEqual(found, [...expected, ...contexts, ...texts, 'report Report'].sort());
  assert.ok(texts.includes('cpu Sources') && texts.includes('coverage Sources'), texts.join());
  assert.equal(result.artifacts, artifacts.length - contexts.length - texts.length);
  const names = artifacts.map(({ id }) => id).filter((id) => id.includes('.heap.'));
  assert.match(names.sort().join(' '), /heap\.0 .*heap\.w1\.0 .*heap\.w2\.0$/);
  await until(async () => !(await listens(inspectorPort)), 10000, 'the inspector to close');
});

test('a worker thread that waits for work is idle', async (t) => {
  const script = path.join(temporary(t, 'sonde-pod-'), 'waits-app.js');
  fs.copyFileSync(path.join(__dirname, 'support/waits-app.js'), script);
  const store = await startStore(t);
  await startTarget(t, { script, env: { WAITS: 'workers' } });
  const captures = [{ name: 'cpu', durationSeconds: 4, windowSeconds: 2 }];
  const run = await store.newRun(runOf(path.dirname(script), captures, { workerThreads: 'All' }));
  await startSidecar(t, store, run).end(0);
  const [capture] = (await store.report(run)).captures;
  const { totalMilliseconds = 0 } =
    capture.functions.find((one) => one.function === 'waitForEver') ?? {};
  assert.ok(totalMilliseconds < 1000, `${totalMilliseconds} ms of 4 s`);
  // Of three threads one works, a third of its time.
  assert.ok(capture.busyShare < 0.3, `busyShare ${capture.busyShare}`);
});

test('one of several processes ends meanwhile: the others are captured', async (t) => {
  const store = await startStore(t);
  const { first, second, match } = await twins(t);
  const captures = [{ name: 'cpu', durationSeconds: 3 }];
  const run = await store.newRun(runOf(match, captures, { childProcesses: 'Include' }));
  const sidecar = startSidecar(t, store, run);
  await until(() => profilerRuns(first.pid), 20000, 'the first profile');
  process.kill(first.pid, 'SIGKILL');
  const result = await sidecar.end(0);
  assert.equal(result.processes.length, 2);
  assert.equal((await store.artifacts(run)).length, 1);
  await second.isAsBefore();
});

test('process.index: counted from the oldest', async (t) => {
  const store = await startStore(t);
  const { first, second, match } = await twins(t);
  const captures = [{ name: 'cpu', durationSeconds: 1 }];
  const run = await store.newRun(runOf(match, captures, { process: { index: 1 } }));
  const result = await startSidecar(t, store, run).end(0);
  assert.deepEqual(
    result.processes.map((one) => one.pid),
    [second.pid],
  );
  await wasNotSignalled(first);
});

test('nothing matches: TargetNotFound', async (t) => {
  const store = await startStore(t);
  const run = await store.newRun(runOf('/no/such/service', twoSeconds));
  const result = await startSidecar(t, store, run).end(1);
  assert.equal(result.reason, 'TargetNotFound');
  assert.match(result.message, /\/no\/such\/service/);
});

test('npm gives way to the service that it started', async (t) => {
  const store = await startStore(t);
  const script = ownScript(t);
  const directory = path.dirname(script);
  const manifest = { name: 'npm-pod', scripts: { start: `"${node(22)}" service.js` } };
  fs.writeFileSync(path.join(directory, 'package.json'), JSON.stringify(manifest));
  const portFile = path.join(directory, 'port');
  const npm = start(t, 'npm', ['start', '--no-update-notifier'], {
    cwd: directory,
    env: environment(portFile),
  });
  const { pid } = await get(await writtenPort(portFile), '/state');
  t.after(() => alive(pid) && process.kill(pid, 'SIGKILL'));
  assert.notEqual(pid, npm.pid);
  const captures = [{ name: 'cpu', durationSeconds: 1 }];
  const run = await store.newRun(runOf(directory, captures));
  const result = await startSidecar(t, store, run).end(0);
  assert.deepEqual(
    result.processes.map((one) => one.pid),
    [pid],
  );
  assert.ok(alive(npm.pid));
});

// ---- targets that cannot be profiled, or end ----

test('the target ends in the middle: TargetExited, its windows are stored', async (t) => {
  const { store, target, run, sidecar } = await capturing(t);
  process.kill(target.pid, 'SIGKILL');
  const killed = Date.now();
  const result = await sidecar.end(1);
  assert.ok(Date.now() - killed < 5000);
  assert.equal(result.state, 'Failed');
  assert.equal(result.reason, 'TargetExited');
  const artifacts = await store.artifacts(run);
  assert.ok(artifacts.length >= 1);
  assert.equal(artifacts.length, result.artifacts);
  const report = await store.report(run, 'Failed', 'TargetExited');
  assert.equal(report.captures[0].functions[0].function, 'hotSpot');
});

test("another user's process: UidMismatch tells both users", { skip: notRoot }, async (t) => {
  const store = await startStore(t);
  const target = await startService(t);
  const run = await store.newRun(runOf(target.match, twoSeconds));
  const result = await startSidecar(t, store, run, { as: String(nobody) }).end(1);
  assert.equal(result.reason, 'UidMismatch');
  assert.match(result.message, /user 0.*user 65534/);
  await wasNotSignalled(target);
});

test("look: tells another user's number", { skip: notRoot }, async (t) => {
  const other = 1234;
  const script = ownScript(t);
  fs.chmodSync(path.dirname(script), 0o755);
  const target = await startTarget(t, { script, uid: other, gid: other });
  const run = { token: 'none', document: runOf(path.dirname(script), twoSeconds) };
  const options = { as: String(nobody), args: ['look'], env: { SONDE_TOKEN: '' } };
  const result = await startSidecar(t, { url: '', authority: '' }, run, options).end(0);
  assert.equal(result.uid, other);
  assert.doesNotMatch(target.process.stderr(), /Debugger/);
});

test('--disable-sigusr1: SignalNotHandled, not signalled', async (t) => {
  const store = await startStore(t);
  const target = await startService(t, { line: 24, args: ['--disable-sigusr1'] });
  const run = await store.newRun(runOf(target.match, twoSeconds));
  const result = await startSidecar(t, store, run).end(1);
  assert.equal(result.reason, 'SignalNotHandled');
  assert.equal((await store.view(run)).targets[0].result.reason, 'SignalNotHandled');
  await wasNotSignalled(target);
});

test('an own handler of SIGUSR1: InspectorDidNotOpen', async (t) => {
  const store = await startStore(t);
  const target = await startService(t, { env: { APP_SIGUSR1: 'count' } });
  const run = await store.newRun(runOf(target.match, twoSeconds));
  const result = await startSidecar(t, store, run).end(1);
  assert.equal(result.reason, 'InspectorDidNotOpen');
  assert.equal((await target.get('/state')).signals, 1);
  await wasLeftClean(target);
});

// ---- what it costs ----

test('its memory at 1000 samples a second: 16 MiB at most', async (t) => {
  if (await isSanitized()) {
    t.skip('a sanitizer has memory of its own');
    return;
  }
  const store = await startStore(t);
  const target = await startService(t);
  busy(t, target);
  const captures = [{ name: 'cpu', durationSeconds: 120, samplingIntervalMicroseconds: 1000 }];
  const run = await store.newRun(runOf(target.match, captures));
  const sidecar = startSidecar(t, store, run);
  await store.windows(run, 2, sidecar);
  const status = fs.readFileSync(`/proc/${sidecar.pid}/status`, 'latin1');
  const kibibytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)[1]);
  assert.ok(kibibytes <= 16384, `${kibibytes} KiB`);
  t.diagnostic(`VmHWM ${kibibytes} KiB`);
});
