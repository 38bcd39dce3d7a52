// SPDX-License-Identifier: Apache-2.0
'use strict';

// Starts the service to be profiled, drives load at it, and says whether it is as it was before.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { root, start } = require('./sonde.js');
const { until } = require('./wait.js');

const app = path.join(__dirname, 'app.js');
const lines = [18, 20, 22, 24, 26];
const inspectorPort = 9229;
// V8's thread that takes the samples, as /proc names it (15 characters at most).
const profilerThread = 'v8:ProfEvntProc';
const backToNormalMilliseconds = 10000;

// The Node.js binary of a line.
function node(line) {
  return execFileSync(path.join(root, 'tests/environment/node'), [String(line)])
    .toString()
    .trim();
}

function get(port, urlPath, timeout = 30000) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: urlPath, agent: false, timeout };
    const request = http.get(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString()));
        } catch (error) {
          reject(error);
        }
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer in ${timeout} ms`)));
    request.on('error', reject);
  });
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function alive(pid) {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

function signalMasks(pid) {
  const text = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
  return text.match(/^Sig(?:Blk|Ign|Cgt):.*$/gm).join('\n');
}

function threads(pid) {
  return fs
    .readdirSync(`/proc/${pid}/task`)
    .map((id) => {
      try {
        return fs.readFileSync(`/proc/${pid}/task/${id}/comm`, 'latin1').trim();
      } catch {
        return ''; // it has just ended
      }
    })
    .filter((name) => name !== '');
}

function profilerRuns(pid) {
  return threads(pid).includes(profilerThread);
}

// What must be the same before and after a visit.
async function fingerprint(pid, port) {
  const state = await get(port, '/state');
  const { timers, handles, globals, exitListeners, eventNames, changed, inspectorUrl } = state;
  return {
    timers,
    handles,
    globals,
    exitListeners,
    eventNames,
    changed,
    inspectorUrl,
    masks: signalMasks(pid),
    profiler: profilerRuns(pid),
    inspectorListens: await listens(inspectorPort),
  };
}

class Target {
  constructor(process, port, pid) {
    this.process = process;
    this.port = port;
    this.pid = pid;
  }

  async get(urlPath, timeout) {
    try {
      return await get(this.port, urlPath, timeout);
    } catch (error) {
      const { exitCode, signalCode } = this.process.child;
      if (exitCode === null && signalCode === null) {
        throw error;
      }
      const how = signalCode ?? exitCode;
      throw new Error(`the target ended (${how}): ${this.process.stderr()}`, { cause: error });
    }
  }

  async remember() {
    // The first request leaves things behind that are Node's own.
    await this.get('/speed');
    this.before = await fingerprint(this.pid, this.port);
    assert.deepEqual(this.before.changed, []);
    this.speedBefore = (await this.get('/speed')).milliseconds;
    return this;
  }

  // Fails unless everything is as remember() found it, within the time that is promised.
  async isAsBefore(milliseconds = backToNormalMilliseconds) {
    let now;
    const end = Date.now() + milliseconds;
    do {
      now = await fingerprint(this.pid, this.port);
    } while (!same(now, this.before) && Date.now() < end);
    assert.deepEqual(now, this.before);
  }

  // Only the order of magnitude can be judged on a machine that does other things as well.
  async isAtFullSpeed() {
    let best = Infinity;
    const end = Date.now() + backToNormalMilliseconds;
    while (best > this.speedBefore * 1.5 && Date.now() < end) {
      best = Math.min(best, (await this.get('/speed')).milliseconds);
    }
    assert.ok(best <= this.speedBefore * 1.5, `${best} ms, and ${this.speedBefore} ms before`);
  }

  async stop() {
    this.process.child.kill('SIGKILL');
    await this.process.done;
  }
}

function same(a, b) {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

// Starts a script that prints "listening on PORT" in Node.js of a line.
async function startTarget(
  t,
  { line = 22, args = [], env = {}, script = app, scriptArgs = [], ...options } = {},
) {
  const environment = { ...process.env, NODE_OPTIONS: '', ...env };
  delete environment.NODE_TEST_CONTEXT;
  const started = start(t, node(line), [...args, script, ...scriptArgs], {
    env: environment,
    ...options,
  });
  const port = await until(
    () => {
      assert.equal(started.child.exitCode, null, `the target ended: ${started.stderr()}`);
      return Number(/listening on (\d+)/.exec(started.stdout())?.[1]);
    },
    20000,
    'the target to listen',
  );
  const target = new Target(started, port, started.pid);
  return script === app ? target.remember() : target;
}

// Keeps a service busy until stop(), which tells how many requests were answered.
function load(t, port, urlPath = '/work', connections = 2) {
  let running = true;
  let answered = 0;
  const loops = Array.from({ length: connections }, async () => {
    while (running) {
      try {
        await get(port, urlPath);
        answered += 1;
      } catch (error) {
        if (running && !/ECONNREFUSED|ECONNRESET|hang up|EPIPE/.test(String(error))) {
          throw error;
        }
        await until(() => !running || listens(port), 60000, 'the service or the end');
      }
    }
  });
  const stop = async () => {
    running = false;
    await Promise.all(loops);
    return answered;
  };
  t.after(stop);
  return { stop };
}

// Asks a service every 50 ms; longest() tells the longest time it left a question open.
function watch(t, target) {
  const interval = 50;
  let longest = 0;
  let answers = 0;
  const pending = new Set();
  const failures = [];
  const timer = setInterval(async () => {
    const begun = performance.now();
    pending.add(begun);
    try {
      await target.get('/');
      answers += 1;
      longest = Math.max(longest, performance.now() - begun);
    } catch (error) {
      failures.push(error);
    }
    pending.delete(begun);
  }, interval);
  t.after(() => clearInterval(timer));
  return {
    stop() {
      clearInterval(timer);
      const now = performance.now();
      const open = [...pending].map((begun) => now - begun);
      assert.deepEqual(failures, []);
      assert.ok(answers > 0);
      return Math.max(longest, ...open);
    },
  };
}

// Of a service that tells its port by a file.
function environment(portFile) {
  const env = { ...process.env, NODE_OPTIONS: '', APP_PORT_FILE: portFile };
  delete env.NODE_TEST_CONTEXT;
  return env;
}

async function writtenPort(portFile) {
  await until(() => fs.existsSync(portFile), 20000, 'the service to listen');
  return Number(fs.readFileSync(portFile, 'utf8'));
}

module.exports = {
  Target,
  alive,
  app,
  environment,
  get,
  inspectorPort,
  lines,
  listens,
  load,
  node,
  profilerRuns,
  startTarget,
  watch,
  writtenPort,
};
