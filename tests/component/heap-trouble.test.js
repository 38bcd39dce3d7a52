// SPDX-License-Identifier: Apache-2.0
'use strict';

// What goes wrong while a heap snapshot is taken, or keeps it from being taken.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { blobs, files } = require('./support/heap.js');
const { Sonde, bin, exited, profileRun, start, temporary } = require('./support/sonde.js');
const { alive, inspectorPort, listens, node, startTarget } = require('./support/target.js');
const { until } = require('./support/wait.js');

const app = path.join(__dirname, 'support/snapshot-app.js');
const fake = path.join(__dirname, 'support/fake-inspector.js');
const heap = [{ name: 'heap', type: 'HeapSnapshot' }];
// Enough for a standstill of a second or more.
const many = 300000;
// The probe waits 5 s for us, counted from when the target goes on, and looks whether we have gone.
const closedMilliseconds = 10000;

async function startApp(t, objects) {
  const target = start(t, node(22), [app], { env: { ...process.env, OBJECTS: String(objects) } });
  await until(() => target.stdout() !== '', 60000, 'the first round of its loop');
  return target;
}

function startRun(t, pid, spec = {}, captures = heap) {
  const sonde = new Sonde(t);
  const file = sonde.document('run.yaml', profileRun('trouble', captures, spec));
  return { sonde, running: sonde.start(['run', file, '--pid', String(pid)]) };
}

// Waits until the snapshot is being taken: the loop of the target comes round no more.
async function standsStill(running, target) {
  await running.says(/capturing heap/, 60000);
  let seen = target.stdout().length;
  let since = Date.now();
  const still = () => {
    if (target.stdout().length !== seen) {
      seen = target.stdout().length;
      since = Date.now();
    }
    return Date.now() - since > 700;
  };
  await until(still, 60000, 'the standstill of the target');
}

function assertNothingKept(sonde) {
  assert.deepEqual(blobs(sonde.store), []);
  assert.deepEqual(files(path.join(sonde.store, 'incoming')), []);
}

// It lives, its loop comes round, and nobody can inspect it.
async function assertUnharmed(target) {
  assert.ok(alive(target.pid));
  assert.equal(await listens(inspectorPort), false);
  const before = target.stdout().length;
  await until(() => target.stdout().length > before, 10000, 'another round of its loop');
}

function assertReason(result, reason, pattern) {
  exited(result, 1);
  assert.match(result.stderr, new RegExp(`sonde: ${reason}: .*${pattern}`));
}

test('a debugger statement does not stop a process whose words are read', async (t) => {
  const target = await startApp(t, 1000);
  const { sonde, running } = startRun(t, target.pid);
  exited(await running.done, 0);
  await assertUnharmed(target);
  assert.equal(blobs(sonde.store).length, 1);
});

test('the target dies in the middle: TargetExited, and nothing is kept', async (t) => {
  const target = await startApp(t, many);
  const { sonde, running } = startRun(t, target.pid, { safety: { maxPauseSeconds: 600 } });
  await standsStill(running, target);
  target.child.kill('SIGKILL');
  assertReason(await running.done, 'TargetExited', 'ended');
  assertNothingKept(sonde);
});

test('cancelled in the middle: the target is left clean, nothing is kept', async (t) => {
  const target = await startApp(t, many);
  const { sonde, running } = startRun(t, target.pid, { safety: { maxPauseSeconds: 600 } });
  await standsStill(running, target);
  running.child.kill('SIGINT');
  exited(await running.done, 1);
  assert.equal((await sonde.runs())[0].reason, 'Cancelled');
  assertNothingKept(sonde);
  await assertUnharmed(target);
});

test('we are killed in the middle: the target goes on, and closes its inspector', async (t) => {
  const target = await startApp(t, many);
  const { sonde, running } = startRun(t, target.pid, { safety: { maxPauseSeconds: 600 } });
  await standsStill(running, target);
  running.child.kill('SIGKILL');
  const rounds = target.stdout();
  await running.done;
  assert.ok(await listens(inspectorPort));
  await until(() => target.stdout() !== rounds, 60000, 'the end of its standstill');
  const closed = async () => !(await listens(inspectorPort));
  await until(closed, closedMilliseconds, 'the inspector to be closed by the probe');
  await assertUnharmed(target);
  assert.equal((await sonde.runs())[0].reason, 'Interrupted');
  assertNothingKept(sonde);
});

test('too risky: refused with the numbers, before the target is stopped', async (t) => {
  const target = await startApp(t, many);
  const { sonde, running } = startRun(t, target.pid, { safety: { maxPauseSeconds: 1 } });
  const numbers = 'MB of heap \\(up to \\d+\\.\\d million objects\\) may stop the process for';
  const result = await running.done;
  assertReason(result, 'SnapshotTooRisky', numbers);
  assert.match(result.stderr, /safety\.maxPauseSeconds allows 1\.0 s; AllocationSampling/);
  assertNothingKept(sonde);
  await assertUnharmed(target);
});

test('larger than spec.maxBytes: UploadRejected, the target is left clean', async (t) => {
  const target = await startApp(t, 1000);
  const { sonde, running } = startRun(t, target.pid, { maxBytes: 1048576 });
  assertReason(await running.done, 'UploadRejected', 'larger than spec.maxBytes');
  assertNothingKept(sonde);
  await assertUnharmed(target);
});

test('the disk is full at nine tenths: StoreFull, the target is left clean', {
  skip: process.getuid() !== 0 && 'needs to mount',
}, async (t) => {
  const target = await startApp(t, many);
  const directory = temporary(t);
  const document = path.join(directory, 'run.yaml');
  const spec = { safety: { maxPauseSeconds: 600 } };
  fs.writeFileSync(document, profileRun('full', heap, spec));
  const script = `mount -t tmpfs -o size=5m tmpfs "$2" &&
    dd if=/dev/zero of="$2/filler" bs=1k count=600 2>/dev/null &&
    exec "$0" run "$3" --pid "$1" --store "$2/store"`;
  const mounted = path.join(directory, 'disk');
  fs.mkdirSync(mounted);
  const running = start(t, 'unshare', [
    ...['--mount', 'sh', '-c', script, bin, String(target.pid), mounted, document],
  ]);
  assertReason(await running.done, 'StoreFull', '');
  await assertUnharmed(target);
});

// Has the first write of each thread but the main one take 10 s: what they write is the store.
async function slowDown(t, running) {
  const tasks = `/proc/${running.pid}/task`;
  const workers = () => fs.readdirSync(tasks).filter((id) => id !== String(running.pid));
  // libuv makes all four of them when it has work for the first.
  await until(() => workers().length >= 4, 20000, 'a block to be written');
  const slow = ['-e', 'trace=write', '-e', 'inject=write:delay_enter=10000000:when=1'];
  const threads = workers();
  start(t, 'strace', ['-qq', '-o', '/dev/null', ...slow, ...threads.flatMap((id) => ['-p', id])]);
  const status = (id) => fs.readFileSync(`${tasks}/${id}/status`, 'latin1');
  const traced = (id) => /^TracerPid:\s+[1-9]/m.test(status(id));
  await until(() => threads.every(traced), 10000, 'strace');
}

for (const [mode, capture] of Object.entries({
  'snapshot-in-two': { ...heap[0], redaction: 'None' },
  'large-profile': { name: 'cpu', durationSeconds: 60, windowSeconds: 1 },
})) {
  test(`a disk that takes nothing for 10 s: StoreFailed (${mode})`, async (t) => {
    const target = await startTarget(t, { script: fake, env: { MODE: mode } });
    const sonde = new Sonde(t);
    const file = sonde.document('run.yaml', profileRun('trouble', [capture]));
    // Leaks cannot be looked for under strace.
    const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' };
    const running = sonde.start(['run', file, '--pid', String(target.pid)], { env });
    await slowDown(t, running);
    target.process.child.kill('SIGUSR2');
    assertReason(await running.done, 'StoreFailed', 'has taken nothing for 5 s');
    assert.match(target.process.stderr(), /finish\(\)/);
    assert.match(target.process.stderr(), /hung up with 0 bytes unread/);
    assert.deepEqual(files(path.join(sonde.store, 'incoming')), []);
    assert.ok(blobs(sonde.store).every((blob) => blob.length < 1e6));
  });
}

test('a target that stands still for longer than answers may take', async (t) => {
  const env = { MODE: 'snapshot-slow', AFTER: '0' };
  const target = await startTarget(t, { script: fake, env });
  const { sonde, running } = startRun(t, target.pid);
  const result = await running.done;
  exited(result, 0);
  assert.ok(result.milliseconds > 13000);
  assert.match(blobs(sonde.store).toString(), /"\(GC roots\)"/);
});

test('a connection that stalls: InspectorLost after its own bound', async (t) => {
  const env = { MODE: 'snapshot-stalled', AFTER: '0' };
  const target = await startTarget(t, { script: fake, env });
  const { sonde, running } = startRun(t, target.pid);
  assertReason(await running.done, 'InspectorLost', 'has not answered for 3\\d s');
  assertNothingKept(sonde);
});

test('a worker that hangs within its own snapshot is missing; the rest goes on', {
  timeout: 90000, // were it waited for without end
}, async (t) => {
  const env = { MODE: 'worker-stalled' };
  const target = await startTarget(t, { script: fake, env });
  const captures = [
    { ...heap[0], redaction: 'None' },
    { name: 'cpu', durationSeconds: 1 },
  ];
  const spec = { target: { podName: 'local', workerThreads: 'All' } };
  const { sonde, running } = startRun(t, target.pid, spec, captures);
  const result = await running.done;
  exited(result, 0);
  assert.match(target.process.stderr(), /worker: HeapProfiler.takeHeapSnapshot/);
  assert.match(result.stdout, /worker threads that did not answer, and are missing: 1$/m);
  assert.equal((await sonde.report()).cost.workerThreadsLost, 1);
  for (const [name, code] of [
    ['heap.0', 0],
    ['cpu.0', 0],
    ['heap.w1.0', 3],
    ['cpu.w1.0', 3],
  ]) {
    const exported = await sonde.run(['export', 'last', '--capture', name, '--format', 'raw']);
    assert.equal(exported.code, code, `${name}: ${exported.stderr}`);
  }
  assert.deepEqual(files(path.join(sonde.store, 'incoming')), []);
});
