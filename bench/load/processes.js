// SPDX-License-Identifier: Apache-2.0
'use strict';

// Servers and clients, each on a core of its own.

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const {
  atEnd,
  checkProgram,
  cpuSeconds,
  finish,
  firstOutput,
  machineSeconds,
  ownSeconds,
  start,
} = require('../measure.js');

const SERVER_CORE = 0;
const CLIENT_CORE = 1;
const GRACE_SECONDS = 60; // beyond the test's length, then a client is ended
const CONNECT_MILLISECONDS = 50;
const CONNECT_TRIES = 100;

function helper(name) {
  return checkProgram(`build/release/tests/${name}`);
}

// Before all others of the machine, when a number is given.
let priority = '';

function setPriority(number) {
  priority = number;
}

function onCore(core, words) {
  const before = priority ? ['chrt', '-f', priority] : [];
  return start('taskset', ['-c', core, ...before, ...words].map(String));
}

// {url, job}; each answer comes so many milliseconds after its request.
async function startServer(delayMilliseconds = 0) {
  const job = onCore(SERVER_CORE, [helper('load_server'), delayMilliseconds * 1000]);
  const port = Number(await firstOutput(job));
  return { url: `http://127.0.0.1:${port}/`, job };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function connects(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

// nghttpd with a small file; HTTP/2 without TLS.
async function startHttp2Server(directory) {
  fs.writeFileSync(path.join(directory, 'hello'), 'Hello, world\n');
  const port = await freePort();
  const words = ['nghttpd', '--no-tls', '-n', 1, '-a', '127.0.0.1', '-d', directory, port];
  const job = onCore(SERVER_CORE, words);
  for (let i = 0; i < CONNECT_TRIES && !(await connects(port)); i++) {
    await new Promise((resolve) => setTimeout(resolve, CONNECT_MILLISECONDS));
  }
  return { url: `http://127.0.0.1:${port}/hello`, job };
}

async function stopServer(server) {
  server.job.child.kill('SIGTERM');
  server.job.child.kill('SIGCONT');
  await server.job.ended;
}

// Runs a tool: what it says, and its `cpu` (seconds, all its processes), `seconds`, `peak` (MiB) and
// `foreign` (cores that others used meanwhile). `meanwhile` is called when it has begun.
async function runTool(tool, ask, server, directory, meanwhile = async () => {}) {
  const report = path.join(directory, 'used');
  const whole = { ...ask, url: server.url, log: path.join(directory, `log-${tool.name}`) };
  fs.rmSync(whole.log, { force: true });
  const known = (cpuSeconds(server.job.pid) ?? 0) + ownSeconds();
  const all = machineSeconds();
  const job = onCore(CLIENT_CORE, [helper('load_client'), report, ...tool.command(whole)]);
  const limit = setTimeout(() => job.child.kill('SIGKILL'), (ask.seconds + GRACE_SECONDS) * 1000);
  const beside = meanwhile();
  const { stdout } = await finish(job, tool.name);
  clearTimeout(limit);
  await beside;
  const [user, system, seconds, peak] = fs.readFileSync(report, 'utf8').split(' ').map(Number);
  const now = (cpuSeconds(server.job.pid) ?? 0) + ownSeconds();
  const foreign = (machineSeconds() - all - (now - known)) / seconds;
  const said = tool.read(stdout, whole);
  return { ...said, cpu: user + system, user, system, seconds, peak: peak / 1024, foreign };
}

// Stops a process for some time; gives how long that was, in seconds.
async function freeze(job, afterSeconds, seconds) {
  const wait = (time) => new Promise((resolve) => setTimeout(resolve, time * 1000));
  const child = job.child;
  atEnd(() => child.exitCode === null && child.kill('SIGCONT'));
  await wait(afterSeconds);
  const begin = process.hrtime.bigint();
  child.kill('SIGSTOP');
  await wait(seconds);
  child.kill('SIGCONT');
  return Number(process.hrtime.bigint() - begin) / 1e9;
}

module.exports = { freeze, runTool, setPriority, startHttp2Server, startServer, stopServer };
