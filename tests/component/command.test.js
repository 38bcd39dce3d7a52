// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde … -- COMMAND`: started, profiled, told of signals, and its exit code passed on.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Sonde, bin, exited, start } = require('./support/sonde.js');
const {
  Target,
  alive,
  app,
  environment,
  get,
  load,
  node,
  writtenPort,
} = require('./support/target.js');
const { until } = require('./support/wait.js');

// Starts the service through sonde; gives its port.
async function startThrough(t, sonde, duration) {
  const portFile = path.join(path.dirname(sonde.store), 'port');
  const args = ['profile', '--duration', duration, '--', node(22), app];
  const running = sonde.start(args, { env: environment(portFile) });
  const port = await writtenPort(portFile);
  const { pid } = await get(port, '/state');
  t.after(() => alive(pid) && process.kill(pid, 'SIGKILL'));
  return { running, target: new Target(running, port, pid) };
}

test('a command is started, profiled, told of signals, and its exit code is ours', async (t) => {
  const sonde = new Sonde(t);
  const { running, target } = await startThrough(t, sonde, '2s');
  load(t, target.port);
  await running.says(/leaving/);
  await until(
    async () => (await sonde.runs())[0]?.state === 'Succeeded',
    20000,
    'the run to be complete',
  );
  // The service goes on after the capture, and so do we.
  assert.ok((await target.get('/')).ok);
  assert.equal(running.child.exitCode, null);
  running.child.kill('SIGTERM');
  const result = await running.done;
  exited(result, 7);
  assert.match(result.stdout, /listening on/);
  assert.match(result.stdout, /hotSpot/);
  assert.ok(!alive(target.pid));
});

test('a command that ends by a signal: 128 and its number', async (t) => {
  const sonde = new Sonde(t);
  const { running, target } = await startThrough(t, sonde, '1s');
  await running.says(/leaving/);
  await until(async () => (await sonde.runs())[0]?.state !== 'Running', 20000, 'the run to end');
  process.kill(target.pid, 'SIGKILL');
  exited(await running.done, 137);
});

test('a command that ends before its time: its last window is reported', async (t) => {
  const sonde = new Sonde(t);
  const { running, target } = await startThrough(t, sonde, '60s');
  const busy = load(t, target.port);
  await running.says(/capturing/);
  // So much work that a report must show it, since the capture began.
  const requests = async () => (await target.get('/state')).requests;
  const before = await requests();
  await until(async () => (await requests()) > before + 50, 20000, 'requests');
  await busy.stop();
  await target.get('/exit?code=5');
  const result = await running.done;
  exited(result, 5);
  const report = await sonde.report();
  assert.equal(report.state, 'Succeeded', report.message);
  assert.equal(report.captures[0].functions[0].function, 'hotSpot');
  assert.match(result.stdout, /hotSpot/);
  assert.ok(!alive(target.pid));
});

test("SIGTERM in the middle of a capture is the command's", async (t) => {
  const sonde = new Sonde(t);
  const { running, target } = await startThrough(t, sonde, '60s');
  await running.says(/capturing/);
  await target.get('/work');
  running.child.kill('SIGTERM');
  exited(await running.done, 7);
  assert.equal((await sonde.report()).captures.length, 1);
});

test('a command that is not there: 127', async (t) => {
  const result = await new Sonde(t).run(['profile', '--', '/nonexistent/program']);
  exited(result, 127);
  assert.match(result.stderr, /cannot start \/nonexistent\/program: No such file/);
});

test('a command that is not Node.js and ends: said so, and its exit code is ours', async (t) => {
  const result = await new Sonde(t).run(['profile', '--', 'sh', '-c', 'exit 9']);
  exited(result, 9);
  assert.match(result.stderr, /sonde: TargetExited: sh ended before a Node\.js process/);
});

test('a signal while the command is starting is passed on', async (t) => {
  const script = 'trap "exit 5" TERM; echo ready >&2; while :; do sleep 0.05; done';
  const running = new Sonde(t).start(['profile', '--', 'sh', '-c', script]);
  await running.says(/ready/);
  running.child.kill('SIGTERM');
  const result = await running.done;
  exited(result, 5);
  assert.ok(result.milliseconds < 10000, `took ${result.milliseconds} ms`);
});

test('what the command prints does not mix with JSON', async (t) => {
  const script = 'console.log("from the command"); setTimeout(() => {}, 3000)';
  const args = ['profile', '--duration', '1s', '--output', 'json', '--', node(22), '-e', script];
  const result = await new Sonde(t).run(args);
  exited(result, 0);
  assert.equal(JSON.parse(result.stdout).runs[0].state, 'Succeeded');
  assert.match(result.stderr, /from the command/);
});

const counting = `process.on('SIGINT', () => console.error('interrupted'));
process.on('SIGUSR2', () => console.error('asked'));
process.on('SIGTERM', () => process.exit(9));
console.error('process ' + process.pid); setInterval(() => {}, 1000);`;

test('Ctrl-C at a terminal reaches the command once', async (t) => {
  const sonde = new Sonde(t);
  const directory = path.dirname(sonde.store);
  const script = path.join(directory, 'counting.js');
  fs.writeFileSync(script, counting);
  const words = [bin, 'profile', '--duration', '60s', '--store', sonde.store];
  const line = ['exec', ...words, '--', node(22), script].join(' ');
  const options = { stdio: ['pipe', 'pipe', 'pipe'], env: environment('') };
  const terminal = start(t, 'script', ['-qefc', line, '/dev/null'], options);
  const count = (pattern) => (terminal.stdout().match(pattern) ?? []).length;
  const says = (pattern, times = 1) =>
    until(() => count(pattern) >= times, 20000, `the terminal to show ${pattern}`);
  await says(/process \d+/g);
  const pid = Number(/process (\d+)/.exec(terminal.stdout())[1]);
  t.after(() => alive(pid) && process.kill(pid, 'SIGKILL'));
  await says(/capturing/g);
  for (const times of [1, 2]) {
    terminal.child.stdin.write('\x03');
    await says(/interrupted/g, times);
    process.kill(pid, 'SIGUSR2');
    await says(/asked/g, times);
  }
  assert.equal(count(/interrupted/g), 2);
  process.kill(pid, 'SIGTERM');
  exited(await terminal.done, 9);
});

test('under nohup a hang-up does not end the run', async (t) => {
  const sonde = new Sonde(t);
  const code = 'console.error("ready"); setInterval(() => {}, 1000)';
  const target = start(t, node(22), ['-e', code]);
  await target.says(/ready/); // a process that has just begun does not handle the signal yet
  const words = ['profile', '--duration', '3s', '--pid', String(target.pid)];
  const args = ['-c', 'trap "" HUP; exec "$@"', 'sh', bin, ...words, '--store', sonde.store];
  const running = start(t, 'sh', args);
  await running.says(/capturing/);
  running.child.kill('SIGHUP');
  exited(await running.done, 0);
});
