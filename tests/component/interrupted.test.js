// SPDX-License-Identifier: Apache-2.0
'use strict';

// Commands of the inspector interrupt the target wherever it is, also in the midst of Node's own
// timers: it goes on all the same. On each line of Node.js.

const assert = require('node:assert/strict');
const path = require('node:path');
const test = require('node:test');
const { Sonde, exited, profileRun, start } = require('./support/sonde.js');
const { alive, inspectorPort, lines, listens, node } = require('./support/target.js');
const { until } = require('./support/wait.js');

const app = path.join(__dirname, 'support/slow-timers-app.js');
const closeMilliseconds = 20000;
const captures = [
  { name: 'cpu', type: 'CPUProfile', durationSeconds: 1 },
  { name: 'loop', type: 'EventLoop', durationSeconds: 1 },
];

for (const line of lines) {
  test(`interrupted in the midst of a timer, Node.js ${line} goes on`, async (t) => {
    const target = start(t, node(line), [app]);
    await until(() => target.stdout().includes('ready'), 10000, 'the target');
    const sonde = new Sonde(t);
    const file = sonde.document('run.yaml', profileRun('timers', captures));
    exited(await sonde.run(['run', file, '--pid', String(target.pid)]), 0);
    const isClosed = async () => !alive(target.pid) || !(await listens(inspectorPort));
    await until(isClosed, closeMilliseconds, 'the inspector to be closed');
    assert.ok(alive(target.pid), target.stderr());
  });
}
