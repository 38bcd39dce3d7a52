// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service to be profiled in a pod. It loads itself: BUSY_PERCENT of its time is spent, most of it
// in hotLoop. PORT is where it answers, MODE what is special about it:
//   handler   it handles SIGUSR1 itself
//   cluster   a primary with two workers
//   patient   it keeps a Visit each time it works, and blocks its loop each second
// Requests for /load are counted, and /count says how many there were; /slow?ms=N makes the answers
// to those that follow come so much later.

const cluster = require('node:cluster');
const http = require('node:http');
const { performance } = require('node:perf_hooks');

const period = 50;
const busy = (period * Number(process.env.BUSY_PERCENT ?? 3)) / 100;
const port = Number(process.env.PORT ?? 8080);
const mode = process.env.MODE ?? '';
const blockMilliseconds = 120;
const visits = [];
let sink = 0;
let loaded = 0;
let slowMilliseconds = 0;

class Visit {
  constructor(number) {
    this.number = number;
    this.notes = new Array(64).fill(number);
  }
}

function keepVisits() {
  const neverCalled = () => visits.length;
  for (let i = 0; i < 50; i++) {
    visits.push(new Visit(i));
  }
  return visits.length > 0 ? visits.length : neverCalled();
}

function blockLoop() {
  const end = performance.now() + blockMilliseconds;
  while (performance.now() < end) {
    hotLoop();
  }
}

// Both are short, and called often: what runs for long is replaced while it runs, and the engine does
// not tell a profile that begins later about such code.
function hotLoop() {
  for (let i = 0; i < 2000; i++) {
    sink = (sink * 31 + i) | 0;
  }
}

function coolLoop() {
  for (let i = 0; i < 2000; i++) {
    sink = (sink * 17 + i) | 0;
  }
}

// Called by way of a list, so that neither becomes a part of its caller.
const steps = [hotLoop, hotLoop, hotLoop, hotLoop, coolLoop];

function work() {
  const end = performance.now() + busy;
  for (let turn = 0; performance.now() < end; turn++) {
    steps[turn % steps.length]();
  }
}

function serve() {
  const server = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://h');
    if (pathname === '/load') {
      loaded++;
      setTimeout(() => response.end('ok'), slowMilliseconds);
      return;
    }
    if (pathname === '/slow') {
      slowMilliseconds = Number(searchParams.get('ms'));
    }
    const { pid, version } = process;
    response.setHeader('connection', 'close');
    response.end(`${JSON.stringify({ pid, version, loaded })}\n`);
  });
  server.listen(port, () => console.log(`process ${process.pid} serves on ${port}`));
  setInterval(work, period);
  if (mode === 'patient') {
    setInterval(keepVisits, period);
    setInterval(blockLoop, 1000);
  }
}

process.on('SIGTERM', () => process.exit(0));
if (mode === 'handler') {
  process.on('SIGUSR1', () => console.log('handled SIGUSR1'));
}
if (mode === 'cluster' && cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
} else {
  serve();
}
