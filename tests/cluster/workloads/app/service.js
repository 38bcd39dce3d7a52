// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service to be profiled in a pod. It loads itself: BUSY_PERCENT of its time is spent, most of it
// in hotLoop. PORT is where it answers, MODE what is special about it:
//   handler   it handles SIGUSR1 itself
//   cluster   a primary with two workers
//   patient   it keeps a Visit each time it works, and blocks its loop each second
// What begins with /load is counted, and any other answer tells of it: how much there was, of which
// URLs and from whom, and when (in ms since 1970). These answers come SLOW_MS late, which /slow?ms=N
// changes. CAPACITY is how many of them there are a second at most: one waits for the other. With
// TOKEN they are for those alone who bear it, and with TLS_CERTIFICATE, TLS_KEY and TLS_AUTHORITY
// there is a port 8443 for those alone who have a certificate of that authority.

const cluster = require('node:cluster');
const http = require('node:http');
const https = require('node:https');
const { performance } = require('node:perf_hooks');

const period = 50;
const busy = (period * Number(process.env.BUSY_PERCENT ?? 3)) / 100;
const port = Number(process.env.PORT ?? 8080);
const mode = process.env.MODE ?? '';
const tlsPort = 8443;
const capacity = Number(process.env.CAPACITY ?? 0);
const token = process.env.TOKEN;
const blockMilliseconds = 120;
const visits = [];
let sink = 0;
let slowMilliseconds = Number(process.env.SLOW_MS ?? 0);
let freeAt = 0;
const seen = { loaded: 0, refused: 0, urls: {}, from: {} };
const seenMax = 64;

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

function count(all, name, now) {
  if (name in all || Object.keys(all).length < seenMax) {
    all[name] ??= { count: 0, first: now };
    all[name].count++;
    all[name].last = now;
  }
}

// How long an answer takes when one waits for the other.
function turn(now) {
  if (capacity === 0) {
    return 0;
  }
  freeAt = Math.max(now, freeAt) + 1000 / capacity;
  return freeAt - now;
}

function load(request, response) {
  const now = Date.now();
  seen.loaded++;
  count(seen.urls, request.url, now);
  count(seen.from, request.socket.remoteAddress.replace('::ffff:', ''), now);
  if (token && request.headers.authorization !== `Bearer ${token}`) {
    seen.refused++;
    response.statusCode = 401;
  }
  setTimeout(() => response.end('ok'), slowMilliseconds + turn(now));
}

function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://h');
  if (pathname.startsWith('/load')) {
    load(request, response);
    return;
  }
  if (pathname === '/slow') {
    slowMilliseconds = Number(searchParams.get('ms'));
  }
  const { pid, version } = process;
  response.setHeader('connection', 'close');
  response.end(`${JSON.stringify({ pid, version, ...seen })}\n`);
}

function serve() {
  const server = http.createServer(answer);
  server.listen(port, () => console.log(`process ${process.pid} serves on ${port}`));
  if (process.env.TLS_CERTIFICATE) {
    const { TLS_CERTIFICATE: cert, TLS_KEY: key, TLS_AUTHORITY: ca } = process.env;
    https.createServer({ cert, key, ca, requestCert: true }, answer).listen(tlsPort);
  }
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
