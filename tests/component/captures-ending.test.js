// SPDX-License-Identifier: Apache-2.0
'use strict';

// Whatever happens to us, and however hard the application is on us: the target is as before.

const assert = require('node:assert/strict');
const test = require('node:test');
const { isAsBefore, startApp, startLong, take } = require('./support/captures.js');
const { exited } = require('./support/sonde.js');
const { get, profilerRuns } = require('./support/target.js');
const { until } = require('./support/wait.js');

const marks = { heap: 'samplesAllocations', coverage: 'countsPrecisely' };

for (const [type, mark] of Object.entries(marks)) {
  const isMarked = async (target) => (await get(target.port, '/state'))[mark];

  test(`we are killed while we capture ${type}: it ends in the target`, async (t) => {
    const target = await startApp(t, { args: ['--allow-natives-syntax'] });
    const { running } = await startLong(t, target, type);
    await until(() => isMarked(target), 10000, 'the capture');
    running.child.kill('SIGKILL');
    await isAsBefore(target);
  });

  test(`we are stopped while we capture ${type}: it ends in the target`, async (t) => {
    const target = await startApp(t, { args: ['--allow-natives-syntax'] });
    const { sonde, running } = await startLong(t, target, type);
    await until(() => isMarked(target), 10000, 'the capture');
    running.child.kill('SIGSTOP');
    await until(async () => !(await isMarked(target)), 10000, 'the capture to end');
    running.child.kill('SIGCONT');
    exited(await running.done, 1);
    assert.equal((await sonde.report()).reason, 'InspectorLost');
    await isAsBefore(target);
  });

  test(`${type} is cancelled: what was captured is kept`, async (t) => {
    const target = await startApp(t);
    const { sonde, running } = await startLong(t, target, type);
    running.child.kill('SIGTERM');
    exited(await running.done, 1);
    assert.equal((await sonde.report()).state, 'Cancelled');
    await sonde.json(['export', 'last', '--capture', type, '--format', 'raw']);
    await isAsBefore(target);
  });
}

// Whether garbage is collected for somebody who follows allocations by time.
async function isFollowed(target) {
  const count = async () => (await get(target.port, '/collections')).collections;
  const before = await count();
  const end = Date.now() + 1000;
  return until(async () => (await count()) > before + 2 || Date.now() > end, 5000, 'a second').then(
    async () => (await count()) > before + 2,
  );
}

test('we are killed while we follow allocations by time: it ends in the target', async (t) => {
  const target = await startApp(t);
  const { running } = await startLong(t, target, 'timeline');
  await until(() => isFollowed(target), 20000, 'collections');
  running.child.kill('SIGKILL');
  await until(async () => !(await isFollowed(target)), 20000, 'no more collections');
  await isAsBefore(target);
});

test('we are killed while we watch the loop: everything is taken out', async (t) => {
  const target = await startApp(t);
  const { running } = await startLong(t, target, 'eventloop');
  assert.ok(profilerRuns(target.pid));
  running.child.kill('SIGKILL');
  await isAsBefore(target);
  await until(() => !profilerRuns(target.pid), 10000, 'the profiler to end');
});

const types = ['cpu', 'heap', 'timeline', 'coverage', 'eventloop', 'report'];

for (const mode of ['own-prepare-stack-trace', 'frozen', 'many-functions']) {
  test(`an application that is hard on a probe: ${mode}`, async (t) => {
    const target = await startApp(t, { mode });
    for (const type of types) {
      await take(t, target, type, type === 'report' ? [] : ['--duration', '1s']);
      await isAsBefore(target);
    }
  });
}
