// SPDX-License-Identifier: Apache-2.0
'use strict';

// What goes wrong during a capture: on the target's side, on ours, and in what the target says.

const assert = require('node:assert/strict');
const path = require('node:path');
const test = require('node:test');
const { Sonde, exited, profileRun } = require('./support/sonde.js');
const {
  alive,
  get,
  inspectorPort,
  listens,
  load,
  profilerRuns,
  startTarget,
  watch,
} = require('./support/target.js');
const { until } = require('./support/wait.js');

const fake = path.join(__dirname, 'support/fake-inspector.js');
const longestAnswerMilliseconds = 500;
const windows = [{ name: 'cpu', durationSeconds: 60, windowSeconds: 1 }];

// Answers of an inspector until the probe is in and the first window runs, and until the first
// window of a second has ended.
const answersToCapture = 8;
const answersToSecondWindow = 10;

async function startFake(t, mode, after, env = {}) {
  return startTarget(t, { script: fake, env: { MODE: mode, AFTER: String(after), ...env } });
}

function startRun(t, target, captures = windows, spec = {}) {
  const sonde = new Sonde(t);
  const file = sonde.document('run.yaml', profileRun('trouble', captures, spec));
  const running = sonde.start(['run', file, '--pid', String(target.pid)]);
  return { sonde, running };
}

// Waits until so many windows lie in the store, which is asked while it is being written.
async function windowsKept(sonde, running, count) {
  await until(
    async () => {
      const { exitCode, signalCode } = running.child;
      assert.equal(exitCode ?? signalCode, null, `it ended: ${running.stderr()}`);
      const result = await sonde.run(['report', 'last', '--format', 'json']);
      if (result.code !== 0) {
        return false;
      }
      const [capture] = JSON.parse(result.stdout).captures ?? [];
      return capture !== undefined && capture.windows >= count;
    },
    30000,
    `${count} windows in the store`,
  );
}

const hostile = [
  { mode: 'wrong-id', after: answersToCapture, reason: 'ProtocolViolated' },
  { mode: 'wrong-id', after: 0, reason: 'ProtocolViolated' },
  { mode: 'huge-frame', after: answersToCapture, reason: 'InspectorLost' },
  { mode: 'huge-frame', after: 0, reason: 'InspectorLost' },
  { mode: 'deep-nesting', after: answersToCapture, reason: 'ProtocolViolated' },
  { mode: 'invalid-utf8', after: answersToCapture, reason: '(ProtocolViolated|InspectorLost)' },
  { mode: 'malformed', after: answersToCapture, reason: 'ProtocolViolated' },
  { mode: 'no-object', after: answersToCapture, reason: 'ProtocolViolated' },
  { mode: 'large-answer', after: answersToCapture, reason: 'ProtocolViolated' },
  { mode: 'answers-twice', after: answersToCapture, reason: 'ProtocolViolated' },
  { mode: 'drop', after: answersToCapture, reason: 'InspectorLost' },
  { mode: 'wrong-pid', after: 0, reason: 'InspectorBusy' },
  { mode: 'garbage', after: 0, reason: 'ProtocolViolated' },
  { mode: 'elsewhere-list', after: 0, reason: 'ProtocolViolated' },
  { mode: 'endless-list', after: 0, reason: '(ProtocolViolated|InspectorDidNotOpen)' },
  { mode: 'empty-list', after: 0, reason: 'ProtocolViolated' },
];

for (const { mode, after, reason } of hostile) {
  test(`an inspector that is none: ${mode} after ${after} answers`, async (t) => {
    const target = await startFake(t, mode, after);
    const { sonde, running } = startRun(t, target);
    const result = await running.done;
    exited(result, 1);
    assert.match(result.stderr, new RegExp(`sonde: ${reason}: .*\\n  \\S`));
    assert.ok(result.milliseconds < 10000, `took ${result.milliseconds} ms`);
    const [run] = await sonde.runs();
    assert.equal(run.state, 'Failed');
    assert.match(run.reason, new RegExp(`^${reason}$`));
    assert.ok(alive(target.pid));
  });
}

test('a profile that makes no sense is no crash', async (t) => {
  const target = await startFake(t, 'bad-profile', 0);
  const captures = [{ name: 'cpu', durationSeconds: 1 }];
  const { sonde, running } = startRun(t, target, captures);
  const result = await running.done;
  assert.equal(result.signal, null);
  exited(result, 1);
  assert.match(result.stderr, /sonde: .*cpu/);
  assert.equal((await sonde.runs()).length, 1);
});

test('a profile after the last capture: ProtocolViolated, no crash', async (t) => {
  const target = await startFake(t, 'late-profile', 0);
  const { sonde, running } = startRun(t, target, [{ name: 'cpu', durationSeconds: 1 }]);
  exited(await running.done, 1);
  assert.equal((await sonde.report()).reason, 'ProtocolViolated');
});

test('numbers beyond all bounds: the report can be read', async (t) => {
  const target = await startFake(t, 'infinite', 0);
  const { sonde, running } = startRun(t, target, [{ name: 'cpu', durationSeconds: 1 }]);
  exited(await running.done, 0);
  assert.equal((await sonde.report()).cost.startStallMilliseconds, 0);
});

test('cancelled while the last capture ends: the probe is taken out all the same', async (t) => {
  const target = await startFake(t, 'slow-disable', 0);
  const { running } = startRun(t, target, [{ name: 'cpu', durationSeconds: 1 }]);
  const said = () => target.process.stderr();
  await until(() => /Profiler\.disable/.test(said()), 20000, 'the end of the capture');
  running.child.kill('SIGTERM');
  await running.done;
  assert.match(said(), /finish\(\)/);
  assert.equal(said().match(/rotate\('',/g).length, 1);
});

// Node.js may die of an answer to a client that has hung up.
test('the last answer comes late: it is waited for, and nothing is asked meanwhile', async (t) => {
  const target = await startFake(t, 'slow-finish', 0);
  const { running } = startRun(t, target, [{ name: 'cpu', durationSeconds: 1 }]);
  exited(await running.done, 0);
  const said = target.process.stderr();
  assert.match(said, /finish is answered/);
  assert.doesNotMatch(said.slice(said.indexOf('finish()')), /beat\(\)/);
});

test('an inspector that stops answering: InspectorLost, the windows before are kept', async (t) => {
  const target = await startFake(t, 'silent', answersToSecondWindow);
  const { sonde, running } = startRun(t, target);
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /sonde: InspectorLost: .*has not answered for 30 s\n {2}\S/);
  assert.ok(result.milliseconds < 60000);
  const report = await sonde.report();
  assert.equal(report.reason, 'InspectorLost');
  assert.equal(report.captures[0].windows, 1);
  assert.ok(report.captures[0].functions.some((one) => one.function === 'faked'));
});

test('an inspector that does not close: InspectorLeftOpen, the capture is kept', async (t) => {
  const target = await startFake(t, 'open-for-ever', 0);
  const { sonde, running } = startRun(t, target, [{ name: 'cpu', durationSeconds: 1 }]);
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /sonde: InspectorLeftOpen: port 9229/);
  const report = await sonde.report();
  assert.equal(report.reason, 'InspectorLeftOpen');
  assert.equal(report.captures[0].windows, 1);
});

test('the target is killed: TargetExited, the windows before are kept', async (t) => {
  const target = await startTarget(t);
  load(t, target.port);
  const { sonde, running } = startRun(t, target);
  await windowsKept(sonde, running, 1);
  process.kill(target.pid, 'SIGKILL');
  const killed = Date.now();
  const result = await running.done;
  assert.ok(Date.now() - killed < 3000);
  exited(result, 1);
  assert.match(result.stderr, /sonde: TargetExited: /);
  assert.match(result.stdout, /hotSpot/);
  const report = await sonde.report();
  assert.equal(report.state, 'Failed');
  assert.equal(report.reason, 'TargetExited');
  assert.ok(report.captures[0].windows >= 1);
});

test('a synchronous loop of 5 s: the run is completed, and the stall is named', async (t) => {
  const target = await startTarget(t);
  const captures = [{ name: 'cpu', durationSeconds: 6, windowSeconds: 1 }];
  const { sonde, running } = startRun(t, target, captures);
  await running.says(/capturing cpu/);
  await target.get('/block?ms=5000');
  exited(await running.done, 0);
  const report = await sonde.report();
  assert.equal(report.state, 'Succeeded');
  const longest = Math.max(...report.captures[0].stalls.map((stall) => stall.milliseconds));
  assert.ok(longest > 4000, `the longest stall seen is ${longest} ms`);
  const block = report.captures[0].functions.find((one) => one.function === 'block');
  assert.ok(block.totalShare > 0.8);
  await target.isAsBefore();
});

test('a loop that is busy when the signal comes: attached afterwards', async (t) => {
  const target = await startTarget(t);
  const blocked = target.get('/block?ms=3000');
  const { running } = startRun(t, target, [{ name: 'cpu', durationSeconds: 1 }]);
  exited(await running.done, 0);
  await blocked;
  await target.isAsBefore();
});

// The target must answer while `act` happens to our program and until it is as it was before.
async function answersThroughout(t, act) {
  const target = await startTarget(t);
  const watched = watch(t, target);
  const { sonde, running } = startRun(t, target);
  await windowsKept(sonde, running, 1);
  assert.ok(profilerRuns(target.pid));
  assert.ok(await listens(inspectorPort));
  const result = await act(running, target, sonde);
  await target.isAsBefore();
  assert.ok(!profilerRuns(target.pid));
  assert.ok(!(await listens(inspectorPort)));
  const longest = watched.stop();
  assert.ok(longest < longestAnswerMilliseconds, `an answer took ${longest} ms`);
  await target.isAtFullSpeed();
  return result;
}

test('we are killed: the target is as before within 10 s and answers throughout', async (t) => {
  await answersThroughout(t, async (running, _target, sonde) => {
    running.child.kill('SIGKILL');
    await running.done;
    const report = await sonde.report();
    assert.ok(report.captures[0].windows >= 1);
  });
});

test('we are stopped and go on: a clear error, and the target answers throughout', async (t) => {
  await answersThroughout(t, async (running, target) => {
    running.child.kill('SIGSTOP');
    await until(() => !profilerRuns(target.pid), 10000, 'the profiler to end');
    running.child.kill('SIGCONT');
    const result = await running.done;
    exited(result, 1);
    assert.match(result.stderr, /sonde: InspectorLost: .*no beat came for 5 s.*stopped/);
  });
});

test('we are stopped, then killed: the target is as before within 10 s', async (t) => {
  await answersThroughout(t, async (running, target) => {
    running.child.kill('SIGSTOP');
    await until(() => !profilerRuns(target.pid), 10000, 'the profiler to end');
    running.child.kill('SIGKILL');
    await running.done;
  });
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`${signal}: Cancelled, and what was captured is kept`, async (t) => {
    const target = await startTarget(t);
    const busy = load(t, target.port);
    const { sonde, running } = startRun(t, target);
    await windowsKept(sonde, running, 1);
    running.child.kill(signal);
    const result = await running.done;
    await busy.stop();
    exited(result, 1);
    assert.match(result.stderr, /sonde: Cancelled: /);
    const report = await sonde.report();
    assert.equal(report.state, 'Cancelled');
    // The window that was under way is kept too.
    assert.ok(report.captures[0].windows >= 2);
    // Of a second or two, on a machine without CPU left, the samples are few.
    const first = report.captures[0].functions.slice(0, 2).map((row) => row.function);
    assert.ok(first.includes('hotSpot'), first.join(', '));
    await target.isAsBefore();
  });
}

test('activeDeadlineSeconds passes: DeadlineExceeded', async (t) => {
  // Its own handler of SIGUSR1 keeps the inspector from opening, so that the time passes.
  const target = await startTarget(t, { env: { APP_SIGUSR1: 'count' } });
  const captures = [{ name: 'cpu', durationSeconds: 1 }];
  const { sonde, running } = startRun(t, target, captures, { activeDeadlineSeconds: 10 });
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /sonde: DeadlineExceeded: .*\n {2}Raise spec\.activeDeadlineSeconds/);
  // The inspector that was asked for is awaited, so that it does not open behind our back.
  assert.ok(result.milliseconds >= 10000 && result.milliseconds < 20000);
  assert.equal((await sonde.report()).reason, 'DeadlineExceeded');
  await target.isAsBefore();
});

test('a profile of the application itself goes on, and is not taken for ours', async (t) => {
  const script = path.join(__dirname, 'support/own-profile.js');
  const target = await startTarget(t, { script });
  const { sonde, running } = startRun(t, target, [{ name: 'cpu', durationSeconds: 2 }]);
  await running.says(/capturing cpu/);
  await get(target.port, '/start');
  exited(await running.done, 0);
  assert.deepEqual(
    (await sonde.report()).captures.map((capture) => [capture.name, capture.windows]),
    [['cpu', 1]],
  );
  assert.ok((await get(target.port, '/stop')).nodes > 1);
});
