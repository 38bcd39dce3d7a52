// SPDX-License-Identifier: Apache-2.0
'use strict';

// Threads that wait, as WAITS says: "workers", of which one works in between and the other has
// nothing to do; "unknown", the same where they may not read links; or "main". GET /times tells how many milliseconds were worked and waited so far.

const fs = require('node:fs');
const http = require('node:http');
const { performance } = require('node:perf_hooks');
const { Worker, isMainThread, workerData } = require('node:worker_threads');

const worked = 0;
const waited = 1;
const cell = new Int32Array(new SharedArrayBuffer(4));
const times = isMainThread ? new Float64Array(new SharedArrayBuffer(16)) : workerData.times;
let sink = 0;

function step() {
  for (let i = 0; i < 500; i++) {
    sink = (sink * 17 + i) | 0;
  }
}

function burn(milliseconds) {
  const begin = performance.now();
  while (performance.now() - begin < milliseconds) {
    step();
  }
  times[worked] += performance.now() - begin;
}

function waitForWork(milliseconds) {
  const begin = performance.now();
  Atomics.wait(cell, 0, 0, milliseconds);
  times[waited] += performance.now() - begin;
}

function workAndWait() {
  burn(200);
  waitForWork(400);
  setImmediate(workAndWait);
}

function waitForEver() {
  Atomics.wait(cell, 0, 0, 500);
  setImmediate(waitForEver);
}

function serve() {
  const server = http.createServer((_request, response) => {
    response.setHeader('connection', 'close');
    response.end(JSON.stringify({ worked: times[worked], waited: times[waited] }));
  });
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`listening on ${server.address().port}\n`);
  });
}

if (process.env.WAITS === 'unknown') {
  fs.readlinkSync = () => {
    throw new Error('refused');
  };
}

if (!isMainThread) {
  workerData.works ? workAndWait() : waitForEver();
} else {
  serve();
  if (process.env.WAITS === 'main') {
    setInterval(() => waitForWork(100), 200);
  } else {
    for (const works of [true, false]) {
      new Worker(__filename, { workerData: { times, works } });
    }
  }
}
