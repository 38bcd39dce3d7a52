// SPDX-License-Identifier: Apache-2.0
'use strict';

// Threads that wait in Atomics.wait: V8 samples them in the function that called, as if it ran.

const assert = require('node:assert/strict');
const path = require('node:path');
const test = require('node:test');
const { Sonde, exited } = require('./support/sonde.js');
const { get, startTarget } = require('./support/target.js');

const script = path.join(__dirname, 'support/waits-app.js');
const seconds = 6;

// The report of a CPU profile of all threads, and the application's own times meanwhile.
async function take(t, { line, waits }) {
  const target = await startTarget(t, { line, script, env: { WAITS: waits } });
  const sonde = new Sonde(t);
  const all = ['profile', '--workers', 'all', '--duration', `${seconds}s`];
  const running = sonde.start([...all, '--pid', String(target.pid)]);
  await running.says(/capturing/);
  const before = await get(target.port, '/times');
  exited(await running.done, 0);
  const after = await get(target.port, '/times');
  const [capture] = (await sonde.report()).captures;
  const milliseconds = (name) =>
    capture.functions.find((one) => one.function === name)?.totalMilliseconds ?? 0;
  return {
    capture,
    times: { worked: after.worked - before.worked, waited: after.waited - before.waited },
    milliseconds,
    findings: capture.findings.map((one) => one.title).join('; '),
  };
}

function assertNear(value, expected, tolerance, what) {
  assert.ok(Math.abs(value - expected) < tolerance, `${what}: ${value} instead of ${expected}`);
}

for (const line of [18, 20, 22, 24]) {
  test(`Node.js ${line}: a worker thread that waits for work is idle`, async (t) => {
    const { capture, times, milliseconds, findings } = await take(t, { line, waits: 'workers' });
    // The engine may count what it has inlined as its caller's.
    const worked = Math.max(milliseconds('burn'), milliseconds('workAndWait'));
    assertNear(worked, times.worked, times.worked / 4, 'milliseconds of work');
    assert.match(findings, /spent in (?:burn|workAndWait)/);
    for (const name of ['waitForWork', 'waitForEver']) {
      assert.ok(milliseconds(name) < worked / 10, `${name}: ${milliseconds(name)} ms`);
    }
    assert.doesNotMatch(findings, /waitFor/);
    // Of three threads one works.
    const busy = times.worked / (times.worked + times.waited) / 3;
    assertNear(capture.busyShare, busy, 0.1, 'busyShare');
  });
}

test('a main thread that waits is busy: nobody is served meanwhile', async (t) => {
  const taken = await take(t, { line: 22, waits: 'main' });
  const { capture, times, milliseconds, findings } = taken;
  assert.ok(times.waited > 0.3 * seconds * 1000, `${times.waited} ms`);
  assertNear(milliseconds('waitForWork'), times.waited, times.waited / 4, 'milliseconds');
  assert.match(findings, /spent in waitForWork/);
  assert.ok(capture.busyShare > 0.3, `busyShare ${capture.busyShare}`);
});

test('a thread that cannot say which one it is: its samples count as they are', async (t) => {
  const { milliseconds } = await take(t, { line: 22, waits: 'unknown' });
  assert.ok(
    milliseconds('waitForEver') > 0.7 * seconds * 1000,
    `${milliseconds('waitForEver')} ms`,
  );
});
