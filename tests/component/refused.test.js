// SPDX-License-Identifier: Apache-2.0
'use strict';

// Processes that cannot be profiled: a clear reason, and they are left alone.

const assert = require('node:assert/strict');
const test = require('node:test');
const { Sonde, exited, profileAsNobody, start } = require('./support/sonde.js');
const { alive, inspectorPort, listens, startTarget } = require('./support/target.js');

const notRoot = process.getuid() !== 0 && 'needs root to become another user';

function profile(sonde, pid, duration = '1s') {
  return sonde.run(['profile', '--pid', String(pid), '--duration', duration]);
}

async function wasNotSignalled(target) {
  assert.doesNotMatch(target.process.stderr(), /Debugger/);
  assert.ok(!(await listens(inspectorPort)));
  assert.ok((await target.get('/')).ok);
}

test("another user's process: UidMismatch", { skip: notRoot }, async (t) => {
  const target = await startTarget(t);
  const result = await profileAsNobody(t, target.pid);
  exited(result, 1);
  assert.match(result.stderr, /sonde: UidMismatch: .*user 0.*user 65534\n {2}Run as that user/);
  await wasNotSignalled(target);
});

test('a process that is not Node.js: TargetNotNode, not signalled', async (t) => {
  const sleeper = start(t, 'sleep', ['600']);
  const result = await profile(new Sonde(t), sleeper.pid);
  exited(result, 1);
  assert.match(
    result.stderr,
    new RegExp(`sonde: TargetNotNode: process ${sleeper.pid} \\(sleep\\)`),
  );
  // SIGUSR1 would have ended it.
  assert.ok(alive(sleeper.pid));
});

for (const line of [24, 26]) {
  test(`Node.js ${line} with --disable-sigusr1: SignalNotHandled`, async (t) => {
    const target = await startTarget(t, { line, args: ['--disable-sigusr1'] });
    const result = await profile(new Sonde(t), target.pid);
    exited(result, 1);
    assert.match(result.stderr, /sonde: SignalNotHandled: .*\n {2}Start it without/);
    await wasNotSignalled(target);
    await target.isAsBefore();
  });
}

test('what the remedy says: --disable-sigusr1 with --inspect', async (t) => {
  const args = ['--disable-sigusr1', '--inspect=127.0.0.1:9229'];
  const target = await startTarget(t, { line: 24, args });
  exited(await profile(new Sonde(t), target.pid), 0);
  await target.isAsBefore();
});

const permission = { 22: '--experimental-permission', 24: '--permission', 26: '--permission' };

for (const [line, flag] of Object.entries(permission)) {
  test(`Node.js ${line} with ${flag}: SignalNotHandled`, async (t) => {
    const net = line === '26' ? ['--allow-net'] : [];
    const target = await startTarget(t, { line, args: [flag, '--allow-fs-read=*', ...net] });
    const result = await profile(new Sonde(t), target.pid);
    exited(result, 1);
    assert.match(result.stderr, /sonde: SignalNotHandled: .*\n {2}Start it .*without --permission/);
    await wasNotSignalled(target);
    await target.isAsBefore();
  });
}

test('an own SIGUSR1 handler: InspectorDidNotOpen, signalled once', async (t) => {
  const target = await startTarget(t, { env: { APP_SIGUSR1: 'count' } });
  const result = await profile(new Sonde(t), target.pid);
  exited(result, 1);
  const expected = `sonde: InspectorDidNotOpen: process ${target.pid} was signalled.*\n  Remove`;
  assert.match(result.stderr, new RegExp(expected));
  assert.ok(result.milliseconds < 25000);
  assert.equal((await target.get('/state')).signals, 1);
  await target.isAsBefore();
});

test("9229 is another process's: InspectorBusy names it, neither is touched", async (t) => {
  const other = await startTarget(t, { args: ['--inspect'] });
  const target = await startTarget(t);
  const result = await profile(new Sonde(t), target.pid);
  exited(result, 1);
  const expected = `sonde: InspectorBusy: .*9229.*process ${target.pid} .*process ${other.pid}\\n`;
  assert.match(result.stderr, new RegExp(expected));
  assert.doesNotMatch(target.process.stderr(), /Debugger|address already in use/);
  assert.doesNotMatch(other.process.stderr(), /attached/);
  await target.isAsBefore();
  await other.isAsBefore();
});

test('what the remedy says: --inspect-port=0 beside a process on 9229', async (t) => {
  const other = await startTarget(t, { args: ['--inspect'] });
  const target = await startTarget(t, { args: ['--inspect-port=0'] });
  const sonde = new Sonde(t);
  exited(await profile(sonde, target.pid), 0);
  assert.equal((await sonde.report()).target, `process ${target.pid}`);
  await target.isAsBefore();
  await other.isAsBefore();
});

for (const port of [inspectorPort, 9230]) {
  test(`an inspector that was open on port ${port} is used and left open`, async (t) => {
    const target = await startTarget(t, { args: [`--inspect=127.0.0.1:${port}`] });
    const sonde = new Sonde(t);
    exited(await profile(sonde, target.pid), 0);
    assert.equal((await sonde.report()).state, 'Succeeded');
    const { inspectorUrl } = await target.get('/state');
    assert.equal(inspectorUrl, target.before.inspectorUrl);
    assert.ok(await listens(port));
    await target.isAsBefore();
  });
}
