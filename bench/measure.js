// SPDX-License-Identifier: Apache-2.0
'use strict';

// What the benchmarks share: options, processes, /proc, statistics, and the name of the machine.

const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const TICKS_PER_SECOND = 100; // of /proc/PID/stat; getconf CLK_TCK on Linux
const BOOTSTRAP_ROUNDS = 10000;
const SEED = 20260101;
const POLL_MILLISECONDS = 10;
const LIMIT_MILLISECONDS = 15 * 60 * 1000;

// parse({seconds: 30, sonde: 'path'}): the defaults, overridden by --seconds 10 --sonde PATH.
function parse(defaults) {
  const options = { ...defaults };
  const words = process.argv.slice(2);
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i].replace(/^--/, '');
    const numeric = typeof defaults[name] === 'number';
    const value = numeric ? Number(words[i + 1]) : words[i + 1];
    if (!(name in defaults) || value === undefined || (numeric && !(value > 0))) {
      const usage = Object.entries(defaults).map(([key, preset]) => `[--${key} ${preset}]`);
      console.error(`usage: node ${path.relative('.', process.argv[1])} ${usage.join(' ')}`);
      process.exit(2);
    }
    options[name] = value;
  }
  return options;
}

// Undone in reverse order at the end, also after a signal.
const undo = [];

function atEnd(action) {
  undo.push(action);
}

function cleanUp() {
  while (undo.length > 0) {
    undo.pop()();
  }
}

function main(benchmark) {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ]) {
    process.once(signal, () => {
      cleanUp();
      process.exit(code);
    });
  }
  benchmark()
    .catch((error) => {
      console.error(`bench: ${error.message}`);
      process.exitCode = 1;
    })
    .finally(cleanUp);
}

function temporaryDirectory() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sonde-bench-'));
  atEnd(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

// Starts a program that is ended with the benchmark. `ended` gives code, stdout and stderr.
function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      texts[name] += text;
    });
  }
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...texts }));
  });
  atEnd(() => child.exitCode === null && child.signalCode === null && child.kill('SIGTERM'));
  return { child, pid: child.pid, ended };
}

async function finish(job, what) {
  const result = await job.ended;
  if (result.code !== 0) {
    throw new Error(`${what} failed (${result.code}):\n${result.stderr}${result.stdout}`);
  }
  return result;
}

// The first text on stdout.
function firstOutput(job) {
  return new Promise((resolve, reject) => {
    job.child.stdout.once('data', resolve);
    job.ended.then((result) => reject(new Error(`ended early: ${result.stderr}`)), reject);
  });
}

function run(command, args) {
  return execFileSync(command, args, { cwd: root, encoding: 'utf8' }).trim();
}

function readProcess(pid, name) {
  try {
    return fs.readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

// Seconds of CPU of all threads so far; undefined when the process has ended.
function cpuSeconds(pid) {
  const stat = readProcess(pid, 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat ? (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND : undefined;
}

// Seconds of CPU that the whole machine has spent so far, and this process with the children that
// have ended.
function machineSeconds() {
  const [user, nice, system, , , interrupts, softInterrupts] = fs
    .readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + interrupts + softInterrupts) / TICKS_PER_SECOND;
}

function ownSeconds() {
  const stat = readProcess('self', 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}

// {rss, peak} in bytes; undefined when the process has ended.
function memory(pid) {
  const status = readProcess(pid, 'status');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024;
  return /^VmHWM:/m.test(status) ? { rss: field('VmRSS'), peak: field('VmHWM') } : undefined;
}

// Runs a program to its end: its result, seconds, CPU seconds of all threads and peak memory. What
// it has used is asked for until it is gone, or until `over` says that what follows does not count.
async function measure(command, args, { over = () => false, ...spawnOptions } = {}) {
  const begin = process.hrtime.bigint();
  const job = start(command, args, spawnOptions);
  let peak = 0;
  let cpu = 0;
  const timer = setInterval(() => {
    const used = { peak: memory(job.pid)?.peak ?? 0, cpu: cpuSeconds(job.pid) ?? 0 };
    if (over()) {
      clearInterval(timer);
      return;
    }
    peak = Math.max(peak, used.peak);
    cpu = Math.max(cpu, used.cpu);
  }, POLL_MILLISECONDS);
  const limit = setTimeout(() => job.child.kill('SIGKILL'), LIMIT_MILLISECONDS);
  const result = await job.ended;
  clearInterval(timer);
  clearTimeout(limit);
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  return { ...result, seconds, cpu, peak };
}

// Writes the document of a run that takes a heap snapshot, whatever it costs; gives its path.
function snapshotDocument(directory, redaction) {
  const document = path.join(directory, 'run.yaml');
  const spec = {
    target: { podName: 'local' },
    captures: [{ name: 'heap', type: 'HeapSnapshot', redaction }],
    safety: { maxPauseSeconds: 600, heapHeadroomPercent: 0 },
  };
  const kind = { apiVersion: 'sonde.dev/v1alpha1', kind: 'ProfileRun' };
  fs.writeFileSync(document, JSON.stringify({ ...kind, metadata: { name: 'bench' }, spec }));
  return document;
}

// The status of the only run in a store.
function runStatus(store) {
  const { DatabaseSync } = require('node:sqlite'); // since Node.js 22
  const database = new DatabaseSync(path.join(store, 'runs.db'), { readOnly: true });
  const row = database.prepare('SELECT status FROM runs').get();
  database.close();
  return JSON.parse(row.status);
}

// The p-quantile (0–1) by nearest rank.
function quantile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
}

function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

// mulberry32, so that the same measurements always give the same interval.
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// A statistic of the values with its 95 % percentile-bootstrap interval, as text.
function withInterval(values, statistic) {
  const next = random(SEED);
  const results = Array.from({ length: BOOTSTRAP_ROUNDS }, () =>
    statistic(values.map(() => values[Math.floor(next() * values.length)])),
  );
  const [low, high] = [quantile(results, 0.025), quantile(results, 0.975)];
  return `${statistic(values).toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

function ratio(values) {
  return withInterval(values, geometricMean);
}

function machine() {
  const cpu = os.cpus()[0].model.trim();
  return `${cpu}, ${os.cpus().length} cores, Linux ${os.release()}`;
}

function checkProgram(program) {
  if (!fs.existsSync(path.resolve(root, program))) {
    throw new Error(
      `there is no ${program}: cmake --preset release && cmake --build --preset release`,
    );
  }
  return path.resolve(root, program);
}

module.exports = {
  atEnd,
  checkProgram,
  cpuSeconds,
  finish,
  firstOutput,
  machine,
  machineSeconds,
  main,
  measure,
  memory,
  ownSeconds,
  parse,
  quantile,
  random,
  ratio,
  root,
  run,
  runStatus,
  snapshotDocument,
  start,
  temporaryDirectory,
  withInterval,
};
