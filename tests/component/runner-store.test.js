// SPDX-License-Identifier: Apache-2.0
'use strict';

// Runners of a load test with the real store: its verdict is on what the server was asked for.

const assert = require('node:assert/strict');
const net = require('node:net');
const test = require('node:test');
const hdr = require('hdr-histogram-js');
const { listen } = require('./support/load.js');
const { LoadTest } = require('./support/load-runners.js');
const { countingServer, startRunner, startRunners, until } = require('./support/runner.js');
const { temporary } = require('./support/sonde.js');
const { Service } = require('./support/store-service.js');

const endless = { rate: 120, durationSeconds: 120 };

// A store, and a test in it whose runners reach it by a way that outlasts its restarts.
async function makeTest(t, count, spec, server) {
  const service = await Service.start(t);
  const sockets = new Set();
  const way = net.createServer((client) => {
    const upstream = net.connect(service.port, '127.0.0.1');
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(one);
      one.pipe(other);
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
  return { service, load, store: { port, uid, tokens, directory: temporary(t) } };
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

test('a search is made of rounds of all of them', async (t) => {
  const server = await countingServer(t);
  const spec = {
    search: { startRate: 30, maxRate: 60, trialSeconds: 5 },
    thresholds: ['http_req_failed: rate<0.1'],
    arrival: undefined,
  };
  const own = await makeTest(t, 2, spec, server);
  await allEnd(startRunners(t, own.store));
  const { load, kept } = await conclude(own);
  assert.ok(kept.search.trials.length >= 2, JSON.stringify(kept.search));
  if (load.succeeded) {
    assert.equal(load.highestRate, 60);
    assert.equal(kept.counts.sent, 300);
  }
});
