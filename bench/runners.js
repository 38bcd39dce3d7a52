// SPDX-License-Identifier: Apache-2.0
'use strict';

// Runners of a load test with a real store, all on this machine: how far apart they begin, how soon
// they stop when a threshold breaks, and what memory one of them takes.

const fs = require('node:fs');
const path = require('node:path');
const measure = require('./measure.js');

const { atEnd, checkProgram, machine, main, memory, parse, quantile, root } = measure;
const options = parse({
  runners: 8,
  tests: 25,
  stops: 10,
  connections: 1000,
  sonde: 'build/release/bin/sonde',
});
process.env.SONDE_BIN = path.resolve(root, options.sonde);

const { LoadTest } = require('../tests/component/support/load-runners.js');
const support = require('../tests/component/support/runner.js');
const { Service } = require('../tests/component/support/store-service.js');

const { countingServer, startRunner, until, watchStop } = support;
const t = { after: atEnd };
const PATIENCE_MILLISECONDS = 120000;

// One request of each connection, and then another one after half a second.
const scenario = { requests: [{ name: 'one', path: '/', thinkMilliseconds: 500 }] };

async function makeTest(service, server, runners, spec) {
  const load = await LoadTest.make(service, runners, {
    ...{ target: { url: server.url }, scenario, arrival: { durationSeconds: 1 } },
    ...spec,
  });
  const store = { port: service.port, uid: load.uid, tokens: load.tokens };
  const processes = load.tokens.map((_, number) => startRunner(t, store, number));
  return { load, processes };
}

// Each runner has one connection: its first request is when it began, by the server's clock.
async function oneStart(service, server) {
  const first = new Map();
  server.seen = (request) => {
    if (!first.has(request.socket)) {
      first.set(request.socket, process.hrtime.bigint());
    }
  };
  const spec = { connections: options.runners };
  const { load, processes } = await makeTest(service, server, options.runners, spec);
  for (const own of processes) {
    await own.end();
  }
  const { json } = await load.conclude();
  const times = [...first.values()].sort((a, b) => Number(a - b));
  if (times.length !== options.runners) {
    throw new Error(`${times.length} of ${options.runners} runners have sent something`);
  }
  return {
    told: json.load.startSkewMicroseconds / 1000,
    seen: Number(times.at(-1) - times[0]) / 1e6,
  };
}

const milliseconds = (list, share) => `${quantile(list, share).toFixed(2)} ms`;

function printStarts(name, list) {
  const p99 = milliseconds(list, 0.99);
  console.log(`${name}: p50 ${milliseconds(list, 0.5)}, p99 ${p99} of ${list.length} tests`);
}

async function starts(service) {
  const server = await countingServer(t);
  const told = [];
  const seen = [];
  for (let i = 0; i < options.tests; i++) {
    const one = await oneStart(service, server);
    told.push(one.told);
    seen.push(one.seen);
  }
  printStarts(`start skew of ${options.runners} runners, as the result tells it`, told);
  printStarts('the same, as the server has seen their first requests', seen);
}

// The service fails from some moment on: when the last request came, after the end of the second
// that broke the threshold.
async function oneStop(service) {
  const server = await countingServer(t);
  const watch = watchStop(server, 0.01);
  const text = 'http_req_failed: rate<0.01';
  const { load, processes } = await makeTest(service, server, options.runners, {
    ...{ scenario: { requests: [{ name: 'one', path: '/' }] } },
    ...{ arrival: { rate: 100 * options.runners, durationSeconds: 120 } },
    ...{ thresholds: [text], abortOnFail: [text], delayAbortSeconds: 2 },
  });
  const seconds = async () => (await load.live()).json.seconds.length > 2;
  await until(seconds, PATIENCE_MILLISECONDS, 'some seconds of it');
  server.status = 500;
  for (const own of processes) {
    await own.end();
  }
  const { json } = await load.conclude();
  const answer = await service.person('GET', `artifacts/${json.load.artifact}?namespace=clinic`);
  return watch.after(JSON.parse(answer.text).startMicroseconds);
}

async function stops(service) {
  const after = [];
  for (let i = 0; i < options.stops; i++) {
    after.push(await oneStop(service));
  }
  console.log(
    `the last request of ${options.runners} runners after the second that broke a threshold: ` +
      `p50 ${quantile(after, 0.5).toFixed(0)} ms, largest ${Math.max(...after).toFixed(0)} ms ` +
      `of ${after.length} tests`,
  );
}

// The largest resident size of one that has all of its connections.
async function size(service) {
  const server = await countingServer(t);
  const spec = { connections: options.connections, maxConnections: options.connections };
  const { load, processes } = await makeTest(service, server, 1, {
    ...spec,
    arrival: { durationSeconds: 30 },
  });
  const open = new Set();
  server.seen = (request) => open.add(request.socket);
  const all = () => open.size === options.connections;
  await until(all, PATIENCE_MILLISECONDS, `${options.connections} connections`);
  const seconds = async () => (await load.live()).json.seconds.length > 5;
  await until(seconds, PATIENCE_MILLISECONDS, 'some seconds of it');
  const { peak } = memory(processes[0].pid);
  console.log(
    `a runner with ${options.connections} connections: ${(peak / 2 ** 20).toFixed(1)} MiB`,
  );
}

main(async () => {
  checkProgram(path.join(path.dirname(process.env.SONDE_BIN), 'sonde-runner'));
  console.log(machine());
  fs.accessSync(process.env.SONDE_BIN);
  const service = await Service.start(t);
  await starts(service);
  await stops(service);
  await size(service);
});
