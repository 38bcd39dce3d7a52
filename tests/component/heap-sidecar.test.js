// SPDX-License-Identifier: Apache-2.0
'use strict';

// A heap snapshot on its way from a sidecar into the store: streamed, redacted, and what happens when
// the store takes no more of it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Snapshot, blobs, everything, forms } = require('./support/heap.js');
const { cloggedWay, runOf, startSidecar, startStore } = require('./support/service.js');
const { isSanitized, start, temporary } = require('./support/sonde.js');
const { alive, inspectorPort, listens, node } = require('./support/target.js');
const { until } = require('./support/wait.js');

const heap = [{ name: 'heap', type: 'HeapSnapshot' }];
const residentMaximum = 16 << 20;

// A script of the fixtures in a directory of its own, by which alone it is matched.
function startApp(t, name, args, env = {}) {
  const directory = temporary(t, 'sonde-pod-');
  const script = path.join(directory, name);
  fs.copyFileSync(path.join(__dirname, 'support', name), script);
  const target = start(t, node(22), [script, ...args], { env: { ...process.env, ...env } });
  return { target, match: directory };
}

async function startLarge(t) {
  const started = startApp(t, 'snapshot-app.js', [], { OBJECTS: '100000' });
  await until(() => started.target.stdout() !== '', 60000, 'the first round of its loop');
  return started;
}

function runOfHeap(match) {
  const run = runOf(match, heap);
  run.spec.safety = { maxPauseSeconds: 600 };
  return run;
}

async function assertUnharmed(target) {
  assert.ok(alive(target.pid));
  assert.equal(await listens(inspectorPort), false);
}

// What a process has had resident at most, looked at for as long as it lives.
function watchResident(pid) {
  const seen = { most: 0 };
  const timer = setInterval(() => {
    try {
      const status = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
      seen.most = Number(/^VmHWM:\s+(\d+)/m.exec(status)[1]) * 1024;
    } catch {
      clearInterval(timer); // it has ended
    }
  }, 20);
  timer.unref();
  return seen;
}

test('a heap goes redacted into the store, and never whole into memory', async (t) => {
  const secretsFile = path.join(temporary(t), 'secrets.json');
  const { target, match } = startApp(t, 'secrets-app.js', [secretsFile]);
  await until(() => fs.existsSync(secretsFile) && alive(target.pid), 20000, 'the secrets');
  const store = await startStore(t);
  const run = await store.newRun(runOfHeap(match));
  const result = await startSidecar(t, store, run).end(0);
  assert.equal(result.state, 'Succeeded');
  assert.equal(result.artifacts, 1);
  await assertUnharmed(target);
  const [artifact] = await store.artifacts(run, 'HeapSnapshot');
  assert.equal(artifact.bytes, result.bytes);
  const data = path.join(store.directory, 'data');
  const [bytes] = blobs(data);
  assert.equal(bytes.length, result.bytes);
  new Snapshot(bytes).check();
  const places = everything(data);
  for (const [kind, text] of Object.entries(JSON.parse(fs.readFileSync(secretsFile)))) {
    for (const form of forms(text)) {
      assert.ok(!places.some((place) => place.includes(form)), `${kind} was stored`);
    }
  }
});

test('a large heap needs no more memory', async (t) => {
  const { target, match } = await startLarge(t);
  const store = await startStore(t);
  const run = await store.newRun(runOfHeap(match));
  const sidecar = startSidecar(t, store, run);
  const seen = watchResident(sidecar.pid);
  const result = await sidecar.end(0);
  assert.ok(result.bytes > 20e6, `${result.bytes} bytes`);
  const bounded = seen.most < residentMaximum || (await isSanitized());
  assert.ok(seen.most > 0 && bounded, `${seen.most} bytes`);
  await assertUnharmed(target);
});

test('a store that takes no more: StoreFailed within its bound, the target is left', async (t) => {
  const { target, match } = await startLarge(t);
  const store = await startStore(t);
  const run = await store.newRun(runOfHeap(match));
  const result = await startSidecar(t, await cloggedWay(t, store), run).end(1);
  assert.match(result.reason, /^Store(Failed|Unreachable)$/);
  await assertUnharmed(target);
  assert.equal((await store.artifacts(run, 'HeapSnapshot')).length, 0);
});

test('a store that refuses it: UploadRejected, the target is left', async (t) => {
  const { target, match } = await startLarge(t);
  const store = await startStore(t);
  const document = runOfHeap(match);
  document.spec.maxBytes = 1048576;
  const run = await store.newRun(document);
  const result = await startSidecar(t, store, run).end(1);
  assert.equal(result.reason, 'UploadRejected');
  await assertUnharmed(target);
  assert.equal((await store.artifacts(run, 'HeapSnapshot')).length, 0);
});
