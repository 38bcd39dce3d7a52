// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service to be profiled, which can tell about itself whether anything was left in it.
// APP_SIGUSR1=count makes it handle SIGUSR1 itself and count it.

const asyncHooks = require('node:async_hooks');
const events = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const inspector = require('node:inspector');
const { performance } = require('node:perf_hooks');
const timers = require('node:timers');

// Timers that were unref'ed are in no list of Node's own, so their coming and going is counted.
const liveTimers = new Set();
asyncHooks
  .createHook({
    init(id, type) {
      if (type === 'Timeout') {
        liveTimers.add(id);
      }
    },
    destroy(id) {
      liveTimers.delete(id);
    },
  })
  .enable();

const watched = { console, events, fs, http, inspector, process, timers };
const prototypes = [Object, Function, Promise, Array, events.EventEmitter, http.Server];

function fingerprint() {
  const values = new Map();
  const objects = [...Object.entries(watched), ...prototypes.map((p) => [p.name, p.prototype])];
  for (const [name, object] of objects) {
    for (const key of Reflect.ownKeys(object)) {
      const descriptor = Object.getOwnPropertyDescriptor(object, key);
      const value = descriptor.get ?? descriptor.value;
      values.set(`${name}.${String(key)}`, typeof value === 'function' ? value : typeof value);
    }
  }
  return values;
}

let signals = 0;
if (process.env.APP_SIGUSR1 === 'count') {
  process.on('SIGUSR1', () => {
    signals += 1;
  });
}
// Stands in for the application's own use of the event.
process.on('exit', () => {});

const spent = { hot: 0, other: 0 };
let requests = 0;
let sink = 0;

// Short, and called often: a loop that runs for long is replaced while it runs, and the engine does
// not tell a profile that begins later about such code.
function hotSpot() {
  for (let i = 0; i < 2000; i++) {
    sink = (sink * 31 + i) | 0;
  }
}

function otherSpot() {
  for (let i = 0; i < 2000; i++) {
    sink = (sink * 17 + i) | 0;
  }
}

function spend(name, step, milliseconds) {
  const start = performance.now();
  let now = start;
  while (now - start < milliseconds) {
    step();
    now = performance.now();
  }
  spent[name] += now - start;
}

// Both orders, as often as the times are long. The answer to a request wakes its client, which takes
// the sampling thread's CPU where there are few: the next sample is late, and the time counts for the
// function before.
const work = [
  () => {
    spend('other', otherSpot, 3);
    spend('hot', hotSpot, 9);
  },
  () => {
    spend('hot', hotSpot, 9);
    spend('other', otherSpot, 3);
  },
];

function block(milliseconds) {
  const until = performance.now() + milliseconds;
  while (performance.now() < until) {
    sink = (sink + 1) | 0;
  }
}

function differences() {
  const now = fingerprint();
  const names = new Set([...initial.keys(), ...now.keys()]);
  return [...names].filter((name) => initial.get(name) !== now.get(name));
}

// Milliseconds for a fixed amount of work: the best of a few, because the machine has other work.
function speed() {
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let i = 0; i < 2000000; i++) {
      sink = (sink * 13 + i) | 0;
    }
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function state() {
  return {
    pid: process.pid,
    version: process.version,
    timers: liveTimers.size,
    handles: process._getActiveHandles().length,
    globals: Object.getOwnPropertyNames(globalThis).sort(),
    exitListeners: process.listenerCount('exit'),
    eventNames: process.eventNames().map(String).sort(),
    changed: differences(),
    inspectorUrl: inspector.url() ?? null,
    signals,
    spent,
    requests,
  };
}

const routes = {
  '/': () => ({ ok: true }),
  '/work': () => {
    requests += 1;
    work[requests % 4 === 0 ? 1 : 0]();
    return { ok: true };
  },
  '/block': (url) => {
    block(Number(url.searchParams.get('ms')));
    return { ok: true };
  },
  '/speed': () => ({ milliseconds: speed() }),
  '/state': state,
  '/exit': (url) => {
    setTimeout(() => process.exit(Number(url.searchParams.get('code'))), 10);
    return { ok: true };
  },
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const route = routes[url.pathname];
  response.setHeader('connection', 'close');
  response.setHeader('content-type', 'application/json');
  response.statusCode = route ? 200 : 404;
  response.end(JSON.stringify(route ? route(url) : { error: 'no such path' }));
});

process.on('SIGTERM', () => {
  server.close(() => process.exit(7));
});

const initial = fingerprint();
server.listen(Number(process.env.APP_PORT ?? 0), '127.0.0.1', () => {
  const { port } = server.address();
  process.stdout.write(`listening on ${port}\n`);
  if (process.env.APP_PORT_FILE) {
    fs.writeFileSync(`${process.env.APP_PORT_FILE}.new`, String(port));
    fs.renameSync(`${process.env.APP_PORT_FILE}.new`, process.env.APP_PORT_FILE);
  }
});
