// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service with something planted for each type of capture: code that keeps what it allocates and
// code that does not, a function that is never called, a block of the loop, secrets, and what makes
// life hard for a probe (CAPTURES_APP). GET /state tells whether anything was left in it.

const { fork } = require('node:child_process');
const cluster = require('node:cluster');
const http = require('node:http');
const inspector = require('node:inspector');
const { PerformanceObserver, constants, performance } = require('node:perf_hooks');
const { Worker, isMainThread } = require('node:worker_threads');

const mode = process.env.CAPTURES_APP ?? '';
const kept = [];
let sink = 0;
let workersEnded = 0;

function keepMemory() {
  for (let i = 0; i < 400; i++) {
    kept.push({ a: i, b: new Array(16).fill(i) });
  }
}

function dropMemory() {
  for (let i = 0; i < 4000; i++) {
    sink += { a: i, b: new Array(16).fill(i) }.b.length;
  }
}

function sometimes(flag) {
  const neverCalledInside = () => 'nobody asks for this either';
  if (flag === 'never') {
    return neverCalledInside();
  }
  return flag;
}

// First called while it is being watched.
function late(flag) {
  if (flag === 'never') {
    return 'a block that is never entered';
  }
  return { flag };
}

function neverCalled() {
  return 'nobody asks for this';
}

function blockLoop(milliseconds) {
  const until = performance.now() + milliseconds;
  while (performance.now() < until) {
    sink = (sink * 31 + 1) | 0;
  }
}

// Short, and called often: see app.js. The engine does not inline what is async.
async function busyInWorker() {
  for (let i = 0; i < 2000; i++) {
    sink = (sink * 17 + i) | 0;
  }
}

async function busyInChild() {
  for (let i = 0; i < 2000; i++) {
    sink = (sink * 13 + i) | 0;
  }
}

function often(step) {
  for (let i = 0; i < 20; i++) {
    step();
  }
}

function ask(session, method) {
  return new Promise((resolve) => {
    session.post(method, (error) => resolve(error === null));
  });
}

// Whether somebody samples allocations in this thread.
async function samplesAllocations() {
  const session = new inspector.Session();
  session.connect();
  const samples = await ask(session, 'HeapProfiler.getSamplingProfile');
  session.disconnect();
  return samples;
}

// Each call counts when calls are counted; else it only counts that there was one. To be seen with
// --allow-natives-syntax alone: any inspector session that looks would end it.
function counted() {
  return sink;
}

const collect = process.execArgv.includes('--allow-natives-syntax')
  ? new Function('return %DebugCollectCoverage()')
  : () => [];

function countsPrecisely() {
  collect();
  for (let i = 0; i < 3; i++) {
    counted();
  }
  const own = collect().find((one) => one.script.includes('function counted()')) ?? [];
  return own.some((range) => range.count === 3);
}

const modes = {
  'own-prepare-stack-trace': () => {
    Error.prepareStackTrace = () => {
      throw new Error('the application formats its own stacks');
    };
  },
  frozen: () => {
    for (const value of [Object, Function, Array, Promise, Map, Set, Error, RegExp, String]) {
      Object.freeze(value);
      Object.freeze(value.prototype);
    }
    Object.freeze(globalThis.console);
    Object.freeze(Math);
    Object.freeze(JSON);
  },
  'many-functions': () => {
    for (let i = 0; i < 60000; i++) {
      const made = new Function(`return function f${i}(x) { return x + ${i}; }`)();
      sink += made(i);
      kept.push(made);
    }
  },
  'samples-itself': () => {
    const session = new inspector.Session();
    session.connect();
    session.post('HeapProfiler.startSampling');
    kept.push(session);
  },
  children: () => {
    for (let i = 0; i < 2; i++) {
      fork(__filename, { env: { ...process.env, CAPTURES_APP: 'child' } });
    }
  },
  workers: () => {
    for (let i = 0; i < 2; i++) {
      new Worker(__filename);
    }
  },
  'module-worker': () => {
    new Worker(new URL('data:text/javascript,setInterval(() => {}, 10)'));
  },
  'waiting-worker': () => {
    const wait = ['tail', ['--pid', String(process.pid), '-f', '/dev/null']].map(JSON.stringify);
    new Worker(`require('node:child_process').execFileSync(${wait})`, { eval: true });
    modes.workers();
  },
  // A snapshot of the main thread takes long, one of the workers does not.
  'light-workers': () => {
    modes.workers();
    for (let i = 0; i < 1e6; i++) {
      kept.push({ i });
    }
  },
};

// Full garbage collections: there are many while allocations are followed by time.
let collections = 0;
new PerformanceObserver((list) => {
  const major = constants.NODE_PERFORMANCE_GC_MAJOR;
  collections += list.getEntries().filter((entry) => entry.detail.kind === major).length;
}).observe({ entryTypes: ['gc'] });

async function state() {
  return {
    pid: process.pid,
    samplesAllocations: await samplesAllocations(),
    countsPrecisely: countsPrecisely(),
    globals: Object.getOwnPropertyNames(globalThis).sort(),
    handles: process._getActiveHandles().length,
    exitListeners: process.listenerCount('exit'),
    inspectorUrl: inspector.url() ?? null,
  };
}

const routes = {
  '/': () => ({ ok: true }),
  '/work': () => {
    // From the loop: what is inlined into another function counts as that one's allocations.
    setImmediate(keepMemory);
    setImmediate(dropMemory);
    sometimes('always');
    return { ok: true };
  },
  '/block': (url) => {
    blockLoop(Number(url.searchParams.get('ms')));
    return { ok: true };
  },
  '/forget': () => {
    kept.length = 0;
    return { ok: true };
  },
  '/worker': (url) => {
    const worker = new Worker(__filename, { argv: [url.searchParams.get('ms')] });
    worker.on('exit', () => {
      workersEnded += 1;
    });
    return { thread: worker.threadId };
  },
  // Workers that start together; answers when all have ended.
  '/short-workers': async (url) => {
    const errors = [];
    const ended = (worker) =>
      new Promise((resolve) => {
        worker.on('error', (error) => errors.push(String(error?.stack ?? error)));
        worker.on('exit', (code) => resolve(code));
      });
    const workers = Array.from({ length: Number(url.searchParams.get('count')) }, () =>
      ended(new Worker(__filename, { argv: ['20'] })),
    );
    return { codes: await Promise.all(workers), errors };
  },
  '/workers-ended': () => ({ workersEnded }),
  '/collections': () => ({ collections }),
  '/state': state,
  '/late': () => late('late'),
  '/never': neverCalled,
};

if (mode === 'cluster' && cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
} else if (mode === 'child') {
  setInterval(() => often(busyInChild), 1);
  process.on('disconnect', () => process.exit());
} else if (isMainThread) {
  modes[mode]?.();
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    response.setHeader('connection', 'close');
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(await routes[url.pathname](url)));
  });
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`listening on ${server.address().port}\n`);
  });
} else {
  const timer = setInterval(() => often(busyInWorker), 1);
  const lifetime = Number(process.argv[2] ?? 0);
  if (lifetime) {
    setTimeout(() => clearInterval(timer), lifetime);
  }
}
