// SPDX-License-Identifier: Apache-2.0
'use strict';

// Allocations on each line of Node.js: what was planted is found, and the target is as it was before.

const assert = require('node:assert/strict');
const test = require('node:test');
const { isAsBefore, startApp, take } = require('./support/captures.js');
const { Sonde, exited } = require('./support/sonde.js');
const { get, lines, load } = require('./support/target.js');

// Its V8 can count objects that were collected meanwhile.
const firstWithCollected = 20;

// Of a heap profile: the bytes of all nodes with that function's name.
function bytesOf(node, name) {
  const below = node.children.map((child) => bytesOf(child, name)).reduce((a, b) => a + b, 0);
  const own = node.callFrame.functionName === name ? node.selfSize : 0;
  return own + below;
}

for (const line of lines) {
  test(`Node.js ${line}: what lives is found where it was allocated`, async (t) => {
    const target = await startApp(t, { line });
    const busy = load(t, target.port);
    const { raw } = await take(t, target, 'heap');
    await busy.stop();
    assert.ok(bytesOf(raw.head, 'keepMemory') > 1e6, `${bytesOf(raw.head, 'keepMemory')} bytes`);
    assert.ok(bytesOf(raw.head, 'dropMemory') < bytesOf(raw.head, 'keepMemory') / 4);
    await isAsBefore(target);
  });

  test(`Node.js ${line}: what was freed is found, too, when it is asked for`, async (t) => {
    const target = await startApp(t, { line });
    if (line < firstWithCollected) {
      const sonde = new Sonde(t);
      const args = ['profile', '--type', 'allocations', '--pid', String(target.pid)];
      const result = await sonde.run(args);
      exited(result, 1);
      assert.match(result.stderr, /sonde: Unsupported: .*Node\.js 20/);
      await isAsBefore(target);
      return;
    }
    const busy = load(t, target.port);
    const { raw } = await take(t, target, 'allocations');
    await busy.stop();
    assert.ok(bytesOf(raw.head, 'dropMemory') > bytesOf(raw.head, 'keepMemory'));
    await isAsBefore(target);
  });

  test(`Node.js ${line}: what lives is told by when it was allocated`, async (t) => {
    const target = await startApp(t, { line });
    const allocate = async () => {
      for (let i = 0; i < 20; i++) {
        await get(target.port, '/work');
      }
    };
    const { raw, sonde } = await take(t, target, 'timeline', ['--duration', '2s'], allocate);
    assert.ok(raw.moments.length >= 2, `${raw.moments.length} moments`);
    // The first is what there was before; keepMemory has kept more than a megabyte since.
    const [before, ...since] = raw.moments;
    const kept = since.reduce((sum, moment) => sum + moment.bytes, 0);
    assert.ok(before.bytes > 1e6, `${before.bytes} bytes before`);
    assert.ok(kept > 1e6 && kept < 2e7, `${kept} bytes kept`);
    assert.ok(raw.moments.every(({ bytes, peakBytes }) => bytes <= peakBytes));
    const times = raw.moments.map((moment) => moment.milliseconds);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    const [part] = (await sonde.report()).captures;
    assert.deepEqual([part.name, part.type], ['timeline', 'AllocationTimeline']);
    assert.equal(part.before.bytes, before.bytes);
    assert.equal(part.since.bytes, kept);
    assert.equal(part.moments, raw.moments.length);
    assert.ok(['growing-heap', 'healthy'].includes(part.findings[0].kind));
    await isAsBefore(target);
  });
}

test('an application that samples its allocations itself is left alone', async (t) => {
  const target = await startApp(t, { mode: 'samples-itself' });
  assert.ok(target.before.samplesAllocations);
  const sonde = new Sonde(t);
  const args = ['profile', '--type', 'heap', '--duration', '1s', '--pid', String(target.pid)];
  const result = await sonde.run(args);
  exited(result, 1);
  assert.match(result.stderr, /sonde: InspectorBusy: .*already samples/);
  await isAsBefore(target);
});
