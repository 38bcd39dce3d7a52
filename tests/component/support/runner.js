// SPDX-License-Identifier: Apache-2.0
'use strict';

// Runners of a load test, without a cluster: the program itself, a server that counts what it was
// asked for, and a store that is played, for what the real one does not do.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');
const hdr = require('hdr-histogram-js');
const { listen } = require('./load.js');
const { bin, start, temporary } = require('./sonde.js');
const { until } = require('./wait.js');

const program = path.join(path.dirname(bin), 'sonde-runner');

// A LoadTest with all that has no default here.
function loadTest(url, spec = {}) {
  return {
    ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest' },
    metadata: { name: 'the-test', namespace: 'clinic' },
    spec: {
      target: { url },
      scenario: { requests: [{ name: 'one', path: '/' }] },
      connections: 8,
      ...spec,
    },
  };
}

// Answers each request after `delay` ms, or as `handle` of what it returns does, and counts them: by
// path, with the fields of the first.
// `tls`: options of https.
async function countingServer(t, { delay = 0, tls } = {}) {
  const counter = { requests: 0, paths: {}, headers: [], status: 200, delay };
  const take = (request, response) => {
    counter.requests++;
    counter.seen?.(request);
    counter.paths[request.url] = (counter.paths[request.url] ?? 0) + 1;
    if (counter.headers.length < 100) {
      counter.headers.push(request.headers);
    }
    response.statusCode = counter.status;
    if (counter.handle) {
      counter.handle(request, response);
    } else {
      setTimeout(() => response.end('hello'), counter.delay);
    }
  };
  const server = tls ? https.createServer(tls, take) : http.createServer(take);
  server.keepAliveTimeout = 60000;
  counter.port = await listen(t, server);
  counter.url = `${tls ? 'https' : 'http'}://127.0.0.1:${counter.port}/`;
  return counter;
}

// Sees when more than `share` of all answers are bad, as the server gives them, and when the last
// request came. after(start): by how many ms that was later than the end of the second that broke
// the share; `start` is the test's, in µs since 1970.
function watchStop(server, share) {
  const now = () => performance.timeOrigin + performance.now();
  const own = { all: 0, bad: 0, broken: undefined, last: undefined };
  server.seen = () => {
    own.all++;
    own.bad += server.status === 200 ? 0 : 1;
    own.last = now();
    own.broken ??= own.bad > share * own.all ? own.last : undefined;
  };
  own.after = (start) => {
    const begun = start / 1000;
    return own.last - (begun + Math.ceil((own.broken - begun) / 1000) * 1000);
  };
  return own;
}

const counts = ['sent', 'answered', 'failed', 'censored', 'unsent'];

const zero = () => Object.fromEntries(counts.map((name) => [name, 0]));

// What a runner said of itself.
class Spoken {
  constructor() {
    this.intervals = [];
    this.repeated = 0;
    this.totals = zero();
    this.warm = zero();
    this.histogram = 0; // values in the histograms of the measured time
    this.expected = 0;
    this.done = undefined;
    this.end = undefined;
  }

  take(body) {
    if (body.sequence < this.expected) {
      this.repeated++;
      return undefined;
    }
    if (body.sequence > this.expected) {
      return this.expected;
    }
    this.expected++;
    this.intervals.push(body);
    for (const name of counts) {
      (body.warmUp ? this.warm : this.totals)[name] += body.tally.counts[name];
    }
    const service = body.tally.service?.histogram ?? body.tally.service;
    if (!body.warmUp && service) {
      this.histogram += hdr.decodeFromCompressedBase64(service).totalCount;
    }
    return undefined;
  }
}

// The runners' part of the store's API. `answer(step, runner, body)` may give {status, json} in its
// place, or "nothing": the connection is cut.
class PlayedStore {
  constructor(document, runners, answer = () => undefined) {
    Object.assign(this, { document, runners, answer });
    this.uid = crypto.randomUUID();
    this.tokens = Array.from({ length: runners }, () => crypto.randomBytes(24).toString('hex'));
    this.spoken = Array.from({ length: runners }, () => new Spoken());
    this.ready = new Map();
    this.stop = false;
    this.cancel = false;
    this.away = false;
    this.skew = 0; // µs by which its clock is ahead
    this.words = []; // all that was sent to it
    this.waiting = new Set();
  }

  now() {
    return Date.now() * 1000 + this.skew;
  }

  async start(t) {
    const server = http.createServer((request, response) => this.take(request, response));
    this.port = await listen(t, server);
    t.after(() => {
      for (const resolve of this.waiting) {
        resolve();
      }
    });
    return this;
  }

  take(request, response) {
    const chunks = [];
    if (this.away) {
      request.socket.destroy();
      return;
    }
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const text = Buffer.concat(chunks).toString();
      this.words.push(text);
      const { status = 200, json } = await this.say(request, text ? JSON.parse(text) : undefined);
      if (this.away || status === 0) {
        request.socket.destroy();
        return;
      }
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(json ?? {}));
    });
    request.on('error', () => {});
  }

  async say(request, body) {
    const url = new URL(request.url, 'http://store');
    const [, , , , uid, what, number, step = what === 'done' ? 'end' : 'document'] =
      url.pathname.split('/');
    const runner = Number(number ?? request.headers['sonde-target'].slice('runner-'.length));
    const token = request.headers.authorization;
    if (uid !== this.uid || token !== `Bearer ${this.tokens[runner]}`) {
      return { status: 401, json: { code: 'Unauthorized', message: 'another token' } };
    }
    const own = await this.answer(step, runner, body);
    return own ?? this[`on_${step}`](runner, body, Number(url.searchParams.get('wait') ?? 0));
  }

  on_document() {
    const { document, runners, addresses } = this;
    return { json: { document, runners, addresses } };
  }

  on_clock() {
    return { json: { now: this.now() } };
  }

  // Waits until the condition holds, as long as the caller does.
  async wait(condition, seconds) {
    const end = Date.now() + seconds * 1000;
    while (!condition() && Date.now() < end && !this.away) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async on_ready(runner, body, seconds) {
    this.ready.set(runner, body);
    if (this.over) {
      return { json: { over: true } };
    }
    await this.wait(() => this.ready.size === this.runners || this.cancel, seconds);
    if (this.cancel) {
      return { json: { over: true, reason: 'Cancelled', message: 'by a person' } };
    }
    if (this.ready.size < this.runners) {
      return { json: { wait: true } };
    }
    this.begin ??= this.now() + 500000;
    return { json: { round: body.round, start: this.begin, seed: 4711, ...this.more } };
  }

  on_interval(runner, body) {
    const expected = this.spoken[runner].take(body);
    return expected === undefined
      ? { json: { stop: this.stop } }
      : { status: 409, json: { code: 'Gap', message: 'a gap', expected } };
  }

  async on_orders(_runner, _body, seconds) {
    await this.wait(() => this.stop || this.cancel, seconds);
    return { json: { stop: this.stop || this.cancel, cancel: this.cancel } };
  }

  on_done(runner, body) {
    this.spoken[runner].done = body;
    return { json: { next: false } };
  }

  on_end(runner, body) {
    this.spoken[runner].end = body;
    return { json: {} };
  }

  // The sum of what all runners said, by name.
  sum(name) {
    return this.spoken.reduce((sum, own) => sum + own.totals[name], 0);
  }
}

async function playStore(t, document, runners, answer) {
  return new PlayedStore(document, runners, answer).start(t);
}

// What the kubelet would give to a runner.
function environmentOf(store, number, directory) {
  return {
    PATH: process.env.PATH,
    SONDE_STORE: store.url ?? `http://127.0.0.1:${store.port}`,
    SONDE_STORE_CA: store.authority ?? 'none',
    SONDE_RUN_UID: store.uid,
    SONDE_TOKENS: store.tokens.join(','),
    SONDE_DEADLINE: String(Math.floor(Date.now() / 1000) + 300),
    JOB_COMPLETION_INDEX: String(number),
    POD_NAME: `the-test-${number}`,
    NODE_NAME: 'the-node',
    SONDE_FILES: directory,
    SONDE_TERMINATION_MESSAGE: path.join(directory, `message-${number}`),
  };
}

// Starts one; end() waits for its end, and reads its termination message.
function startRunner(t, store, number, { env = {} } = {}) {
  const directory = store.directory ?? temporary(t, 'sonde-runner-');
  const environment = { ...environmentOf(store, number, directory), ...env };
  const started = start(t, program, [], { env: environment });
  started.end = async (code = 0) => {
    const result = await started.done;
    assert.equal(result.code, code, `runner ${number}: signal ${result.signal}\n${result.stderr}`);
    const text = fs.readFileSync(environment.SONDE_TERMINATION_MESSAGE, 'utf8');
    assert.ok(text.length <= 4096, `${text.length} bytes`);
    for (const token of store.tokens) {
      assert.ok(!result.stderr.includes(token) && !text.includes(token), 'a token is told');
    }
    return { ...JSON.parse(text), stderr: result.stderr, text };
  };
  return started;
}

function startRunners(t, store, options) {
  return store.tokens.map((_, number) => startRunner(t, store, number, options));
}

module.exports = {
  ...{ PlayedStore, countingServer, loadTest, playStore, startRunner, startRunners },
  ...{ until, watchStop },
};
