// SPDX-License-Identifier: Apache-2.0
'use strict';

// Captures of worker threads, child processes and cluster workers.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { app, copyOfApp, functionOf, isAsBefore, startApp } = require('./support/captures.js');
const { Sonde, exited, profileRun, start } = require('./support/sonde.js');
const {
  get,
  inspectorPort,
  lines,
  listens,
  load,
  node,
  profilerRuns,
  startTarget,
} = require('./support/target.js');
const { until } = require('./support/wait.js');

function childrenOf(pid) {
  const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return text ? text.split(' ').map(Number) : [];
}

for (const line of lines) {
  test(`Node.js ${line}: worker threads are captured, each for itself`, async (t) => {
    const target = await startApp(t, { line, mode: 'workers' });
    const sonde = new Sonde(t);
    const args = ['profile', '--workers', 'all', '--duration', '2s', '--pid', String(target.pid)];
    exited(await sonde.run(args), 0);
    const functions = async (name) => {
      const profile = await sonde.json(['export', 'last', '--capture', name, '--format', 'raw']);
      return profile.nodes.map((node) => node.callFrame.functionName);
    };
    for (const worker of ['cpu.w1.0', 'cpu.w2.0']) {
      assert.match((await functions(worker)).join(), /busyInWorker|often/, worker);
    }
    assert.doesNotMatch((await functions('cpu.0')).join(), /busyInWorker|often/);
    const [capture] = (await sonde.report()).captures;
    // The engine may count what it has inlined as its caller's.
    assert.match(capture.functions[0].function, /^(?:busyInWorker|often)$/);
    await isAsBefore(target);
    await until(() => !profilerRuns(target.pid), 10000, 'the profilers to end');
  });

  // Its own code is half of itself then: what we load on top of it would stay broken.
  test(`Node.js ${line}: worker threads start unharmed while they are captured`, async (t) => {
    const target = await startApp(t, { line });
    const sonde = new Sonde(t);
    const args = ['profile', '--workers', 'all', '--duration', '1m', '--pid', String(target.pid)];
    const running = sonde.start(args);
    await running.says(/capturing/);
    const count = 8;
    for (let started = 0; started < 160; started += count) {
      const { codes, errors } = await target.get(`/short-workers?count=${count}`, 60000);
      assert.deepEqual({ codes, errors }, { codes: Array(count).fill(0), errors: [] });
    }
    running.child.kill('SIGINT');
    await running.done;
    await isAsBefore(target);
  });

  test(`Node.js ${line}: a worker that ends meanwhile does not fail the run`, async (t) => {
    const target = await startApp(t, { line, mode: 'workers' });
    await get(target.port, '/worker?ms=1500');
    const sonde = new Sonde(t);
    const args = ['profile', '--workers', 'all', '--duration', '3s', '--pid', String(target.pid)];
    const running = sonde.start(args);
    await running.says(/capturing/);
    await get(target.port, '/worker?ms=700'); // another one that comes and goes
    exited(await running.done, 0);
    await sonde.json(['export', 'last', '--capture', 'cpu.w1.0', '--format', 'raw']);
    await sonde.json(['export', 'last', '--capture', 'cpu.w2.0', '--format', 'raw']);
    await isAsBefore(target);
  });
}

test('a worker of ES modules is missing where only the command line could load them', async (t) => {
  for (const [line, missing] of [
    [18, 1],
    [22, 0],
  ]) {
    const target = await startApp(t, { line, mode: 'module-worker' });
    const sonde = new Sonde(t);
    const args = ['profile', '--workers', 'all', '--duration', '1s', '--pid', String(target.pid)];
    exited(await sonde.run(args), 0);
    const { cost } = await sonde.report();
    assert.equal(cost.workerThreadsLost, missing, `Node.js ${line}`);
    await isAsBefore(target);
  }
});

for (const line of [18, 22, 26]) {
  test(`Node.js ${line}: a heap snapshot of each worker thread`, async (t) => {
    const target = await startApp(t, { line, mode: 'workers' });
    const sonde = new Sonde(t);
    const args = ['profile', '--type', 'snapshot', '--workers', 'all', '--pid', String(target.pid)];
    exited(await sonde.run(args), 0);
    const ofWorker = (name) => name === 'busyInWorker';
    for (const name of ['snapshot.0', 'snapshot.w1.0', 'snapshot.w2.0']) {
      const snapshot = await sonde.json(['export', 'last', '--capture', name, '--format', 'raw']);
      const { node_count: count, meta } = snapshot.snapshot;
      assert.equal(snapshot.nodes.length, count * meta.node_fields.length, name);
      assert.ok(snapshot.strings.some(ofWorker), name);
    }
    await isAsBefore(target);
  });
}

test('a snapshot of the main thread outlasts the patience of the workers', async (t) => {
  // Node.js 18 takes longest for an object.
  const target = await startApp(t, { line: 18, mode: 'light-workers' });
  const sonde = new Sonde(t);
  const captures = [
    { name: 'heap', type: 'HeapSnapshot' },
    { name: 'cpu', durationSeconds: 1 },
  ];
  const document = profileRun('patient', captures, {
    target: { podName: 'local', workerThreads: 'All' },
    safety: { maxPauseSeconds: 600 },
  });
  const file = sonde.document('run.yaml', document);
  exited(await sonde.run(['run', file, '--pid', String(target.pid)]), 0);
  const { cost } = await sonde.report();
  assert.ok(
    cost.stopStallMilliseconds > 6000,
    `it stood still for ${cost.stopStallMilliseconds} ms`,
  );
  for (const thread of ['', 'w1.', 'w2.']) {
    for (const name of [`heap.${thread}0`, `cpu.${thread}0`]) {
      await sonde.json(['export', 'last', '--capture', name, '--format', 'raw']);
    }
  }
  await isAsBefore(target);
});

for (const type of ['heap', 'coverage', 'eventloop']) {
  test(`worker threads: ${type}`, async (t) => {
    const target = await startApp(t, { mode: 'workers' });
    const sonde = new Sonde(t);
    const args = ['profile', '--type', type, '--workers', 'all', '--duration', '2s'];
    exited(await sonde.run([...args, '--pid', String(target.pid)]), 0);
    const found = [];
    for (const name of [`${type}.0`, `${type}.w1.0`, `${type}.w2.0`]) {
      found.push(await sonde.json(['export', 'last', '--capture', name, '--format', 'raw']));
    }
    if (type === 'coverage') {
      assert.ok(functionOf(found[1], 'busyInWorker').ranges[0].count > 0);
      assert.equal(found[0].result.length > 0, true);
    }
    await isAsBefore(target);
  });
}

test('a worker that cannot answer is missing, and that is told', async (t) => {
  const target = await startApp(t, { mode: 'waiting-worker' });
  const sonde = new Sonde(t);
  const args = ['profile', '--workers', 'all', '--duration', '1s', '--pid', String(target.pid)];
  const result = await sonde.run(args);
  exited(result, 0);
  assert.match(result.stdout, /worker threads that did not answer, and are missing: 1$/m);
  const taken = [];
  for (const name of ['cpu.0', 'cpu.w1.0', 'cpu.w2.0', 'cpu.w3.0']) {
    const { code } = await sonde.run(['export', 'last', '--capture', name, '--format', 'raw']);
    taken.push(...(code === 0 ? [name] : []));
  }
  assert.equal(taken.length, 3, taken.join());
  assert.equal((await sonde.report()).cost.workerThreadsLost, 1);
});

test('a worker that comes while it is captured is captured, too', async (t) => {
  const target = await startApp(t);
  const sonde = new Sonde(t);
  const args = ['profile', '--workers', 'all', '--duration', '4s', '--pid', String(target.pid)];
  const running = sonde.start(args);
  await running.says(/capturing/);
  await get(target.port, '/worker?ms=60000');
  exited(await running.done, 0);
  const profile = await sonde.json(['export', 'last', '--capture', 'cpu.w1.0', '--format', 'raw']);
  const functions = profile.nodes.map((node) => node.callFrame.functionName);
  // The engine may count what it has inlined as its caller's.
  assert.match(functions.join(), /busyInWorker|often/);
});

test('workers that still start are left alone, and captured once they have begun', async (t) => {
  const target = await startApp(t);
  const sonde = new Sonde(t);
  const args = ['profile', '--workers', 'all', '--duration', '15s', '--pid', String(target.pid)];
  const running = sonde.start(args);
  await running.says(/capturing/);
  const count = 12;
  const starts = Array.from({ length: count }, () => get(target.port, '/worker?ms=60000'));
  await Promise.all(starts);
  exited(await running.done, 0);
  assert.deepEqual(await get(target.port, '/workers-ended'), { workersEnded: 0 });
  for (let number = 1; number <= count; number++) {
    const args = ['export', 'last', '--capture', `cpu.w${number}.0`, '--format', 'raw'];
    const profile = await sonde.json(args);
    const functions = profile.nodes.map((node) => node.callFrame.functionName);
    assert.match(functions.join(), /busyInWorker|often/, `worker ${number}`);
  }
});

test('we are stopped while we capture worker threads: it ends in them, too', async (t) => {
  const target = await startApp(t, { mode: 'workers' });
  const sonde = new Sonde(t);
  const args = ['profile', '--workers', 'all', '--duration', '1m', '--pid', String(target.pid)];
  const running = sonde.start(args);
  await running.says(/capturing/);
  await until(() => profilerRuns(target.pid), 10000, 'the profilers');
  running.child.kill('SIGSTOP');
  await until(() => !profilerRuns(target.pid), 10000, 'the profilers to end');
  running.child.kill('SIGKILL');
  await isAsBefore(target);
});

test('child processes are captured, each in turn', async (t) => {
  const target = await startApp(t, { mode: 'children' });
  const busy = load(t, target.port);
  const sonde = new Sonde(t);
  const args = ['profile', '--children', '--duration', '1s', '--pid', String(target.pid)];
  exited(await sonde.run(args), 0);
  await busy.stop();
  const report = await sonde.report();
  assert.equal(report.target, `process ${target.pid} and 2 more`);
  const [capture] = report.captures;
  const names = capture.functions.map((one) => one.function).join();
  assert.match(names, /busyInChild|often/);
  assert.match(names, /dropMemory/);
  assert.equal(capture.windows, 3);
  const own = await sonde.json([
    ...['export', 'last', '--format', 'raw', '--capture', `${target.pid}.cpu.0`],
  ]);
  assert.ok(own.nodes.every((one) => !/busyInChild|often/.test(one.callFrame.functionName)));
  await isAsBefore(target);
});

test('a cluster: its workers are captured, not the primary', async (t) => {
  const script = copyOfApp(t);
  const target = await startTarget(t, { script, env: { CAPTURES_APP: 'cluster' } });
  const sonde = new Sonde(t);
  const args = ['profile', '--children', '--match', path.dirname(script), '--duration', '1s'];
  const workers = () => childrenOf(target.pid).length === 2;
  await until(workers, 10000, 'two workers');
  const result = await sonde.run(args);
  exited(result, 0);
  assert.doesNotMatch(result.stdout, new RegExp(`process ${target.pid} `));
  assert.match((await sonde.report()).target, /^process \d+ and 1 more$/);
  await until(async () => !(await listens(inspectorPort)), 10000, 'the inspectors to close');
});

test('several processes behind one that is not Node.js', async (t) => {
  const environment = { ...process.env, NODE_OPTIONS: '', CAPTURES_APP: '' };
  delete environment.NODE_TEST_CONTEXT;
  const line = `"${node(22)}" "${app}" & "${node(22)}" "${app}" & wait`;
  const shell = start(t, 'sh', ['-c', line], { env: environment, detached: true });
  t.after(() => process.kill(-shell.pid, 'SIGKILL'));
  await until(() => shell.stdout().match(/listening/g)?.length === 2, 20000, 'both to listen');
  const sonde = new Sonde(t);
  const args = ['profile', '--children', '--pid', String(shell.pid), '--duration', '1s'];
  exited(await sonde.run(args), 0);
  assert.match((await sonde.report()).target, /^process \d+ and 1 more$/);
  const alone = await sonde.run(['profile', '--pid', String(shell.pid), '--duration', '1s']);
  assert.match(alone.stderr, /TargetNotNode/);
});
