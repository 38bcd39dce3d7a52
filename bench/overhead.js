// SPDX-License-Identifier: Apache-2.0
'use strict';

// What profiling costs a service under load: the example's throughput and CPU time per request with
// and without, in pairs, each on a fresh service. The service's main thread has a core of its own,
// with a piece of reference work that tells how fast that core was at the time.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const {
  atEnd,
  checkProgram,
  cpuSeconds,
  finish,
  firstOutput,
  machine,
  machineSeconds,
  main,
  memory,
  ownSeconds,
  parse,
  quantile,
  ratio,
  root,
  run,
  start,
  temporaryDirectory,
  withInterval,
} = require('./measure.js');

const LOOK_MS = 250;
const LOOK_AT_END_MS = 5;
const WARM_UP_SECONDS = 8;
const ANY_PORT = '--inspect-port=0'; // another process may have the usual one
const ATTEMPTS = 4; // for each pair
const SERVICE_CORE = 0;
const OTHER_CORES = `1-${os.cpus().length - 1}`;
const BEFORE_AND_AFTER_SECONDS = 1; // of load around the capture: attaching and leaving count too

const options = parse({
  seconds: 30,
  pairs: 8,
  connections: 8,
  interval: 1000,
  mix: 'faults',
  foreign: 0.2, // cores that other processes may use; a pair that met more is taken again
  sonde: 'build/release/bin/sonde',
});

function load(url, seconds) {
  const script = path.join(root, 'examples/patients/load.lua');
  const words = ['-t1', `-c${options.connections}`, `-d${seconds}s`, '-s', script, url];
  return start('taskset', ['-c', OTHER_CORES, 'wrk', ...words, '--', options.mix]);
}

// Threads that the main thread starts, the profiler's among them, begin on its core: to the others.
function keepCoreFree(pid) {
  for (const thread of fs.readdirSync(`/proc/${pid}/task`).filter((id) => id !== `${pid}`)) {
    // One that has ended meanwhile is not missed.
    spawnSync('taskset', ['-p', '-c', OTHER_CORES, thread], { stdio: 'ignore' });
  }
}

function startReference() {
  const script = path.join(__dirname, 'reference.js');
  const words = ['-c', `${SERVICE_CORE}`, process.execPath, script];
  return start('taskset', words, { stdio: ['pipe', 'pipe', 'pipe'] });
}

// {pieces, microseconds} since its start.
async function readReference(reference) {
  const answer = firstOutput(reference);
  reference.child.stdin.write('\n');
  const [pieces, microseconds] = (await answer).split(' ').map(Number);
  return { pieces, microseconds };
}

// {requests, rate}: how many were answered, and per second.
async function answered(job) {
  const { stdout } = await finish(job, 'wrk');
  const requests = /(\d+) requests in/.exec(stdout);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout);
  const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(stdout);
  if (!requests || !rate || failed) {
    throw new Error(`wrk: ${failed ? failed[0] : stdout}`);
  }
  return { requests: Number(requests[1]), rate: Number(rate[1]) };
}

// Looks at our own process while it works: CPU time of the capture alone and of all, and memory.
function watch(job, pid) {
  const seen = { total: 0, peak: 0, capturePeak: 0, rss: [] };
  const look = () => {
    const now = memory(job.pid);
    if (!seen.end) {
      keepCoreFree(pid);
    }
    seen.total = cpuSeconds(job.pid) ?? seen.total;
    if (now) {
      seen.peak = now.peak;
      seen.rss.push(now.rss);
    }
  };
  let timer = setInterval(look, LOOK_MS);
  job.child.stderr.on('data', (text) => {
    look();
    if (/: capturing/.test(text)) {
      seen.begin = { at: performance.now(), cpu: seen.total };
    }
    if (/: leaving/.test(text)) {
      seen.end = { at: performance.now(), cpu: seen.total };
      seen.capturePeak = seen.peak;
      clearInterval(timer);
      timer = setInterval(look, LOOK_AT_END_MS);
    }
  });
  job.ended.finally(() => clearInterval(timer)).catch(() => {});
  return seen;
}

async function profile(sonde, store, document, pid) {
  const words = ['run', document, '--pid', `${pid}`, '--store', store, '--output', 'json'];
  const job = start(sonde, words);
  const seen = watch(job, pid);
  const { stdout } = await finish(job, 'sonde');
  if (!seen.begin || !seen.end) {
    throw new Error('sonde did not say when it was capturing');
  }
  const share = (seen.end.cpu - seen.begin.cpu) / ((seen.end.at - seen.begin.at) / 1000);
  return { ...seen, share, report: JSON.parse(stdout).runs[0] };
}

// What processes that have nothing to do with the benchmark have used of the machine so far.
function foreignSeconds(service) {
  const known = [service.pid, service.database].map((pid) => cpuSeconds(pid) ?? 0);
  return machineSeconds() - ownSeconds() - known[0] - known[1];
}

// Load for some time, with a capture or without.
async function measure(service, seconds, sonde) {
  keepCoreFree(service.pid);
  const reference = await readReference(service.reference);
  const cpu = cpuSeconds(service.pid);
  const foreign = foreignSeconds(service);
  const begin = performance.now();
  const job = load(service.url, seconds);
  let own;
  if (sonde) {
    await new Promise((resolve) => setTimeout(resolve, BEFORE_AND_AFTER_SECONDS * 500));
    own = await profile(sonde.program, sonde.store, sonde.document, service.pid);
  }
  const requests = await answered(job);
  const now = await readReference(service.reference);
  const work = now.microseconds - reference.microseconds;
  return {
    ...requests,
    piece: work / (now.pieces - reference.pieces),
    cpu: cpuSeconds(service.pid) - cpu,
    foreign: foreignSeconds(service) - foreign,
    seconds: (performance.now() - begin) / 1000,
    own,
  };
}

function sumUp(parts) {
  const sum = (name) => parts.reduce((total, part) => total + part[name], 0);
  const mean = (name) => sum(name) / parts.length;
  return {
    rate: mean('rate'),
    piece: mean('piece'),
    cpu: sum('cpu') / sum('requests'),
    foreign: sum('foreign') / sum('seconds'),
    own: parts[0].own,
  };
}

function startService(directory, database) {
  const environment = path.join(root, 'tests/environment');
  const patients = path.join(environment, 'patients');
  const words = ['start', directory, '--database', database, '--', ANY_PORT];
  const text = run(patients, words);
  const [, url, pid] = /^url=(\S+) pid=(\d+)$/m.exec(text);
  const server = / pid=(\d+)$/m.exec(run(path.join(environment, 'database'), ['start', database]));
  run('taskset', ['-a', '-p', '-c', OTHER_CORES, server[1]]);
  run('taskset', ['-p', '-c', `${SERVICE_CORE}`, pid]);
  const reference = startReference();
  const stop = () => {
    reference.child.stdin.end();
    run(patients, ['stop', directory]);
  };
  return { url, pid: Number(pid), database: Number(server[1]), reference, stop };
}

async function takePair(number, directory, database, sonde) {
  const service = startService(path.join(directory, `service-${number}`), database);
  atEnd(service.stop);
  await answered(load(service.url, WARM_UP_SECONDS));
  const seconds = options.seconds + 2 * BEFORE_AND_AFTER_SECONDS;
  const before = await measure(service, Math.ceil(seconds / 2));
  const during = await measure(service, seconds, sonde);
  const after = await measure(service, Math.ceil(seconds / 2));
  service.stop();
  return { before, after, without: sumUp([before, after]), with: sumUp([during]) };
}

// How the rate follows the speed of the core, from pairs and from halves without a capture alike,
// and what is left between with and without: an analysis of covariance.
function adjustedRatio(pairs) {
  const change = (from, to) => ({
    speed: Math.log(from.piece / to.piece),
    rate: Math.log(to.rate / from.rate),
  });
  const mean = (list, name) => list.reduce((sum, item) => sum + item[name], 0) / list.length;
  const covariance = (list, other) =>
    list.reduce((sum, c) => {
      return sum + (c.speed - mean(list, 'speed')) * (c[other] - mean(list, other));
    }, 0);
  const both = [
    pairs.map((pair) => change(pair.without, pair.with)),
    pairs.map((pair) => change(pair.before, pair.after)),
  ];
  const sum = (other) => both.reduce((total, list) => total + covariance(list, other), 0);
  const slope = sum('speed') > 0 ? sum('rate') / sum('speed') : 0;
  return Math.exp(mean(both[0], 'rate') - slope * mean(both[0], 'speed'));
}

function print(pairs) {
  const owns = pairs.map((pair) => pair.with.own);
  const costs = owns.map((own) => own.report.cost);
  const worst = (values) => Math.max(...values);
  const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const rotations = costs.reduce((sum, cost) => sum + cost.rotations, 0);
  const lines = [
    ['throughput, with / without', ratio(pairs.map((p) => p.with.rate / p.without.rate))],
    ['the same, for the speed of the core', withInterval(pairs, adjustedRatio)],
    ['speed of the core, with / without', ratio(pairs.map((p) => p.without.piece / p.with.piece))],
    ['CPU time per request, with / without', ratio(pairs.map((p) => p.with.cpu / p.without.cpu))],
    [
      'share of a core while capturing',
      `median ${(
        100 *
          quantile(
            owns.map((o) => o.share),
            0.5,
          )
      ).toFixed(2)} %, worst ${(100 * worst(owns.map((o) => o.share))).toFixed(2)} %`,
    ],
    [
      'CPU time of a whole run',
      `median ${quantile(
        owns.map((o) => o.total),
        0.5,
      ).toFixed(2)} s`,
    ],
    ['peak memory while capturing', megabytes(worst(owns.map((o) => o.capturePeak)))],
    [
      'peak memory, with the report',
      `${megabytes(worst(owns.map((o) => o.peak)))} (sampled ${megabytes(worst(owns.flatMap((o) => o.rss)))})`,
    ],
    [
      `rotation stall, ${rotations} rotations`,
      `p50 ${quantile(
        costs.map((c) => c.rotationStallP50Milliseconds),
        0.5,
      ).toFixed(
        1,
      )} ms, worst run's p99 ${worst(costs.map((c) => c.rotationStallP99Milliseconds)).toFixed(1)} ms, max ${worst(costs.map((c) => c.rotationStallMaxMilliseconds)).toFixed(1)} ms`,
    ],
    [
      'start and stop stall',
      `worst ${worst(costs.map((c) => c.startStallMilliseconds)).toFixed(1)} ms and ${worst(costs.map((c) => c.stopStallMilliseconds)).toFixed(1)} ms`,
    ],
    ['requests per second without', pairs.map((p) => p.without.rate.toFixed(0)).join(' ')],
    ['requests per second with', pairs.map((p) => p.with.rate.toFixed(0)).join(' ')],
  ];
  for (const [name, value] of lines) {
    console.log(`${name.padEnd(38)} ${value}`);
  }
}

main(async () => {
  if (os.cpus().length < 2) {
    throw new Error('two cores are needed: one for the service, one for all else');
  }
  const program = checkProgram(options.sonde);
  const directory = temporaryDirectory();
  const document = path.join(directory, 'run.yaml');
  const database = path.join(directory, 'database');
  fs.writeFileSync(
    document,
    `apiVersion: sonde.dev/v1alpha1
kind: ProfileRun
metadata: {name: overhead}
spec:
  target: {workloadRef: {kind: Deployment, name: patients}}
  captures:
  - {name: cpu, type: CPUProfile, durationSeconds: ${options.seconds}, samplingIntervalMicroseconds: ${options.interval}}
`,
  );
  atEnd(() => run(path.join(root, 'tests/environment/database'), ['stop', database]));
  console.log(machine());
  console.log(
    `${options.pairs} pairs of ${options.seconds} s, a sample every ${options.interval} µs, wrk -t1 -c${options.connections}, ${options.mix}; ratios with a 95 % bootstrap interval`,
  );
  const pairs = [];
  const sonde = { program, store: path.join(directory, 'store'), document };
  for (let i = 0; pairs.length < options.pairs && i < ATTEMPTS * options.pairs; i++) {
    const pair = await takePair(i, directory, database, sonde);
    const foreign = Math.max(pair.without.foreign, pair.with.foreign);
    const show = ({ rate, cpu, piece }) =>
      `${rate.toFixed(1)} (${(cpu * 1e3).toFixed(3)} ms, ${piece.toFixed(0)} µs)`;
    const verdict = foreign > options.foreign ? ', not counted' : '';
    console.error(
      `${show(pair.without)} → ${show(pair.with)} requests/s (CPU time of each, of a piece of reference work), ` +
        `${foreign.toFixed(2)} cores used by others${verdict}`,
    );
    if (!verdict) {
      pairs.push(pair);
    }
  }
  if (pairs.length < options.pairs) {
    throw new Error(`only ${pairs.length} pairs were undisturbed: try on an idle machine`);
  }
  print(pairs);
});
