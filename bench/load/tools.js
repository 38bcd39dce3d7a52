// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load generators: their words for what is asked of them, and what their output says.

const fs = require('node:fs');
const path = require('node:path');
const { checkProgram, quantile, run } = require('../measure.js');

const TIMEOUT_SECONDS = 20; // where a tool lets it be set
const CONNECTIONS_MAX = 5000; // of k6, which drops what finds no free one
const MICROSECONDS = 1e6;

// {name: {version, path}} of what bench/load/peers has installed.
function installedPeers(names) {
  const lines = names.length ? run(path.join(__dirname, 'peers'), names).split('\n') : [];
  const words = lines.map((line) => line.split(' '));
  return Object.fromEntries(words.map(([name, version, file]) => [name, { version, path: file }]));
}

function take(pattern, text, what) {
  const found = pattern.exec(text);
  if (!found) {
    throw new Error(`${what} did not say ${pattern}:\n${text}`);
  }
  return found[1];
}

// "1.5s" of wrk, in milliseconds.
function milliseconds(text) {
  const [, number, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text);
  return Number(number) * { us: 0.001, ms: 1, s: 1000, m: 60000 }[unit];
}

function scaled(times, factor) {
  const scale = (value) => (value === undefined ? undefined : value * factor);
  return Object.fromEntries(Object.entries(times).map(([name, value]) => [name, scale(value)]));
}

// Each tool: `command(ask)`, the words, with
//   ask = {url, connections, seconds, amount, inFlight, http2, rate, log}
// where rate is in requests a second (undefined: as fast as it goes) and log a file of its own; and
// `read(stdout, ask)`, {requests, p50, p90, p99, max} with times in milliseconds. `can(ask)` says
// whether it knows how to. Each has one thread.

function ownTool(program) {
  const sonde = checkProgram(program);
  return {
    sonde: {
      can: () => true,
      command: (ask) => [
        ...[sonde, 'load', ask.url, '-c', ask.connections, '-p', ask.inFlight ?? 1],
        ...(ask.amount ? ['-a', ask.amount] : ['-d', `${ask.seconds}s`]),
        ...['-t', `${TIMEOUT_SECONDS}s`, '-j', '-n'],
        ...(ask.rate ? ['-R', ask.rate] : []),
        ...(ask.poisson ? ['--poisson'] : []),
        ...(ask.http2 ? ['--http', 2] : []),
      ],
      read: (text) => {
        const result = JSON.parse(text);
        const { p50, p90, p99, max } = result.latency;
        return { requests: result.sonde.answered, p50, p90, p99, max, result };
      },
    },
  };
}

// Those that send the next request when they have an answer.
function closedTools(peers) {
  return {
    wrk: {
      can: (ask) => !ask.http2 && !ask.inFlight,
      command: (ask) => [
        ...[peers.wrk.path, '-t', 1, '-c', ask.connections, '-d', `${ask.seconds}s`, '--latency'],
        ask.url,
      ],
      read: (text) => {
        const at = (share) => take(new RegExp(` ${share}%\\s+(\\S+)`), text, 'wrk');
        const max = take(/Latency\s+\S+\s+\S+\s+(\S+)/, text, 'wrk');
        const [p50, p90, p99, longest] = [at(50), at(90), at(99), max].map(milliseconds);
        return {
          requests: Number(take(/(\d+) requests in/, text, 'wrk')),
          ...{ p50, p90, p99, max: longest },
        };
      },
    },
    h2load: {
      can: () => true,
      command: (ask) => [
        ...[peers.h2load.path, '-t', 1, '-c', ask.connections, '-m', ask.inFlight ?? 1],
        ...['-D', ask.seconds],
        ...(ask.http2 ? [] : ['--h1']),
        ...(ask.rate ? ['--rps', ask.rate / ask.connections, `--log-file=${ask.log}`] : []),
        ask.url,
      ],
      // It prints no quantiles; its log has a line for each request: start, status, microseconds.
      read: (text, ask) => ({
        requests: Number(take(/(\d+) succeeded/, text, 'h2load')),
        ...(ask.rate ? readLog(ask.log) : {}),
      }),
    },
    autocannon: {
      can: (ask) => !ask.http2,
      command: (ask) => [
        ...[process.execPath, peers.autocannon.path, '-c', ask.connections],
        ...['-p', ask.inFlight ?? 1, '-d', ask.seconds, '-t', TIMEOUT_SECONDS, '-j', '-n'],
        ...(ask.rate ? ['-R', ask.rate] : []),
        ...(ask.uncorrected ? ['-C'] : []),
        ask.url,
      ],
      read: (text) => {
        const result = JSON.parse(text);
        const { p50, p90, p99, max } = result.latency;
        return { requests: result['2xx'], p50, p90, p99, max };
      },
    },
  };
}

// Those that can send at a rate of their own.
function pacedTools(peers, wrk2) {
  return {
    // Built by hand: no package manager has it. Its quantiles are those from the 11th second on.
    wrk2: {
      can: (ask) => wrk2 && ask.rate && !ask.http2 && !ask.inFlight,
      command: (ask) => [
        ...[wrk2, '-t', 1, '-c', ask.connections, '-d', `${ask.seconds}s`, '-R', ask.rate],
        ...['--timeout', `${TIMEOUT_SECONDS}s`, '--latency', ask.url],
      ],
      read: (text) => {
        const at = (share) => take(new RegExp(`^ *${share}\\.000% +(\\S+)`, 'm'), text, 'wrk2');
        const [p50, p90, p99, max] = [50, 90, 99, 100].map((share) => milliseconds(at(share)));
        return {
          requests: Number(take(/(\d+) requests in/, text, 'wrk2')),
          ...{ p50, p90, p99, max },
        };
      },
    },
    oha: {
      can: (ask) => !ask.http2 && !ask.inFlight,
      command: (ask) => [
        ...[peers.oha.path, '-z', `${ask.seconds}s`, '-c', ask.connections, '--no-tui'],
        ...['--output-format', 'json'],
        ...(ask.rate ? ['-q', ask.rate] : []),
        ...(ask.rate && !ask.uncorrected ? ['--latency-correction'] : []),
        ask.url,
      ],
      read: (text) => {
        const result = JSON.parse(text);
        const { p50, p90, p99 } = result.latencyPercentiles;
        const counts = Object.values(result.statusCodeDistribution);
        const requests = counts.reduce((sum, count) => sum + count, 0);
        return { requests, ...scaled({ p50, p90, p99, max: result.summary.slowest }, 1000) };
      },
    },
    vegeta: {
      can: (ask) => !ask.http2 && !ask.inFlight && ask.rate,
      // Its results go from one process to another.
      command: (ask) => [
        ...[
          'sh',
          '-c',
          'echo "GET $2" | "$1" attack -rate $3 -duration $4s | "$1" report -type json',
        ],
        ...['sh', peers.vegeta.path, ask.url, ask.rate, ask.seconds],
      ],
      read: (text) => {
        const result = JSON.parse(text);
        const { '50th': p50, '90th': p90, '99th': p99, max } = result.latencies;
        return { requests: result.status_codes['200'], ...scaled({ p50, p90, p99, max }, 1e-6) };
      },
    },
  };
}

// What runs a script of ours.
function scriptedTools(peers) {
  return {
    k6: {
      can: (ask) => !ask.http2 && !ask.inFlight && ask.rate,
      command: (ask) => {
        const values = {
          ...{ CONNECTIONS: ask.connections, CONNECTIONS_MAX, RATE: ask.rate },
          ...{ SECONDS: ask.seconds, TIMEOUT_SECONDS, URL: ask.url },
        };
        return [
          ...[peers.k6.path, 'run', '--quiet', '--no-usage-report', '--summary-export', ask.log],
          ...Object.entries(values).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
          path.join(__dirname, 'rate.k6.js'),
        ];
      },
      read: (_, ask) => {
        const { metrics } = JSON.parse(fs.readFileSync(ask.log, 'utf8'));
        const { 'p(50)': p50, 'p(90)': p90, 'p(99)': p99, max } = metrics.http_req_duration;
        return { requests: metrics.http_reqs.count, p50, p90, p99, max };
      },
    },
  };
}

function makeTools(program, names, wrk2) {
  const peers = installedPeers(names);
  const tools = {
    ...ownTool(program),
    ...closedTools(peers),
    ...pacedTools(peers, wrk2),
    ...scriptedTools(peers),
  };
  for (const [name, tool] of Object.entries(tools)) {
    tool.name = name;
    tool.version = peers[name]?.version ?? '';
  }
  return tools;
}

function readLog(file) {
  const lines = fs.readFileSync(file, 'utf8').trim().split('\n');
  const times = lines.map((line) => (Number(line.split('\t')[2]) * 1000) / MICROSECONDS);
  const at = (share) => quantile(times, share);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

module.exports = { makeTools };
