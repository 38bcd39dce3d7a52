// SPDX-License-Identifier: Apache-2.0
'use strict';

// What a load test costs the store: runners are played, each on connections of its own with TLS,
// and send a second's histograms each second, while somebody watches and the controller waits.

const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { createHash, randomBytes, randomUUID } = require('node:crypto');
const { setTimeout: delay } = require('node:timers/promises');
const measure = require('./measure.js');
const { makePair } = require('../tests/component/support/certificates.js');
const { tally } = require('../tests/component/support/load-runners.js');

const { atEnd, checkProgram, cpuSeconds, machine, main, memory, ownSeconds, parse } = measure;
const { machineSeconds, random, start, temporaryDirectory } = measure;
const options = parse({
  runners: 100,
  seconds: 60,
  requests: 1000, // a second, of each runner
  names: 1, // of requests, that results tell apart
  store: 'build/release/bin/sonde-store',
});
const token = 'the-token-of-the-bench';
const warmUpSeconds = 10;
const different = 50; // seconds that are made before; making them costs more than reading them
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const percent = (share) => `${(100 * share).toFixed(2)} %`;

const labels = Array.from({ length: options.names }, (_, i) => ({
  kind: 'name',
  text: `request-${i}`,
}));

// Latencies as services have them: most near 2 ms, some many times as long.
function makeTallies() {
  const next = random(1);
  const latency = () => Math.round(1500 * Math.exp(0.6 * (next() + next() + next() + next() - 2)));
  const times = (count) =>
    Array.from({ length: count }, () => latency() * (next() < 0.01 ? 20 : 1));
  return Array.from({ length: different }, () => {
    const parts = labels.map((_, label) => {
      const own = tally(times(Math.ceil(options.requests / labels.length)));
      return { ...own, label };
    });
    return JSON.stringify(tally(times(options.requests), { labels: labels.length, parts }));
  });
}

class Peer {
  constructor(port, address) {
    const agent = { keepAlive: true, localAddress: address, rejectUnauthorized: false };
    this.agent = new https.Agent(agent);
    this.port = port;
    atEnd(() => this.agent.destroy());
  }

  ask(method, where, { body, headers = {}, bearer = token } = {}) {
    const { agent, port } = this;
    return new Promise((resolve, reject) => {
      const request = https.request(
        {
          ...{ agent, port, method, host: '127.0.0.1', path: `/api/v1/${where}` },
          headers: { Authorization: `Bearer ${bearer}`, ...headers },
        },
        (response) => {
          const parts = [];
          response.on('data', (part) => parts.push(part));
          response.on('end', () => {
            const text = Buffer.concat(parts).toString();
            if (response.statusCode > 299) {
              reject(new Error(`${method} ${where}: ${response.statusCode} ${text}`));
            } else {
              resolve(JSON.parse(text));
            }
          });
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }
}

class Runner extends Peer {
  constructor(port, uid, number, bearer) {
    super(port, `127.0.1.${number + 1}`);
    this.number = number;
    this.bearer = bearer;
    this.where = `runs/${uid}/runners/${number}`;
    this.headers = { 'Sonde-Target': `runner-${number}`, 'Sonde-Instance': `bench-${number}` };
    this.waits = [];
  }

  say(method, what, body) {
    return this.ask(method, `${this.where}${what}`, {
      ...{ body, headers: this.headers, bearer: this.bearer },
    });
  }

  async ready() {
    const body = { round: 0, offset: 0, uncertainty: 100, labels, pod: 'pod', node: 'node' };
    for (;;) {
      const answer = await this.say('POST', '/ready?wait=20', JSON.stringify(body));
      if (!answer.wait) {
        return answer;
      }
    }
  }

  async awaitOrders(state) {
    while (!state.over) {
      const { stop } = await this.say('GET', '/orders?round=0&wait=20');
      state.over = state.over || stop;
    }
  }

  // At the ends of seconds, as all do; how long the store took is noted.
  async send(begin, seconds, tallies) {
    for (let second = 1; second <= seconds; second++) {
      const due = begin + 1000 * second;
      await delay(Math.max(0, due - Date.now()));
      const own = tallies[(second * 7 + this.number) % tallies.length];
      const head = `"round":0,"sequence":${second - 1},"end":${second * 1_000_000}`;
      const before = process.hrtime.bigint();
      await this.say('POST', '/interval', `{${head},"warmUp":false,"tally":${own}}`);
      this.waits.push(Number(process.hrtime.bigint() - before) / 1e6);
    }
  }
}

async function beginStore() {
  const directory = temporaryDirectory();
  const pair = makePair(directory, 'store', { begins: -1, ends: 1 });
  const file = (name) => path.join(directory, name);
  fs.writeFileSync(file('certificate'), pair.certificate);
  fs.writeFileSync(file('private'), pair.key);
  fs.writeFileSync(file('token'), token);
  const job = start(checkProgram(options.store), [
    ...['--directory', file('store'), '--listen', '127.0.0.1:0', '--no-cluster'],
    ...['--certificate', file('certificate'), '--key', file('private')],
    ...['--controller-token-file', file('token'), '--person-token-file', file('token')],
  ]);
  let said = '';
  const port = await new Promise((resolve, reject) => {
    job.ended.then(({ stderr }) => reject(new Error(`the store has ended: ${stderr}`)), reject);
    job.child.stderr.on('data', (text) => {
      said += text;
      const [, found] = /"message":"listening".*"port":(\d+)/.exec(said) ?? [];
      if (found) {
        resolve(Number(found));
      }
    });
  });
  return { job, port, store: file('store') };
}

async function register(peer, uid, tokens) {
  const spec = {
    target: { service: { name: 'patients', port: 80 } },
    scenario: { requests: labels.map(({ text }) => ({ name: text, path: '/' })) },
    arrival: { rate: options.requests * options.runners, durationSeconds: 86400 },
    ...{ parallelism: options.runners, thresholds: ['http_req_duration: p(99)<250'] },
    abortOnFail: ['http_req_failed: rate<0.5'],
  };
  const metadata = { name: 'bench', namespace: 'bench' };
  await peer.ask('POST', 'runs', {
    body: JSON.stringify({
      ...{ uid, ...metadata, kind: 'LoadTest', requester: 'bench' },
      document: { apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest', metadata, spec },
      targets: tokens.map((bearer, number) => ({
        target: `runner-${number}`,
        tokenSha256: createHash('sha256').update(bearer).digest('hex'),
        expires: 4_000_000_000,
      })),
    }),
  });
}

async function watch(peer, uid, state) {
  let next = 0;
  while (!state.over) {
    ({ next } = await peer.ask('GET', `runs/${uid}/live?namespace=bench&since=${next}&wait=5`));
  }
}

async function follow(peer, state) {
  let next = '';
  while (!state.over) {
    ({ next } = await peer.ask('GET', `changes?since=${next}&wait=5`));
  }
}

main(async () => {
  const tallies = makeTallies();
  const { job, port, store } = await beginStore();
  const uid = randomUUID();
  const tokens = Array.from({ length: options.runners }, () => randomBytes(32).toString('hex'));
  const controller = new Peer(port, '127.0.0.1');
  await register(controller, uid, tokens);
  const runners = tokens.map((bearer, number) => new Runner(port, uid, number, bearer));
  const [{ start: begin }] = await Promise.all(runners.map((runner) => runner.ready()));
  const state = { over: false };
  const others = [
    ...runners.map((runner) => runner.awaitOrders(state)),
    ...[watch(controller, uid, state), follow(controller, state)],
  ];
  const seconds = warmUpSeconds + options.seconds;
  const sending = runners.map((runner) => runner.send(begin / 1000, seconds, tallies));
  await delay(begin / 1000 + 1000 * warmUpSeconds + 500 - Date.now());
  const before = [cpuSeconds(job.pid), machineSeconds(), ownSeconds(), Date.now()];
  await Promise.all(sending);
  const after = [cpuSeconds(job.pid), machineSeconds(), ownSeconds(), Date.now()];
  const [cpu, all, own, milliseconds] = after.map((value, i) => value - before[i]);
  const used = memory(job.pid);
  const passed = milliseconds / 1000;
  const waits = runners.flatMap((runner) => runner.waits.slice(warmUpSeconds));
  const { seconds: told } = await controller.ask(
    'GET',
    `runs/${uid}/live?namespace=bench&since=${seconds - 1}`,
  );
  const exact = told.at(-1).sent === options.runners * options.requests;
  state.over = true;
  await controller.ask('POST', `runs/${uid}/cancel`, { body: '{}' });
  await Promise.all(others);
  const disk = fs.readdirSync(store).filter((name) => name.startsWith('runs.db'));
  const bytes = disk.reduce((sum, name) => sum + fs.statSync(path.join(store, name)).size, 0);
  console.log(`${machine()}; others used ${((all - cpu - own) / passed).toFixed(2)} cores meanwhile
${options.runners} runners, ${options.names} names of requests, ${options.requests} requests a second each, ${passed.toFixed(0)} s
a second's body: ${(tallies[0].length / 1024).toFixed(1)} KiB; the last one is the sum of all: ${exact ? 'yes' : 'NO'}
CPU of the store: ${percent(cpu / passed)} of a core
memory: ${mebibytes(used.rss)} resident, ${mebibytes(used.peak)} at its peak
answer to a second: p50 ${measure.quantile(waits, 0.5).toFixed(1)} ms, p99 ${measure.quantile(waits, 0.99).toFixed(1)} ms
database: ${mebibytes(bytes)}`);
});
