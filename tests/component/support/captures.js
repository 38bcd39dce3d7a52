// SPDX-License-Identifier: Apache-2.0
'use strict';

// Captures of captures-app.js, in which something is planted for each type.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Sonde, exited, temporary } = require('./sonde.js');
const { get, inspectorPort, listens, startTarget } = require('./target.js');
const { until } = require('./wait.js');

const app = path.join(__dirname, 'captures-app.js');

async function startApp(t, { line = 22, mode = '', args = [], scriptArgs = [], env = {} } = {}) {
  const target = await startTarget(t, {
    line,
    script: app,
    args,
    scriptArgs,
    env: { CAPTURES_APP: mode, ...env },
  });
  await get(target.port, '/state'); // leaves things behind that are Node's own
  target.before = await get(target.port, '/state');
  return target;
}

async function isAsBefore(target, milliseconds = 10000) {
  await until(async () => !(await listens(inspectorPort)), milliseconds, 'the inspector to close');
  assert.deepEqual(await get(target.port, '/state'), target.before);
}

// The application in a directory of its own, by which alone it is matched.
function copyOfApp(t) {
  const script = path.join(temporary(t, 'sonde-app-'), path.basename(app));
  fs.copyFileSync(app, script);
  return script;
}

// Takes one capture of the type, and returns what it gave. `meanwhile` is called once it runs.
async function take(t, target, type, more = ['--duration', '2s'], meanwhile = null) {
  const sonde = new Sonde(t);
  const args = ['profile', '--type', type, '--pid', String(target.pid), ...more];
  const running = sonde.start(args);
  if (meanwhile) {
    await running.says(/capturing/);
    await meanwhile();
  }
  const result = await running.done;
  exited(result, 0);
  const raw = await sonde.json(['export', 'last', '--capture', type, '--format', 'raw']);
  return { sonde, result, raw };
}

// Starts a capture of a minute, and waits until it runs.
async function startLong(t, target, type) {
  const sonde = new Sonde(t);
  const args = ['profile', '--type', type, '--duration', '1m', '--pid', String(target.pid)];
  const running = sonde.start(args);
  await running.says(/capturing/);
  return { sonde, running };
}

function functionOf(coverage, name) {
  const script = coverage.result.find((one) => one.url.endsWith('/captures-app.js'));
  return script.functions.find((one) => one.functionName === name);
}

module.exports = { app, copyOfApp, functionOf, isAsBefore, startApp, startLong, take };
