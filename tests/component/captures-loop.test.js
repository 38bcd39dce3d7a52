// SPDX-License-Identifier: Apache-2.0
'use strict';

// Coverage, event loop and report on each line of Node.js: what was planted is found, and the
// target is as it was before.

const assert = require('node:assert/strict');
const test = require('node:test');
const { app, functionOf, isAsBefore, startApp, take } = require('./support/captures.js');
const { Sonde, exited, temporary } = require('./support/sonde.js');
const { get, lines, load } = require('./support/target.js');
const { lineOf } = require('./support/source.js');

const secret = 'k1tt3n-0f-th3-d4y';

for (const line of lines) {
  test(`Node.js ${line}: coverage tells calls, and what was never called`, async (t) => {
    const target = await startApp(t, { line });
    const busy = load(t, target.port);
    const askLate = () => get(target.port, '/late');
    const { raw } = await take(t, target, 'coverage', ['--duration', '2s'], askLate);
    const answered = await busy.stop();
    // Of code that was compiled before, calls are not all counted.
    const calls = functionOf(raw, 'keepMemory').ranges[0].count;
    assert.ok(calls >= 1 && calls <= answered + 2, `${calls} calls, ${answered} answers`);
    assert.equal(functionOf(raw, 'late').ranges[0].count, 1);
    assert.ok(functionOf(raw, 'late').ranges.some((range) => range.count === 0));
    assert.equal(functionOf(raw, 'neverCalledInside').ranges[0].count, 0);
    // The engine leaves out what was not called when nothing around it was.
    assert.equal(functionOf(raw, 'neverCalled')?.ranges[0].count ?? 0, 0);
    await isAsBefore(target);
  });

  test(`Node.js ${line}: a stall of the loop has its length and its stack`, async (t) => {
    const target = await startApp(t, { line });
    const block = async () => {
      for (const milliseconds of [200, 20, 400]) {
        await get(target.port, `/block?ms=${milliseconds}`);
      }
    };
    const { raw } = await take(t, target, 'eventloop', ['--duration', '4s'], block);
    // A machine that does other things may add stalls, but not take any away.
    const inBlock = raw.stalls.filter(({ stack }) =>
      stack.some((index) => raw.frames[index].function === 'blockLoop'),
    );
    const planted = [200, 400].map((milliseconds) =>
      inBlock.find((one) => one.milliseconds > milliseconds - 15),
    );
    assert.ok(planted[0] && planted[1], JSON.stringify(raw.stalls));
    const shortest = Math.min(...raw.stalls.map((one) => one.milliseconds));
    assert.ok(shortest >= raw.stallThresholdMilliseconds);
    const frame = raw.frames.find((one) => one.function === 'blockLoop');
    assert.equal(frame.line, lineOf(app, 'function blockLoop('));
    assert.ok(raw.delay.delayMaxMilliseconds > 385);
    assert.ok(raw.seconds.length >= 2 && raw.seconds.length <= 5);
    const sum = raw.seconds.reduce((all, one) => all + one.milliseconds, 0);
    assert.ok(Math.abs(sum - raw.milliseconds) < 5, `${sum} of ${raw.milliseconds} ms`);
    assert.ok(raw.utilization > 0.1 && raw.utilization < 0.9, `utilization ${raw.utilization}`);
    assert.ok(raw.seconds.some((one) => one.utilization > 0.15));
    await isAsBefore(target);
  });

  test(`Node.js ${line}: a report without secrets`, async (t) => {
    const target = await startApp(t, {
      line,
      scriptArgs: ['--password', secret, `--db=mysql://app:${secret}@db/clinic`],
      env: { DATABASE_PASSWORD: secret, DATABASE_URL: `mysql://app:${secret}@db/clinic` },
    });
    const { raw } = await take(t, target, 'report', []);
    assert.equal(raw.header.processId, target.pid);
    assert.match(raw.header.nodejsVersion, new RegExp(`^v${line}\\.`));
    assert.ok(raw.libuv.length > 0);
    const text = JSON.stringify(raw);
    assert.ok(!text.includes(secret) && !text.includes('DATABASE'), 'a secret in the report');
    assert.ok(!text.includes('environmentVariables') && !text.includes('127.0.0.1'));
    await isAsBefore(target);
  });
}

test('an application that counts its coverage itself is left alone', async (t) => {
  const directory = temporary(t);
  const target = await startApp(t, { env: { NODE_V8_COVERAGE: directory } });
  const sonde = new Sonde(t);
  const result = await sonde.run(['profile', '--type', 'coverage', '--pid', String(target.pid)]);
  exited(result, 1);
  assert.match(result.stderr, /sonde: InspectorBusy: .*NODE_V8_COVERAGE/);
  await isAsBefore(target);
});

test('a stall that is under way when a window ends has its stack', async (t) => {
  const target = await startApp(t);
  const block = () => get(target.port, '/block?ms=7000');
  const { raw } = await take(t, target, 'eventloop', ['--duration', '9s'], block);
  const [longest] = raw.stalls.toSorted((a, b) => b.milliseconds - a.milliseconds);
  assert.ok(longest.milliseconds > 6900, `${longest.milliseconds} ms`);
  assert.ok(longest.stack.some((index) => raw.frames[index].function === 'blockLoop'));
  assert.ok(longest.samples > 50);
  await isAsBefore(target);
});
