// SPDX-License-Identifier: Apache-2.0
'use strict';

// The sidecar and a store that is away, stands still, is another one, or misbehaves.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const {
  Store,
  busy,
  capturing,
  cloggedWay,
  fakeStore,
  request,
  runOf,
  startService,
  startSidecar,
  startStore,
  wasLeftClean,
  wasNotSignalled,
} = require('./support/service.js');
const { temporary } = require('./support/sonde.js');
const { startTarget } = require('./support/target.js');
const { until } = require('./support/wait.js');

const twoSeconds = [{ name: 'cpu', durationSeconds: 2, windowSeconds: 1 }];

// Sits where the store was until so many connections were tried: about three a second are.
async function missed(t, port, times) {
  let count = 0;
  const server = net.createServer((socket) => {
    count += 1;
    socket.destroy();
  });
  t.after(() => server.close());
  server.listen(port, '127.0.0.1');
  await until(() => count >= times, 20000, 'the store to be missed');
  await new Promise((resolve) => server.close(resolve));
}

test('no store: StoreUnreachable, and the target is not touched', async (t) => {
  const store = await startStore(t);
  const target = await startService(t);
  const run = await store.newRun(runOf(target.match, twoSeconds));
  await store.kill();
  const result = await startSidecar(t, store, run).end(1);
  assert.equal(result.state, 'Failed');
  assert.equal(result.reason, 'StoreUnreachable');
  assert.ok(result.message.includes(store.url), result.message);
  assert.ok(result.milliseconds < 30000, `${result.milliseconds} ms`);
  assert.deepEqual(result.processes, []);
  await wasNotSignalled(target);
});

test('a store that stands still: StoreUnreachable, and the target is not touched', async (t) => {
  const store = await startStore(t);
  const target = await startService(t);
  const run = await store.newRun(runOf(target.match, twoSeconds));
  store.process.child.kill('SIGSTOP');
  const result = await startSidecar(t, store, run).end(1);
  assert.equal(result.reason, 'StoreUnreachable');
  assert.ok(result.milliseconds < 30000, `${result.milliseconds} ms`);
  await wasNotSignalled(target);
});

test('a store of another authority: it is not trusted, and the target not touched', async (t) => {
  const store = await startStore(t);
  const other = new Store(t);
  const target = await startService(t);
  const run = await store.newRun(runOf(target.match, twoSeconds));
  const result = await startSidecar(t, store, run, {
    env: { SONDE_STORE_CA: other.authority },
  }).end(1);
  assert.equal(result.reason, 'StoreUnreachable');
  assert.match(result.message, /certificate/i);
  await wasNotSignalled(target);
});

for (const signal of ['SIGKILL', 'SIGSTOP']) {
  test(`the store gets ${signal} in the middle: the target is left, StoreUnreachable`, async (t) => {
    const { store, target, run, sidecar } = await capturing(t, {
      env: { SONDE_STORE_PATIENCE: '3' },
    });
    store.process.child.kill(signal);
    const struck = Date.now();
    const result = await sidecar.end(1);
    assert.ok(Date.now() - struck < 20000, `${Date.now() - struck} ms`);
    assert.equal(result.state, 'Failed');
    assert.equal(result.reason, 'StoreUnreachable');
    await wasLeftClean(target);
    await store.kill();
    await store.start();
    assert.ok((await store.artifacts(run)).length >= 1);
  });
}

test('the store is started anew in the middle: nothing is lost', async (t) => {
  const store = await startStore(t);
  const target = await startService(t);
  busy(t, target);
  const captures = [{ name: 'cpu', durationSeconds: 8, windowSeconds: 1 }];
  const run = await store.newRun(runOf(target.match, captures));
  const sidecar = startSidecar(t, store, run);
  await store.windows(run, 1, sidecar);
  await store.kill();
  await missed(t, store.port, 6);
  await store.start();
  const result = await sidecar.end(0);
  assert.equal(result.state, 'Succeeded');
  assert.equal(result.artifacts, 8);
  const artifacts = await store.artifacts(run);
  assert.equal(artifacts.length, 8);
  const report = await store.report(run);
  assert.equal(report.captures[0].windows, 8);
  await wasLeftClean(target);
});

test('SIGTERM while the store is away: the inspector is closed all the same', async (t) => {
  const { store, target, sidecar } = await capturing(t, { env: { SONDE_STORE_PATIENCE: '5' } });
  await store.kill();
  sidecar.child.kill('SIGTERM');
  await wasLeftClean(target);
  const result = await sidecar.end(1);
  assert.equal(result.state, 'Cancelled');
  assert.equal(result.processes[0].pid, target.pid);
});

// ---- a store that misbehaves ----

// A run of 2 s with such a store: what the sidecar says at its end, which comes with this code.
async function runWith(t, code, answer) {
  const store = await fakeStore(t, answer);
  const target = await startService(t);
  busy(t, target);
  const run = store.newRun(runOf(target.match, twoSeconds));
  const result = await startSidecar(t, store, run, { env: { SONDE_STORE_PATIENCE: '3' } }).end(
    code,
  );
  await wasLeftClean(target);
  return { ...result, store, target };
}

function refuse(response, status, body) {
  response.statusCode = status;
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
  return true;
}

test('each request fails once: all are made again, and the run succeeds', async (t) => {
  const faults = [
    (response) => refuse(response, 503, { code: 'Busy', message: 'try again' }),
    (response) => response.destroy() && true,
    (response) => refuse(response, 500, 'not JSON'),
  ];
  const { store, state } = await runWith(t, 0, (_step, count, response) => {
    return count <= faults.length && faults[count - 1](response);
  });
  assert.equal(state, 'Succeeded');
  assert.equal(JSON.parse(store.bodies.done).state, 'Succeeded');
  assert.ok(store.counts.put >= 5);
});

test('a commit of what the store has lost: it is sent anew', async (t) => {
  const lost = { code: 'NotFound', message: 'no such artifact was sent' };
  const { store, state } = await runWith(t, 0, (step, count, response) => {
    return step === 'commit' && count === 1 && refuse(response, 404, lost);
  });
  assert.equal(state, 'Succeeded');
  assert.equal(store.counts.put, store.sent.size + 1);
  assert.equal(store.counts.commit, store.counts.put);
});

// Hands on to a real store; the answers that `loses` names are lost on their way back.
async function lossyWay(t, real, loses) {
  const store = await fakeStore(t, (step, count, response, message) => {
    const { authorization, ...rest } = message.headers;
    const headers = { authorization, 'content-type': rest['content-type'] };
    for (const name of Object.keys(rest).filter((key) => key.startsWith('sonde-'))) {
      headers[name] = rest[name];
    }
    const where = message.url.replace('/api/v1/', '');
    request(real, message.method, where, { headers, body: store.bodies[step] }).then(
      ({ status, text }) => {
        response.statusCode = status;
        return loses(step, count) ? response.destroy() : response.end(text);
      },
      () => response.destroy(),
    );
    return true;
  });
  return store;
}

for (const lost of ['heartbeat', 'put', 'commit', 'done']) {
  test(`the first answer to ${lost} is lost: nothing is stored twice, nothing is missing`, async (t) => {
    const real = await startStore(t);
    const target = await startService(t);
    busy(t, target);
    const run = await real.newRun(runOf(target.match, twoSeconds));
    const store = await lossyWay(t, real, (step, count) => step === lost && count === 1);
    const result = await startSidecar(t, store, run, { env: { SONDE_STORE_PATIENCE: '3' } }).end(0);
    assert.equal(result.state, 'Succeeded');
    assert.ok(store.counts[lost] >= 2);
    const artifacts = await real.artifacts(run);
    assert.equal(artifacts.length, 2);
    assert.equal(
      artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0),
      result.bytes,
    );
    assert.equal((await real.view(run)).targets[0].phase, 'Done');
  });
}

test('a store that takes no more: StoreFailed, and the target is heard out', async (t) => {
  const store = await startStore(t);
  const directory = temporary(t, 'sonde-pod-');
  const script = path.join(directory, 'fake.js');
  fs.copyFileSync(path.join(__dirname, 'support/fake-inspector.js'), script);
  const target = await startTarget(t, { script, env: { MODE: 'large-coverage' } });
  const captures = [{ name: 'covered', type: 'Coverage', durationSeconds: 1 }];
  const run = await store.newRun(runOf(directory, captures));
  const result = await startSidecar(t, await cloggedWay(t, store), run).end(1);
  assert.equal(result.reason, 'StoreFailed');
  assert.match(target.process.stderr(), /finish\(\)/);
  assert.match(target.process.stderr(), /hung up with 0 bytes unread/);
  assert.equal((await store.artifacts(run, 'Coverage')).length, 0);
});

test('a disk that is full: StoreFull', async (t) => {
  const { reason } = await runWith(t, 1, (step, _count, response) => {
    return step === 'put' && refuse(response, 507, { code: 'StoreFull', message: 'no space' });
  });
  assert.equal(reason, 'StoreFull');
});

test('a refusal with a long text: UploadRejected, and the message stays short', async (t) => {
  const message = '"\\\u0001€'.repeat(2000);
  const { reason, state } = await runWith(t, 1, (step, _count, response) => {
    return step === 'put' && refuse(response, 400, { code: 'Invalid', message });
  });
  assert.equal(state, 'Failed');
  assert.equal(reason, 'UploadRejected');
});

test('a refusal of the last word: what was captured is stored, and the end is told', async (t) => {
  const { state, store } = await runWith(t, 0, (step, _count, response) => {
    return step === 'done' && refuse(response, 403, { code: 'TokenSpent', message: 'spent' });
  });
  assert.equal(state, 'Succeeded');
  assert.equal(store.counts.done, 1);
});

for (const [name, text] of Object.entries({
  'no JSON': 'cancel me not',
  'another JSON': '[[["cancel"]]]',
  'an empty text': '',
})) {
  test(`answers that are ${name}: the run goes on`, async (t) => {
    const { state } = await runWith(t, 0, (_step, _count, response) => refuse(response, 200, text));
    assert.equal(state, 'Succeeded');
  });
}

test('an endless answer: it is not read, and the target is not touched', async (t) => {
  const store = await fakeStore(t, (_step, _count, response) => {
    const piece = Buffer.alloc(1 << 16, ' ');
    const more = () => {
      while (!response.destroyed && response.write(piece)) {}
    };
    response.on('drain', more);
    more();
    return true;
  });
  const target = await startService(t);
  const run = store.newRun(runOf(target.match, twoSeconds));
  const result = await startSidecar(t, store, run).end(1);
  assert.equal(result.reason, 'StoreUnreachable');
  assert.ok(result.milliseconds < 30000, `${result.milliseconds} ms`);
  await wasNotSignalled(target);
});

test('a redirection is not followed: the token stays here', async (t) => {
  let asked = 0;
  const thief = await fakeStore(t, () => {
    asked += 1;
    return false;
  });
  const store = await fakeStore(t, (_step, _count, response, message) => {
    response.setHeader('Location', `${thief.url}${message.url}`);
    return refuse(response, 307, '');
  });
  const target = await startService(t);
  const run = store.newRun(runOf(target.match, twoSeconds));
  const env = { SONDE_STORE_CA: store.authority + thief.authority };
  const result = await startSidecar(t, store, run, { env }).end(1);
  assert.equal(result.state, 'Failed');
  assert.equal(asked, 0);
  await wasNotSignalled(target);
});
