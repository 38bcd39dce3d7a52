// SPDX-License-Identifier: Apache-2.0
'use strict';

// Runners of a load test: what all of them send together, whatever happens to one of them or to
// the store.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { makePair } = require('./support/certificates.js');
const { countingServer, loadTest, playStore } = require('./support/runner.js');
const { startRunner, startRunners, until } = require('./support/runner.js');
const { temporary } = require('./support/sonde.js');

const names = ['sent', 'answered', 'failed', 'censored', 'unsent'];

// What each of them told a second at a time is what it told in the end.
function addsUp(store) {
  for (const own of store.spoken) {
    assert.equal(own.done.intervals, own.intervals.length);
    for (const name of names) {
      assert.equal(own.done[name], own.totals[name], name);
    }
    assert.equal(own.histogram, own.totals.answered + own.totals.censored);
  }
}

async function allSucceed(runners) {
  for (const runner of runners) {
    const { state, reason } = await runner.end();
    assert.deepEqual({ state, reason }, { state: 'Succeeded', reason: 'Completed' });
  }
}

const slots = (store) => store.sum('sent') + store.sum('unsent');

// Long enough for whatever is done meanwhile.
const endless = { rate: 100, durationSeconds: 120 };

for (const runners of [1, 3, 8]) {
  test(`${runners} runners send exactly what one would`, async (t) => {
    const server = await countingServer(t);
    const arrival = { rate: 97, durationSeconds: 3 };
    const store = await playStore(t, loadTest(server.url, { arrival }), runners);
    await allSucceed(startRunners(t, store));
    addsUp(store);
    assert.equal(slots(store), 3 * 97);
    assert.equal(store.sum('sent'), server.requests);
    assert.equal(store.sum('answered'), server.requests);
    const shares = store.spoken.map(({ totals }) => totals.sent + totals.unsent);
    assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, shares.join());
    for (const { intervals } of store.spoken) {
      assert.ok(intervals[0].started >= 0);
      assert.ok(intervals.slice(1).every(({ started }) => started === undefined));
    }
  });

  test(`an amount is divided among ${runners}, with and without a rate`, async (t) => {
    const server = await countingServer(t);
    let before = 0;
    for (const arrival of [
      { amount: 1001 },
      { rate: 500, amount: 1001 },
      { rate: 500, amount: 1001, distribution: 'Poisson' },
    ]) {
      // Fewer connections than runners: those without have no part of the amount.
      const store = await playStore(t, loadTest(server.url, { arrival, connections: 5 }), runners);
      await allSucceed(startRunners(t, store));
      addsUp(store);
      assert.equal(slots(store), 1001);
      assert.equal(store.sum('answered'), server.requests - before);
      before = server.requests;
    }
  });
}

test('a warm-up is told apart, and stages are one train', async (t) => {
  const server = await countingServer(t);
  const stages = [
    { durationSeconds: 2, rate: 100, ramp: true },
    { durationSeconds: 1, rate: 41 },
  ];
  const document = loadTest(server.url, { arrival: { stages }, warmUpSeconds: 1 });
  const store = await playStore(t, document, 3);
  await allSucceed(startRunners(t, store));
  addsUp(store);
  assert.equal(slots(store), 100 + 41);
  const warm = store.spoken.reduce((sum, { warm }) => sum + warm.sent + warm.unsent, 0);
  // What is told of a warm-up is what came of it by its end.
  assert.ok(warm > 0 && warm <= 100, String(warm));
  for (const { intervals } of store.spoken) {
    const first = intervals.findIndex(({ warmUp }) => !warmUp);
    assert.ok(first >= 1 && intervals.slice(first).every(({ warmUp }) => !warmUp));
    assert.ok(intervals.every(({ tally }) => tally.labels === 1));
  }
});

test('values in turn are used once by all runners together', async (t) => {
  const server = await countingServer(t);
  const values = Array.from({ length: 90 }, (_, i) => `v${i}`);
  const scenario = {
    requests: [{ name: 'one', path: '/{{v}}', data: { v: { values, order: 'Sequential' } } }],
  };
  const document = loadTest(server.url, { scenario, arrival: { rate: 90, amount: 90 } });
  const store = await playStore(t, document, 3);
  await allSucceed(startRunners(t, store));
  assert.equal(slots(store), 90);
  const twice = Object.entries(server.paths).filter(([, count]) => count > 1);
  assert.deepEqual(twice, []);
  assert.equal(Object.keys(server.paths).length, store.sum('sent'));
});

test('the start is the store’s, however wrong a clock is', async (t) => {
  const server = await countingServer(t);
  const arrival = { rate: 50, durationSeconds: 1 };
  const store = await playStore(t, loadTest(server.url, { arrival }), 3);
  store.skew = 3600e6;
  await allSucceed(startRunners(t, store));
  assert.equal(slots(store), 50);
  for (const { offset, uncertainty } of store.ready.values()) {
    // Clocks of one machine: what they differ by is the time of an answer.
    assert.ok(Math.abs(offset - 3600e6) <= uncertainty + 2000, `${offset} ± ${uncertainty}`);
  }
});

test('the pods of a service are told apart by their names', async (t) => {
  const servers = [await countingServer(t), await countingServer(t)];
  const document = loadTest('', { arrival: { rate: 60, durationSeconds: 2 }, connections: 4 });
  document.spec.target = { service: { name: 'web', port: 80, endpoints: 'Pods' } };
  const store = await playStore(t, document, 2);
  store.addresses = servers.map(({ port }, i) => ({
    address: `127.0.0.1:${port}`,
    name: `web-${i}`,
  }));
  await allSucceed(startRunners(t, store));
  assert.equal(slots(store), 120);
  for (const { labels } of store.ready.values()) {
    assert.deepEqual(labels, [
      { kind: 'name', text: 'one' },
      { kind: 'address', text: 'web-0' },
      { kind: 'address', text: 'web-1' },
    ]);
  }
  const parts = [0, 0, 0];
  for (const { tally } of store.spoken.flatMap(({ intervals }) => intervals)) {
    for (const { label, counts } of tally.parts) {
      parts[label] += counts.answered;
    }
  }
  const [one, two] = servers.map(({ requests }) => requests);
  assert.ok(one > 0 && two > 0);
  assert.deepEqual(parts, [one + two, one, two]);
});

test('secrets arrive at the server, and nowhere else', async (t) => {
  const server = await countingServer(t);
  const secret = 'Bearer hush-hush-hush';
  const headersFrom = [{ name: 'Authorization', secretKeyRef: { name: 's', key: 'k' } }];
  const scenario = { requests: [{ name: 'one', path: '/' }], headersFrom };
  const document = loadTest(server.url, { scenario, arrival: { rate: 20, durationSeconds: 1 } });
  const store = await playStore(t, document, 2);
  const runners = startRunners(t, store, { env: { SONDE_HEADER_0: `${secret}\n` } });
  const environments = [];
  await until(() => server.requests > 0, 60000, 'a request');
  for (const { pid } of runners) {
    environments.push(fs.readFileSync(`/proc/${pid}/environ`, 'utf8'));
  }
  for (const runner of runners) {
    const { text, stderr } = await runner.end();
    assert.ok(!`${text}${stderr}`.includes('hush'));
  }
  assert.ok(server.headers.length > 0);
  assert.ok(server.headers.every(({ authorization }) => authorization === secret));
  assert.ok(!store.words.join().includes('hush'));
  for (const environment of environments) {
    assert.ok(environment.includes('SONDE_STORE') && !environment.includes('hush'));
    assert.ok(!store.tokens.some((token) => environment.includes(token)));
  }
});

test('who we are and whom we trust is of Secrets, too', async (t) => {
  const directory = temporary(t);
  const valid = { begins: -1, ends: 1 };
  const own = makePair(directory, 'authority', valid);
  const issued = (name) => makePair(directory, name, { issuer: own, names: ['web'], ...valid });
  const [pair, client] = [issued('server'), issued('client')];
  const server = await countingServer(t, {
    tls: {
      ...{ cert: pair.certificate, key: pair.key, ca: own.certificate },
      ...{ requestCert: true, rejectUnauthorized: true },
    },
  });
  const names = [];
  server.seen = ({ socket }) => names.push(socket.getPeerCertificate().subject.CN);
  fs.mkdirSync(path.join(directory, 'client'));
  fs.writeFileSync(path.join(directory, 'client', 'tls.crt'), client.certificate);
  fs.writeFileSync(path.join(directory, 'client', 'tls.key'), client.key);
  const tls = {
    ...{ serverName: 'web', clientCertificateSecretName: 'client' },
    caSecretKeyRef: { name: 'authority', key: 'ca.crt' },
  };
  const arrival = { rate: 20, durationSeconds: 1 };
  const store = await playStore(t, loadTest(server.url, { arrival, http: { tls } }), 1);
  store.directory = directory;
  await allSucceed(startRunners(t, store, { env: { SONDE_AUTHORITY: own.certificate } }));
  assert.equal(store.sum('answered'), server.requests);
  assert.ok(names.length > 0 && names.every((name) => name === 'client'));
});

test('ConfigMaps are files of their names', async (t) => {
  const server = await countingServer(t);
  const directory = temporary(t);
  const map = path.join(directory, 'maps', 'paths');
  fs.mkdirSync(map, { recursive: true });
  fs.writeFileSync(path.join(map, 'users.csv'), 'name\nada\nbo\n');
  const data = { u: { configMapRef: { name: 'paths', key: 'users.csv', column: 'name' } } };
  const scenario = { requests: [{ name: 'one', path: '/{{u}}', data }] };
  const document = loadTest(server.url, { scenario, arrival: { rate: 40, durationSeconds: 1 } });
  const store = await playStore(t, document, 1);
  store.directory = directory;
  await allSucceed(startRunners(t, store));
  assert.ok(Object.keys(server.paths).every((own) => own === '/ada' || own === '/bo'));
});

// What is in the ConfigMap "map" as `key`, sent by two runners.
async function sendFile(t, server, key, format, text) {
  const directory = temporary(t);
  const map = path.join(directory, 'maps', 'map');
  fs.mkdirSync(map, { recursive: true });
  fs.writeFileSync(path.join(map, key), text);
  const scenario = { configMapRef: { name: 'map', key, format } };
  const document = loadTest(server.url, { scenario, arrival: { rate: 60, amount: 120 } });
  const store = await playStore(t, document, 2);
  store.directory = directory;
  await allSucceed(startRunners(t, store));
  addsUp(store);
  assert.equal(slots(store), 120);
  assert.equal(store.sum('answered'), server.requests);
  const [one, two] = [...store.ready.values()].map(({ labels }) => labels.map(({ text }) => text));
  assert.deepEqual(one, two);
  return one;
}

test('a recording of a browser in a ConfigMap is what they send', async (t) => {
  const server = await countingServer(t);
  const entry = (method, url, more) => ({
    request: { method, url, headers: [{ name: 'X-One', value: '1' }], ...more },
  });
  const entries = [
    entry('GET', `${server.url}first`),
    entry('GET', 'http://elsewhere.example/'),
    entry('POST', `${server.url}second`, { postData: { mimeType: 'text/plain', text: 'hello' } }),
  ];
  const names = await sendFile(t, server, 'a.har', 'HAR', JSON.stringify({ log: { entries } }));
  assert.equal(names.length, 2, names.join());
  assert.deepEqual(Object.keys(server.paths).sort(), ['/first', '/second']);
  assert.ok(server.headers.every((fields) => fields['x-one'] === '1'));
});

test('a description of an API in a ConfigMap is what they send', async (t) => {
  const server = await countingServer(t);
  const api = `
openapi: 3.1.0
paths:
  /patients/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}, example: 7}]
  /patients:
    post:
      requestBody: {content: {application/json: {example: {name: Ada}}}}
`;
  const names = await sendFile(t, server, 'api.yaml', 'OpenAPI', api);
  assert.equal(names.length, 2, names.join());
  assert.deepEqual(Object.keys(server.paths).sort(), ['/patients', '/patients/7']);
});

test('a store that is away for a while is told all of it, once and in order', async (t) => {
  const server = await countingServer(t);
  const arrival = { rate: 90, durationSeconds: 8 };
  const cut = new Set();
  // Some answers are lost on their way: the same is sent again.
  const store = await playStore(t, loadTest(server.url, { arrival }), 3, (step, runner, body) => {
    const key = `${runner} ${body?.sequence}`;
    if (step === 'interval' && body.sequence % 3 === 1 && !cut.has(key)) {
      cut.add(key);
      store.spoken[runner].take(body);
      return { status: 0 };
    }
    return undefined;
  });
  const runners = startRunners(t, store);
  const heard = () => store.spoken.every(({ intervals }) => intervals.length > 0);
  await until(heard, 60000, 'a second of each');
  store.away = true;
  const before = server.requests;
  await until(() => server.requests > before + 4 * 90, 60000, 'more load meanwhile');
  store.away = false;
  await allSucceed(runners);
  addsUp(store);
  assert.equal(slots(store), 8 * 90);
  assert.equal(store.sum('answered'), server.requests);
  assert.ok(store.spoken.every(({ repeated }) => repeated > 0));
  for (const { intervals } of store.spoken) {
    assert.deepEqual(
      intervals.map(({ sequence }) => sequence),
      intervals.map((_, i) => i),
    );
  }
});

for (const how of ['orders', 'interval']) {
  test(`a stop by ${how} ends all of them`, async (t) => {
    const server = await countingServer(t);
    const store = await playStore(t, loadTest(server.url, { arrival: endless }), 3, (step) =>
      step === 'interval' && how === 'orders'
        ? undefined
        : step === 'orders' && how === 'interval'
          ? new Promise(() => {})
          : undefined,
    );
    const runners = startRunners(t, store);
    await until(() => server.requests > 30, 60000, 'some load');
    store.stop = true;
    await allSucceed(runners);
    addsUp(store);
    assert.ok(store.spoken.every(({ done }) => done.stopped));
    assert.equal(store.sum('sent'), server.requests);
    assert.ok(server.requests < endless.rate * endless.durationSeconds);
  });
}

test('a test that is cancelled before its start is not begun', async (t) => {
  const server = await countingServer(t);
  const store = await playStore(t, loadTest(server.url, { arrival: endless }), 2);
  const runner = startRunner(t, store, 0); // the other one never comes
  await until(() => store.ready.size === 1, 60000, 'it to be ready');
  store.cancel = true;
  const { state, reason } = await runner.end(1);
  assert.deepEqual({ state, reason }, { state: 'Cancelled', reason: 'Cancelled' });
  assert.equal(server.requests, 0);
});

// It was to take another's place in a search.
test('one that comes when all is over has gone well', async (t) => {
  const server = await countingServer(t);
  const store = await playStore(t, loadTest(server.url, { arrival: endless }), 1);
  store.over = true;
  const { state, message } = await startRunner(t, store, 0).end();
  assert.deepEqual({ state, message }, { state: 'Succeeded', message: '0 requests were sent' });
  assert.equal(server.requests, 0);
});

test('a runner whose pod is ended says what it has, and leaves the rest to the controller', async (t) => {
  const server = await countingServer(t);
  const store = await playStore(t, loadTest(server.url, { arrival: endless }), 2);
  const [lost, other] = startRunners(t, store);
  const heard = () => store.spoken.every(({ intervals }) => intervals.length > 0);
  await until(heard, 60000, 'a second of each');
  lost.child.kill('SIGTERM');
  const { state, reason } = await lost.end(1);
  assert.deepEqual({ state, reason }, { state: 'Failed', reason: 'RunnerLost' });
  assert.equal(store.spoken[0].end, undefined); // its token is good for another in its place
  assert.equal(store.spoken[0].done, undefined);
  store.stop = true;
  await other.end();
  // Nothing of the lost one is missing but what was on its way.
  assert.equal(store.sum('sent'), server.requests);
});

test('one that was killed takes nothing from the others', async (t) => {
  const server = await countingServer(t);
  const arrival = { rate: 90, durationSeconds: 4 };
  const store = await playStore(t, loadTest(server.url, { arrival }), 3);
  const [killed, ...others] = startRunners(t, store);
  await until(() => server.requests > 30, 60000, 'some load');
  killed.child.kill('SIGKILL');
  await allSucceed(others);
  for (const { totals } of store.spoken.slice(1)) {
    assert.equal(totals.sent + totals.unsent, 4 * 30);
  }
});

test('who takes the place of another sends what is due from then on', async (t) => {
  const server = await countingServer(t);
  const arrival = { rate: 100, durationSeconds: 60 };
  const store = await playStore(t, loadTest(server.url, { arrival }), 2);
  store.ready.set(0, {});
  store.begin = store.now() - 57_500_000;
  store.more = { from: 58_000_000 };
  const runner = startRunner(t, store, 1);
  await runner.end();
  const { done, intervals } = store.spoken[1];
  assert.equal(done.sent + done.unsent, 100); // its half of two seconds
  assert.equal(server.requests, done.sent);
  assert.ok(intervals.every(({ end }) => end > 58e6));
});

test('who is told of the start when it is past tells what it has missed', async (t) => {
  const server = await countingServer(t);
  for (const { more, before, share } of [
    { before: 5, share: 12 * 50 },
    { more: { from: 4_000_000 }, before: 10, share: 12 * 50 }, // the answer was lost meanwhile
  ]) {
    server.requests = 0;
    const from = (more?.from ?? 0) / 1e6;
    const arrival = { rate: 100, durationSeconds: 12 + from };
    const store = await playStore(t, loadTest(server.url, { arrival }), 2);
    store.begin = store.now() - before * 1_000_000;
    store.more = more;
    await allSucceed(startRunners(t, store));
    addsUp(store);
    assert.equal(store.sum('sent'), server.requests);
    for (const { done, intervals } of store.spoken) {
      assert.equal(done.sent + done.unsent, share);
      assert.ok(done.unsent >= (before - from) * 50, String(done.unsent));
      assert.ok(intervals[0].started >= (before - from) * 1e6, String(intervals[0].started));
    }
  }
});

test('a closed loop that begins late says so', async (t) => {
  const server = await countingServer(t, { delay: 50 });
  const arrival = { durationSeconds: 12 };
  const store = await playStore(t, loadTest(server.url, { arrival }), 2);
  store.begin = store.now() - 5_000_000;
  await allSucceed(startRunners(t, store));
  addsUp(store);
  for (const { intervals } of store.spoken) {
    assert.ok(intervals[0].started >= 5e6, String(intervals[0].started));
  }
});

test('of an amount without a rate it sends what is left', async (t) => {
  const server = await countingServer(t);
  const store = await playStore(t, loadTest(server.url, { arrival: { amount: 200 } }), 2);
  store.ready.set(0, {});
  store.begin = store.now() - 3_000_000;
  store.more = { from: 4_000_000, sent: 60 };
  await startRunner(t, store, 1).end();
  assert.equal(store.spoken[1].done.sent, 40);
  assert.equal(server.requests, 40);
});

test('the deadline ends a runner', async (t) => {
  const server = await countingServer(t);
  const store = await playStore(t, loadTest(server.url, { arrival: endless }), 1);
  const soon = String(Math.floor(Date.now() / 1000) + 4);
  const [runner] = startRunners(t, store, { env: { SONDE_DEADLINE: soon } });
  const { state, reason } = await runner.end(1);
  assert.deepEqual({ state, reason }, { state: 'Failed', reason: 'DeadlineExceeded' });
  assert.equal(store.spoken[0].end.reason, 'DeadlineExceeded');
});

test('what must not be loaded is not, and the store is told why', async (t) => {
  const document = loadTest('http://shop.example.com/', {
    arrival: { rate: 5000, durationSeconds: 5 },
  });
  const store = await playStore(t, document, 1);
  const { state, reason, message } = await startRunner(t, store, 0).end(1);
  assert.deepEqual({ state, reason }, { state: 'Failed', reason: 'HostNotAllowed' });
  assert.match(message, /shop\.example\.com: 5000 requests a second are more than the 1000/);
  assert.equal(store.spoken[0].end.reason, 'HostNotAllowed');
  assert.equal(store.ready.size, 0);
});

test('another token is refused, and said so', async (t) => {
  const server = await countingServer(t);
  const store = await playStore(t, loadTest(server.url, { arrival: endless }), 1);
  const [runner] = startRunners(t, store, { env: { SONDE_TOKENS: 'another' } });
  const { state, message } = await runner.end(1);
  assert.equal(state, 'Failed');
  assert.match(message, /the store answers 401 Unauthorized/);
});

test('a search has many rounds, each with a start and a rate of its own', async (t) => {
  const server = await countingServer(t);
  const rates = [30, 60, 45];
  const search = { startRate: 30, maxRate: 100, trialSeconds: 5 };
  const thresholds = ['http_req_failed: rate<0.1'];
  const rounds = rates.map(() => ({ ready: 0, done: 0, start: undefined, slots: 0 }));
  const store = await playStore(
    t,
    loadTest(server.url, { search, thresholds }),
    2,
    (step, runner, body) => {
      const round = rounds[body?.round];
      if (step === 'ready') {
        round.ready++;
        if (round.ready < 2) {
          return store
            .wait(() => round.ready === 2, 60)
            .then(() => ({
              json: { round: body.round, start: round.start, seed: 1, ...more(body) },
            }));
        }
        round.start = store.now() + 500000;
        return { json: { round: body.round, start: round.start, seed: 1, ...more(body) } };
      }
      if (step === 'interval' && body.sequence === 0) {
        store.spoken[runner].expected = 0; // a round counts its own
      }
      if (step === 'done') {
        round.done++;
        round.slots += body.sent + body.unsent;
        return { json: { next: body.round + 1 < rates.length } };
      }
      return undefined;
    },
  );
  const more = ({ round }) => ({ rate: rates[round], seconds: 1, warmUpSeconds: round ? 1 : 0 });
  await allSucceed(startRunners(t, store));
  assert.deepEqual(
    rounds.map(({ ready, done, slots }) => ({ ready, done, slots })),
    rates.map((rate) => ({ ready: 2, done: 2, slots: rate })),
  );
});
