// SPDX-License-Identifier: Apache-2.0
'use strict';

// Runners of a load test with the real store: its verdict is on what the server was asked for.

const assert = require('node:assert/strict');
const net = require('node:net');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const test = require('node:test');
const hdr = require('hdr-histogram-js');
const { listen } = require('./support/load.js');
const { LoadTest } = require('./support/load-runners.js');
const { countingServer, startRunner, startRunners } = require('./support/runner.js');
const { until, watchStop } = require('./support/runner.js');
const { temporary } = require('./support/sonde.js');
const { Service } = require('./support/store-service.js');

const endless = { rate: 120, durationSeconds: 120 };

// A store, and a test in it whose runners reach it by a way that outlasts its restarts. What the
// store says on it is lost where way.loses(text) says so.
async function makeTest(t, count, spec, server) {
  const service = await Service.start(t);
  const sockets = new Set();
  const way = net.createServer((client) => {
    const upstream = net.connect(service.port, '127.0.0.1');
    client.pipe(upstream);
    upstream.on('data', (data) => way.loses?.(data.toString('latin1')) || client.write(data));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  const port = await listen(t, way);
  t.after(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
  });
  const target = { url: server.url };
  const load = await LoadTest.make(service, count, { target, connections: 8, ...spec });
  const { uid, tokens } = load;
  return { service, load, way, store: { port, uid, tokens, directory: temporary(t) } };
}

async function allEnd(runners) {
  for (const runner of runners) {
    await runner.end();
  }
}

// The store's last word, and the result that it keeps.
async function conclude({ service, load }) {
  const { status, json, text } = await load.conclude();
  assert.equal(status, 200, text);
  const answer = await service.person('GET', `artifacts/${json.load.artifact}?namespace=clinic`);
  assert.equal(answer.status, 200, answer.text);
  return { load: json.load, kept: JSON.parse(answer.text) };
}

const seconds = async ({ load }) => (await load.live()).json.seconds.length;
const values = ({ histogram }) => hdr.decodeFromCompressedBase64(histogram).totalCount;

// All that is kept is of as many requests as the server was asked for.
function isExact({ kept, load }, server) {
  assert.equal(kept.counts.sent, server.requests);
  assert.equal(kept.counts.answered, server.requests);
  assert.equal(load.requests, server.requests);
  assert.equal(values(kept.service), server.requests);
  const answered = kept.intervals.reduce((sum, one) => sum + one.answered, 0);
  assert.equal(answered, server.requests);
}

for (const count of [1, 3, 8]) {
  test(`the histograms of ${count} runners are the server’s own count`, async (t) => {
    const server = await countingServer(t);
    const arrival = { rate: 120, durationSeconds: 4 };
    const own = await makeTest(t, count, { arrival }, server);
    await allEnd(startRunners(t, own.store));
    const said = await conclude(own);
    isExact(said, server);
    assert.equal(said.kept.counts.sent + said.kept.counts.unsent, 4 * 120);
    // A machine that is busy may be too slow for the rate, which is said then.
    assert.ok(['Completed', 'Invalid'].includes(said.load.reason), JSON.stringify(said.load));
    assert.ok(said.load.startSkewMicroseconds >= 0);
  });
}

test('a threshold that breaks stops all of them', async (t) => {
  const server = await countingServer(t);
  const text = 'http_req_failed: rate<0.01';
  const spec = { arrival: endless, thresholds: [text], abortOnFail: [text], delayAbortSeconds: 2 };
  const own = await makeTest(t, 3, spec, server);
  const runners = startRunners(t, own.store);
  await until(async () => (await seconds(own)) > 2, 60000, 'some seconds');
  server.status = 500;
  await allEnd(runners);
  const said = await conclude(own);
  isExact(said, server);
  assert.equal(said.load.succeeded, false);
  // A machine that is busy makes it invalid besides.
  assert.ok(['ThresholdBroken', 'Invalid'].includes(said.load.reason), said.load.message);
  assert.deepEqual(
    said.load.thresholds.map(({ holds }) => holds),
    [false],
  );
  assert.ok(server.requests < endless.rate * endless.durationSeconds);
});

test('all of them stop within two seconds of the one that breaks a threshold', async (t) => {
  const server = await countingServer(t);
  const text = 'http_req_failed: rate<0.01';
  const spec = { arrival: endless, thresholds: [text], abortOnFail: [text], delayAbortSeconds: 2 };
  const own = await makeTest(t, 3, spec, server);
  const watch = watchStop(server, 0.01);
  const stalls = monitorEventLoopDelay({ resolution: 10 });
  stalls.enable();
  const runners = startRunners(t, own.store);
  await until(async () => (await seconds(own)) > 2, 60000, 'some seconds');
  server.status = 500;
  await allEnd(runners);
  const { kept } = await conclude(own);
  const after = watch.after(kept.startMicroseconds);
  t.diagnostic(`the last request came ${after.toFixed(0)} ms after the second`);
  // Two seconds, on a machine that has time for the server.
  const most = 2000 + (10 * stalls.max) / 1e6;
  assert.ok(kept.stopped && after < most, `${after} ms`);
});

test('a start that nobody was told of in time is told in the result', async (t) => {
  const server = await countingServer(t);
  const arrival = { rate: 120, durationSeconds: 15 };
  const own = await makeTest(t, 3, { arrival }, server);
  let lost = 0;
  own.way.loses = (text) => {
    const begins = /"start":\d/.test(text);
    lost += begins ? 1 : 0;
    return begins;
  };
  const runners = startRunners(t, own.store);
  await until(() => lost > 0, 60000, 'the start to be named');
  const end = Date.now() + 3500;
  await until(() => Date.now() > end, 60000, 'the start to be long past');
  own.way.loses = undefined;
  await own.service.restart();
  await allEnd(runners);
  const said = await conclude(own);
  isExact(said, server);
  const { sent, unsent } = said.kept.counts;
  assert.equal(sent + unsent, 15 * 120);
  assert.ok(unsent >= 3 * 120, String(unsent));
  assert.equal(said.load.reason, 'Invalid');
  // Where the machine bounds the CPU time of all that is tested, that is named as the cause.
  assert.match(said.load.message, /^runner-\d(: we were throttled| began \d+\.\d s late)/);
});

test('a store that is killed in mid-test goes on, and loses nothing', async (t) => {
  const server = await countingServer(t);
  const arrival = { rate: 120, durationSeconds: 8 };
  const own = await makeTest(t, 3, { arrival }, server);
  const runners = startRunners(t, own.store);
  await until(async () => (await seconds(own)) > 1, 60000, 'some seconds');
  await own.service.restart();
  await allEnd(runners);
  const said = await conclude(own);
  isExact(said, server);
  assert.equal(said.kept.counts.sent + said.kept.counts.unsent, 8 * 120);
});

test('who waits for the start is told why there is none', async (t) => {
  const server = await countingServer(t);
  const own = await makeTest(t, 2, { arrival: endless }, server);
  const runner = startRunner(t, own.store, 0); // the other one never comes
  await until(async () => (await own.load.live()).json.ready === 1, 60000, 'it to be ready');
  await own.service.controller('POST', `runs/${own.load.uid}/cancel`, {});
  const { state, message } = await runner.end(1);
  assert.deepEqual(
    { state, message },
    { state: 'Cancelled', message: 'the test was ended: Cancelled: it was cancelled' },
  );
});

test('a runner that is lost fails the test', async (t) => {
  const server = await countingServer(t);
  const own = await makeTest(t, 3, { arrival: endless }, server);
  const [lost, ...others] = startRunners(t, own.store);
  await until(async () => (await seconds(own)) > 1, 60000, 'some seconds');
  lost.child.kill('SIGKILL');
  await lost.done;
  await own.load.lost(0, 'RunnerOutOfMemory', 'its container was killed for its memory');
  await Promise.all(others.map((runner) => runner.done));
  const { json } = await own.load.conclude();
  assert.equal(json.load.succeeded, false);
  assert.equal(json.load.reason, 'RunnerOutOfMemory');
  assert.ok(server.requests < endless.rate * endless.durationSeconds);
});

test('the others go on without a runner that is lost, where that is wanted', async (t) => {
  const server = await countingServer(t);
  const arrival = { rate: 120, durationSeconds: 6 };
  const own = await makeTest(t, 3, { arrival, onRunnerLoss: 'Continue' }, server);
  const [lost, ...others] = startRunners(t, own.store);
  await until(async () => (await seconds(own)) > 1, 60000, 'some seconds');
  lost.child.kill('SIGTERM');
  const { reason } = await lost.end(1);
  assert.equal(reason, 'RunnerLost');
  await own.load.lost(0);
  await allEnd(others);
  const said = await conclude(own);
  // It said all that it had before it ended.
  isExact(said, server);
  assert.equal(said.load.lostRunners, 1);
});

test('another takes the place of a runner that is lost', async (t) => {
  const server = await countingServer(t);
  const arrival = { rate: 120, durationSeconds: 15 };
  const own = await makeTest(t, 3, { arrival, onRunnerLoss: 'Replace' }, server);
  const [lost, ...others] = startRunners(t, own.store);
  await until(async () => (await seconds(own)) > 1, 60000, 'some seconds');
  lost.child.kill('SIGTERM');
  await lost.end(1);
  const { json } = await own.load.lost(0);
  assert.equal(json.replaced, true);
  const other = startRunner(t, own.store, 0);
  await allEnd([...others, other]);
  const said = await conclude(own);
  isExact(said, server);
  // What nobody sent meanwhile is told, as far as it can be known when the lost one ended.
  const { sent, unsent } = said.kept.counts;
  assert.ok(unsent > 0 && Math.abs(sent + unsent - 15 * 120) <= 2, `${sent} + ${unsent}`);
});

// Serves one after the other, `rate` a second; whoever would wait for half a second is sent away.
function makeQueue(server, rate) {
  let free = 0;
  server.handle = (_request, response) => {
    const now = performance.now();
    if (free > now + 500) {
      response.statusCode = 503;
      response.end();
      return;
    }
    free = Math.max(free, now) + 1000 / rate;
    setTimeout(() => response.end('hello'), free - now);
  };
}

test('a search by all of them finds where the service cannot follow any more', async (t) => {
  const server = await countingServer(t);
  makeQueue(server, 100);
  const spec = {
    search: { startRate: 40, maxRate: 320, trialSeconds: 5, precisionPercent: 50 },
    // Both are far off above what is served, and kept below it by a server that stands still for
    // a moment.
    thresholds: ['http_req_duration: p(50)<200', 'http_req_failed: rate<0.1'],
    arrival: undefined,
  };
  const own = await makeTest(t, 2, spec, server);
  await allEnd(startRunners(t, own.store));
  const { load, kept } = await conclude(own);
  const { trials, lower, upper } = kept.search;
  const shown = JSON.stringify(kept.search);
  // On a machine that is busy the generator may be too slow, which each trial says of itself.
  const believed = trials.filter(({ valid }) => valid);
  t.diagnostic(`${believed.length} of ${trials.length} trials were valid: ${lower} to ${upper}`);
  assert.ok(trials.length >= 2, shown);
  assert.ok(
    believed.every(({ rate, keeps }) => (rate < 100 ? keeps : rate < 130 || !keeps)),
    shown,
  );
  assert.ok(lower < 130, shown);
  assert.equal(load.highestRate, lower);
  if (believed.length === trials.length) {
    assert.deepEqual([load.reason, lower, upper], ['Completed', 80, 160], shown);
    assert.equal(kept.counts.sent, 80 * 5);
  }
});

test('a search goes on with another in the place of a runner that is lost', async (t) => {
  const server = await countingServer(t);
  const spec = {
    search: { startRate: 30, maxRate: 60, trialSeconds: 5, precisionPercent: 50 },
    thresholds: ['http_req_failed: rate<0.1'],
    arrival: undefined,
    onRunnerLoss: 'Replace',
  };
  const own = await makeTest(t, 2, spec, server);
  const [lost, other] = startRunners(t, own.store);
  const second = async () => (await own.load.live()).json.seconds.some(({ round }) => round === 1);
  await until(second, 120000, 'a second of the second round');
  lost.child.kill('SIGTERM');
  await lost.end(1);
  const { json } = await own.load.lost(0);
  assert.equal(json.replaced, true);
  await allEnd([other, startRunner(t, own.store, 0)]);
  const { load, kept } = await conclude(own);
  assert.equal(load.lostRunners, 1);
  // The round of the loss has a gap, and is not believed; others are.
  const { trials, lower } = kept.search;
  const shown = JSON.stringify(kept.search);
  assert.ok(trials.length >= 2 && ['Completed', 'Invalid'].includes(load.reason), shown);
  t.diagnostic(
    `${trials.filter(({ valid }) => valid).length} of ${trials.length} trials were valid`,
  );
  if (trials.every(({ valid }, i) => valid || i === 1)) {
    assert.deepEqual([load.reason, lower, load.highestRate], ['Completed', 60, 60], shown);
  }
});
