// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde load` beside other load generators: what a request costs the client, what is said of a
// server that stood still, how late requests are sent, and memory.

const { setTimeout } = require('node:timers/promises');
const {
  machine,
  main,
  parse,
  quantile,
  ratio,
  temporaryDirectory,
  withInterval,
} = require('./measure.js');
const {
  freeze,
  runTool,
  setPriority,
  startHttp2Server,
  startServer,
  stopServer,
} = require('./load/processes.js');
const { makeTools } = require('./load/tools.js');

const options = parse({
  part: 'all', // cost, frozen, pace, memory
  pairs: 7,
  only: '', // the costs, and the tools beside the frozen server, whose name has this in it
  seconds: 4, // of each load of a pair
  sonde: 'build/release/bin/sonde',
  priority: '', // of server and client: 50 with SCHED_FIFO; none: as other processes
  wrk2: '', // the program, to have it in the table of the frozen server
});

const PARTS = {
  cost: { run: cost, peers: ['wrk', 'h2load', 'autocannon'] },
  frozen: { run: frozen, peers: ['wrk', 'h2load', 'autocannon', 'oha', 'vegeta', 'k6'] },
  pace: { run: pace, peers: [] },
  memory: { run: memory, peers: ['wrk', 'h2load', 'autocannon'] },
};

function say(text) {
  console.log(text);
}

// A table for README.md.
function table(head, rows) {
  say(`\n| ${head.join(' | ')} |\n|${' --- |'.repeat(head.length)}`);
  for (const row of rows) {
    say(`| ${row.join(' | ')} |`);
  }
}

// ---- what a request costs ----

const COSTS = [
  { what: '64 connections', ask: { connections: 64 }, peers: ['wrk', 'autocannon'] },
  { what: '512 connections', ask: { connections: 512 }, peers: ['wrk', 'autocannon'] },
  {
    what: '64 connections, 16 in flight on each',
    ask: { connections: 64, inFlight: 16 },
    peers: ['h2load', 'autocannon'],
  },
  {
    what: 'HTTP/2, 64 connections, 1 in flight on each',
    ask: { connections: 64, http2: true },
    peers: ['h2load'],
  },
  {
    what: 'HTTP/2, 64 connections, 16 in flight on each',
    ask: { connections: 64, inFlight: 16, http2: true },
    peers: ['h2load'],
  },
];

// Microseconds of CPU of both for each request, in turn.
async function pair(server, directory, tools, ask, first) {
  const results = {};
  for (const tool of first ? tools : [...tools].reverse()) {
    results[tool.name] = await runTool(
      tool,
      { ...ask, seconds: options.seconds },
      server,
      directory,
    );
  }
  return results;
}

async function costBeside(server, directory, tools, what, ask) {
  const [own, peer] = tools;
  const micros = { [own.name]: [], [peer.name]: [] };
  const foreign = [];
  for (let i = 0; i < options.pairs; i++) {
    const results = await pair(server, directory, tools, ask, i % 2 === 0);
    for (const tool of tools) {
      const { cpu, requests } = results[tool.name];
      micros[tool.name].push((cpu / requests) * 1e6);
      foreign.push(results[tool.name].foreign);
    }
  }
  const ratios = micros[own.name].map((mine, i) => micros[peer.name][i] / mine);
  const median = (values) => quantile(values, 0.5).toFixed(2);
  return [
    ...[what, `${peer.name} ${peer.version}`, median(micros[own.name]), median(micros[peer.name])],
    ...[ratio(ratios), median(foreign)],
  ];
}

async function cost(tools, directory) {
  const rows = [];
  for (const { what, ask, peers } of COSTS.filter((one) => one.what.includes(options.only))) {
    const server = await (ask.http2 ? startHttp2Server(directory) : startServer());
    for (const name of peers) {
      rows.push(await costBeside(server, directory, [tools.sonde, tools[name]], what, ask));
    }
    await stopServer(server);
  }
  const head = ['requests of', 'beside', 'ours, µs of CPU each', 'theirs', 'theirs / ours'];
  table([...head, 'cores that others used'], rows);
}

// ---- a server that stands still ----

const FROZEN = { connections: 50, seconds: 30, rate: 500 };
const FREEZE = { after: 12, seconds: 5 };
const DELAY_MILLISECONDS = 20;

// What people would have waited who ask at that rate: those of the freeze until its end.
function truth(frozenSeconds) {
  const delay = DELAY_MILLISECONDS / 1000;
  const [begin, end] = [FREEZE.after, FREEZE.after + frozenSeconds];
  const count = FROZEN.rate * FROZEN.seconds;
  const times = Array.from({ length: count }, (_, i) => {
    const due = i / FROZEN.rate;
    const read = due >= begin && due < end ? end : due;
    const answered = read + delay >= begin && read + delay < end ? end : read + delay;
    return (answered - due) * 1000;
  });
  const at = (share) => quantile(times, share);
  return { requests: count, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

async function frozen(tools, directory) {
  const cases = [
    ['sonde -R', tools.sonde, {}],
    ['wrk', tools.wrk, {}],
    ['wrk2', tools.wrk2, {}],
    ['h2load --rps', tools.h2load, {}],
    ['autocannon -R', tools.autocannon, {}],
    ['autocannon -R -C', tools.autocannon, { uncorrected: true }],
    ['oha -q', tools.oha, { uncorrected: true }],
    ['oha -q --latency-correction', tools.oha, {}],
    ['vegeta', tools.vegeta, {}],
    ['k6', tools.k6, {}],
  ];
  const names = ['p50', 'p90', 'p99', 'max'];
  const rows = [];
  for (const [name, tool, more] of cases) {
    if (!name.includes(options.only) || !tool.can({ ...FROZEN, ...more })) {
      continue;
    }
    const server = await startServer(DELAY_MILLISECONDS);
    let stopped;
    const meanwhile = async () => {
      stopped = await freeze(server.job, FREEZE.after, FREEZE.seconds);
    };
    const ask = { ...FROZEN, ...more };
    const said = await runTool(tool, ask, server, directory, meanwhile);
    await stopServer(server);
    const right = truth(stopped);
    if (rows.length === 0) {
      rows.push(['truth', '', right.requests, ...names.map((key) => right[key].toFixed(1))]);
    }
    const off = (key) => `${(((said[key] - right[key]) / right[key]) * 100).toFixed(1)} %`;
    const cells = names.map((key) => `${said[key].toFixed(1)} (${off(key)})`);
    rows.push([name, tool.version, said.requests, ...cells]);
  }
  table(['tool', 'version', 'answers', 'p50, ms', 'p90', 'p99', 'longest'], rows);
}

// ---- when requests are sent ----

// For less than a second: the kernel takes 50 ms of each from those that stand before all others.
const PACE_PAUSE_MILLISECONDS = 1000;
const PACE = { connections: 10, seconds: 0.8, amount: 8000, rate: 10000 };

async function pace(tools, directory) {
  const rows = [];
  const server = await startServer();
  for (const poisson of [false, true]) {
    const runs = [];
    for (let i = 0; i < options.pairs; i++) {
      await setTimeout(PACE_PAUSE_MILLISECONDS);
      runs.push(await runTool(tools.sonde, { ...PACE, poisson }, server, directory));
    }
    const values = (pick) => withInterval(runs.map(pick), (some) => quantile(some, 0.5));
    const lag = (name) => values(({ result }) => result.sonde.sendLagMicroseconds[name]);
    rows.push([
      ...[poisson ? 'Poisson' : 'constant', lag('p50'), lag('p99'), lag('p99_9')],
      values(({ result }) => (result.sonde.sent / result.duration / PACE.rate - 1) * 100),
      values(({ cpu, seconds }) => cpu / seconds),
      values(({ foreign }) => foreign),
      runs.filter(({ result }) => result.sonde.valid).length,
    ]);
  }
  await stopServer(server);
  const head = ['arrivals', 'send lag p50, µs', 'p99', 'p99.9', 'rate off by, %', 'our cores'];
  table([...head, "others' cores", `valid, of ${options.pairs}`], rows);
}

// ---- memory ----

async function memory(tools, directory) {
  const rows = [];
  const server = await startServer();
  for (const name of ['sonde', 'wrk', 'h2load', 'autocannon']) {
    const cells = [];
    for (const connections of [1000, 10000]) {
      const ask = { connections, seconds: options.seconds };
      cells.push((await runTool(tools[name], ask, server, directory)).peak.toFixed(1));
    }
    rows.push([`${name} ${tools[name].version}`, ...cells]);
  }
  await stopServer(server);
  table(['peak memory (VmHWM), MiB', '1,000 connections', '10,000'], rows);
}

main(async () => {
  const parts = options.part === 'all' ? Object.keys(PARTS) : options.part.split(',');
  if (!parts.every((part) => part in PARTS)) {
    throw new Error(`--part is of ${Object.keys(PARTS).join(', ')}, or all`);
  }
  const directory = temporaryDirectory();
  const peers = [...new Set(parts.flatMap((part) => PARTS[part].peers))];
  const tools = makeTools(options.sonde, peers, options.wrk2);
  setPriority(options.priority);
  say(machine());
  for (const part of parts) {
    await PARTS[part].run(tools, directory);
  }
});
