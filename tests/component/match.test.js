// SPDX-License-Identifier: Apache-2.0
'use strict';

// Which process is meant: by pid, by what a person types, or one that is started.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Sonde, bin, exited, start, temporary } = require('./support/sonde.js');
const {
  alive,
  app,
  environment,
  get,
  node,
  startTarget,
  writtenPort,
} = require('./support/target.js');

// A copy of the service in a directory of its own, so that no other process has its name.
function ownScript(t, name) {
  const directory = temporary(t, 'sonde-match-');
  const script = path.join(directory, `${name}.js`);
  fs.writeFileSync(script, `require(${JSON.stringify(app)});\n`);
  return script;
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

test('standard output may be closed', async (t) => {
  const sonde = new Sonde(t);
  const command = `"${bin}" --help | head -n 1; "${bin}" runs --store "${sonde.store}" | true`;
  const result = await start(t, 'bash', ['-c', `set -o pipefail; ${command}`]).done;
  assert.doesNotMatch(result.stderr, /sonde:/);
});
