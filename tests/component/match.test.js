// SPDX-License-Identifier: Apache-2.0
'use strict';

// Which process is meant: by pid, by what a person types, or one that is started.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Sonde, bin, exited, start, temporary } = require('./support/sonde.js');
const { Target, alive, app, get, load, node, startTarget } = require('./support/target.js');
const { until } = require('./support/wait.js');

// A copy of the service in a directory of its own, so that no other process has its name.
function ownScript(t, name) {
  const directory = temporary(t, 'sonde-match-');
  const script = path.join(directory, `${name}.js`);
  fs.writeFileSync(script, `require(${JSON.stringify(app)});\n`);
  return script;
}

function environment(portFile) {
  const env = { ...process.env, NODE_OPTIONS: '', APP_PORT_FILE: portFile };
  delete env.NODE_TEST_CONTEXT;
  return env;
}

async function writtenPort(portFile) {
  await until(() => fs.existsSync(portFile), 20000, 'the service to listen');
  return Number(fs.readFileSync(portFile, 'utf8'));
}

test('--match takes a script, its name, its directory and its port', async (t) => {
  const script = ownScript(t, 'matched-service');
  const target = await startTarget(t, { script });
  const sonde = new Sonde(t);
  const patterns = [
    script,
    'matched-service.js',
    'matched-service',
    path.dirname(script),
    String(target.port),
    `:${target.port}`,
  ];
  for (const pattern of patterns) {
    const args = ['profile', '--match', pattern, '--duration', '1s', '--output', 'json'];
    const result = await sonde.run(args);
    exited(result, 0);
    assert.equal(JSON.parse(result.stdout).runs[0].target, `process ${target.pid}`, pattern);
  }
});

test('two candidates: both are listed, neither is touched', async (t) => {
  const script = ownScript(t, 'twin-service');
  const twins = [await startTarget(t, { script }), await startTarget(t, { script })];
  const sonde = new Sonde(t);
  const result = await sonde.run(['profile', '--match', 'twin-service', '--duration', '1s']);
  exited(result, 2);
  assert.match(result.stderr, /^sonde: TargetAmbiguous: 2 processes match:\n/);
  for (const twin of twins) {
    const line = new RegExp(`^ {2}${twin.pid} +${script}  :${twin.port}`, 'm');
    assert.match(result.stderr, line);
    assert.doesNotMatch(twin.process.stderr(), /Debugger/);
  }
  assert.match(result.stderr, /--pid/);
  assert.deepEqual(await sonde.runs(), []);
});

test('nothing matches: exit code 3', async (t) => {
  const sonde = new Sonde(t);
  const result = await sonde.run(['profile', '--match', 'no-such-service', '--duration', '1s']);
  exited(result, 3);
  assert.match(result.stderr, /^sonde: TargetNotFound: .*"no-such-service"\n {2}\S/);
});

test('a process that has ended: exit code 3', async (t) => {
  const ended = start(t, process.execPath, ['-e', '']);
  await ended.done;
  const result = await new Sonde(t).run(['profile', '--pid', String(ended.pid)]);
  exited(result, 3);
  assert.match(result.stderr, new RegExp(`sonde: TargetNotFound: .*${ended.pid}`));
});

test('npm start gives way to the service that it started', async (t) => {
  const script = ownScript(t, 'npm-service');
  const directory = path.dirname(script);
  const manifest = { name: 'npm-service', scripts: { start: `"${node(22)}" npm-service.js` } };
  fs.writeFileSync(path.join(directory, 'package.json'), JSON.stringify(manifest));
  const portFile = path.join(directory, 'port');
  const npm = start(t, 'npm', ['start', '--no-update-notifier'], {
    cwd: directory,
    env: environment(portFile),
  });
  const port = await writtenPort(portFile);
  const { pid } = await get(port, '/state');
  t.after(() => alive(pid) && process.kill(pid, 'SIGKILL'));
  assert.notEqual(pid, npm.pid);
  const args = ['profile', '--match', 'npm-service', '--duration', '1s', '--output', 'json'];
  const result = await new Sonde(t).run(args);
  exited(result, 0);
  assert.equal(JSON.parse(result.stdout).runs[0].target, `process ${pid}`);
  assert.ok(alive(npm.pid));
});

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
  // So much work that a report must show it.
  await until(async () => (await target.get('/state')).requests > 50, 20000, 'requests');
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

test('standard output may be closed', async (t) => {
  const sonde = new Sonde(t);
  const command = `"${bin}" --help | head -n 1; "${bin}" runs --store "${sonde.store}" | true`;
  const result = await start(t, 'bash', ['-c', `set -o pipefail; ${command}`]).done;
  assert.doesNotMatch(result.stderr, /sonde:/);
});
