// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde compare`: what changed between two runs, and how sure that is.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { pageData } = require('./support/page.js');
const { startApp } = require('./support/captures.js');
const { Sonde, exited, profileRun, temporary } = require('./support/sonde.js');
const { app, get, load, startTarget } = require('./support/target.js');
const { lineOf } = require('./support/source.js');

async function captured(t, sonde, target, name, urlPath) {
  const busy = load(t, target.port, urlPath);
  const captures = [{ name: 'cpu', durationSeconds: 5, windowSeconds: 1 }];
  const document = sonde.document(`${name}.yaml`, profileRun(name, captures));
  exited(await sonde.run(['run', document, '--pid', String(target.pid)]), 0);
  await busy.stop();
}

const compared = (sonde, before, after, more = []) =>
  sonde.json(['compare', before, after, '--format', 'json', ...more]);

test('work that has changed is named, with an interval that does not hold 0', async (t) => {
  const target = await startTarget(t);
  const sonde = new Sonde(t);
  await captured(t, sonde, target, 'first', '/work');
  await captured(t, sonde, target, 'second', '/block?ms=12');
  const comparison = await compared(sonde, 'first', 'second');
  assert.equal(comparison.unit, 'milliseconds per second');
  assert.equal(comparison.before.name, 'first');
  assert.ok(comparison.before.windows >= 4 && comparison.after.windows >= 4);
  assert.ok(comparison.busyShareMargin > 0);

  const of = (name) => comparison.functions.find((one) => one.function === name);
  const hot = of('hotSpot');
  assert.equal(hot.file, path.relative(process.cwd(), app));
  assert.equal(hot.lineBefore, lineOf(app, 'function hotSpot('));
  assert.ok(hot.self.change + hot.self.margin < 0, JSON.stringify(hot.self));
  assert.ok(hot.self.before > 100 && hot.self.before < 1100);
  assert.ok(hot.vanished);
  const block = of('/block');
  assert.ok(block.new);
  assert.ok(block.total.change - block.total.margin > 0, JSON.stringify(block.total));
  assert.equal(block.total.before, 0);
  assert.ok(Math.abs(block.total.shareAfter - block.total.shareChange) < 1e-9);
  // Of the whole: the changes of all functions themselves add up to that of the busy time.
  const sum = comparison.functions.reduce((all, one) => all + one.self.change, 0);
  assert.ok(Math.abs(sum / 1000 - comparison.busyShareChange) < 0.02);

  const text = (await sonde.run(['compare', 'first', 'second'])).stdout;
  assert.match(text, /^before {2}[0-9a-f]{8} {2}first {2}cpu: \d/);
  assert.match(text, /new +[\d.]+ +\+[\d.]+ ± [\d.]+ +\/block +/);
  assert.match(text, /gone +-[\d.]+ ± [\d.]+ +hotSpot +/);
  assert.ok(text.split('\n').every((row) => [...row].length <= 100));

  // Of a run and itself nothing has changed.
  const same = await compared(sonde, 'first', 'first');
  assert.ok(same.functions.every((one) => one.self.change === 0 && one.total.change === 0));
  const nothing = (await sonde.run(['compare', 'first', 'first'])).stdout;
  assert.match(nothing, /no difference/);
});

test('a capture that has another name in the other run is found by its kind', async (t) => {
  const target = await startTarget(t);
  const sonde = new Sonde(t);
  const heap = { name: 'heap', type: 'AllocationSampling', durationSeconds: 1 };
  for (const [run, captures] of [
    ['first', [{ name: 'cpu', durationSeconds: 1 }, heap]],
    ['second', [{ name: 'load', durationSeconds: 1 }, heap]],
    ['third', ['a', 'b'].map((name) => ({ name, durationSeconds: 1 }))],
  ]) {
    const document = sonde.document(`${run}.yaml`, profileRun(run, captures));
    exited(await sonde.run(['run', document, '--pid', String(target.pid)]), 0);
  }
  const named = async (before, after, name) => {
    const comparison = await compared(sonde, before, after, ['--capture', name]);
    return [comparison.before.capture, comparison.after.capture, comparison.unit];
  };
  const time = 'milliseconds per second';
  assert.deepEqual(await named('first', 'second', 'cpu'), ['cpu', 'load', time]);
  assert.deepEqual(await named('first', 'second', 'load'), ['cpu', 'load', time]);
  assert.deepEqual(await named('second', 'first', 'cpu'), ['load', 'cpu', time]);
  assert.deepEqual(await named('first', 'second', 'heap'), ['heap', 'heap', 'bytes']);
  assert.deepEqual(await named('third', 'first', 'a'), ['a', 'cpu', time]);
  for (const [before, after, name, message] of [
    ['first', 'third', 'cpu', /third: the run has no profile called cpu/], // which one?
    ['first', 'third', 'heap', /third: the run has no profile called heap/],
    ['first', 'second', 'none', /first: the run has no profile called none/],
  ]) {
    const refused = await sonde.run(['compare', before, after, '--capture', name]);
    exited(refused, 3);
    assert.match(refused.stderr, message);
  }

  // On the page of all, each has its partner; of one that is named, only that.
  for (const [more, pairs] of [
    [[], 2],
    [['--capture', 'cpu'], 1],
  ]) {
    const page = await sonde.run(['compare', 'first', 'second', '--format', 'html', ...more]);
    exited(page, 0);
    const { comparison, report } = pageData(page.stdout);
    assert.deepEqual([comparison.pairs.length, report.captures.length], [pairs, pairs]);
    const { changes } = comparison.pairs.find((one) => one.changes.unit === time);
    assert.deepEqual([changes.before.capture, changes.after.capture], ['cpu', 'load']);
  }
});

test('of one window no interval is claimed', async (t) => {
  const sonde = new Sonde(t);
  const directory = temporary(t);
  const folded = (name, text) => {
    fs.writeFileSync(path.join(directory, name), text);
    return path.join(directory, name);
  };
  const before = folded(
    'before.folded',
    'a /app/a.js:3 600000\na /app/a.js:3;b /app/b.js:9 400000\n',
  );
  const after = folded(
    'after.folded',
    'a /app/a.js:7 600000\na /app/a.js:7;c /app/c.js:1 1400000\n',
  );
  exited(await sonde.run(['import', before]), 0);
  exited(await sonde.run(['import', after]), 0);
  const { functions, before: first } = await compared(sonde, 'before', 'after');
  assert.equal(first.durationSeconds, 1);
  assert.equal(first.busyShare, undefined); // nobody knows
  const [c, b, a] = ['c', 'b', 'a'].map((name) => functions.find((one) => one.function === name));
  assert.deepEqual([c.new, b.vanished, a.lineBefore, a.lineAfter], [true, true, 3, 7]);
  assert.deepEqual([c.self.before, c.self.after, c.self.change], [0, 700, 700]);
  assert.deepEqual([a.self.before, a.self.after], [600, 300]);
  assert.deepEqual([a.total.before, a.total.after], [1000, 1000]);
  assert.equal(c.self.margin, undefined);
  assert.equal(functions[0].function, 'c');
  const text = (await sonde.run(['compare', 'before', 'after'])).stdout;
  assert.doesNotMatch(text, /±/);

  const page = await sonde.run(['compare', 'before', 'after', '--format', 'html']);
  const data = pageData(page.stdout);
  assert.deepEqual([data.before.name, data.report.name], ['before', 'after']);
  assert.equal(data.captures.length, 2);
  const [pair] = data.comparison.pairs;
  assert.deepEqual([pair.before, pair.after], [1, 0]);
  assert.deepEqual(pair.changes, await compared(sonde, 'before', 'after'));
});

test('what cannot be compared is said', async (t) => {
  const sonde = new Sonde(t);
  const file = path.join(temporary(t), 'a.folded');
  fs.writeFileSync(file, 'a;b 7\n');
  exited(await sonde.run(['import', file, '--name', 'time']), 0);
  exited(await sonde.run(['import', file, '--name', 'bytes', '--unit', 'bytes']), 0);
  const mixed = await sonde.run(['compare', 'time', 'bytes']);
  exited(mixed, 2);
  assert.match(mixed.stderr, /CPU time and the other of allocations/);
  const page = await sonde.run(['compare', 'time', 'bytes', '--format', 'html']);
  exited(page, 2);
  assert.equal(page.stderr, mixed.stderr);
  exited(await sonde.run(['compare', 'time']), 2);
  exited(await sonde.run(['compare', 'time', 'nosuch']), 3);
  const none = await sonde.run(['compare', 'time', 'bytes', '--capture', 'cpu']);
  exited(none, 3);
  assert.match(none.stderr, /bytes: the run has no profile called cpu/);
});

test('event loops, diagnostic reports and allocations by time are compared by their numbers', async (t) => {
  const target = await startApp(t);
  const sonde = new Sonde(t);
  const block = () => get(target.port, '/block?ms=300');
  const takes = [
    ['eventloop', ['--duration', '2s'], () => {}],
    ['eventloop', ['--duration', '3s'], block],
    ['timeline', ['--duration', '2s'], () => {}],
    ['timeline', ['--duration', '2s'], () => get(target.port, '/work')],
    ['report', [], () => {}],
    ['report', [], () => {}],
  ];
  const runs = {};
  for (const [type, more, meanwhile] of takes) {
    const args = ['profile', '--type', type, '--pid', String(target.pid), ...more];
    const running = sonde.start(args);
    await running.says(type === 'report' ? /attaching/ : /capturing/);
    await meanwhile();
    exited(await running.done, 0);
    const [{ uid }] = (await sonde.json(['runs', '--output', 'json'])).runs;
    runs[type] = [...(runs[type] ?? []), uid];
  }
  const compare = (type, more = []) => sonde.run(['compare', ...runs[type], ...more]);
  const loops = await compare('eventloop', ['--format', 'json']);
  exited(loops, 0);
  const { before, after, measures } = JSON.parse(loops.stdout);
  assert.deepEqual([before.uid, after.uid], runs.eventloop);
  const longest = measures.find(({ name }) => name === 'longest delay');
  assert.equal(longest.unit, 'milliseconds');
  assert.ok(longest.after > 200 && longest.after > longest.before, JSON.stringify(longest));
  for (const [type, row] of [
    ['eventloop', /^longest delay +[\d.]+ ms +[\d.]+ ms +\+[\d.]+ ms$/m],
    ['timeline', /^allocated, still in use +[\d.]+ \w+ +[\d.]+ \w+ +[+-][\d.]+ \w+$/m],
    ['report', /^heap used +[\d.]+ MB +[\d.]+ MB +[+-][\d.]+ \w+$/m],
  ]) {
    const text = await compare(type);
    exited(text, 0);
    assert.match(text.stdout, row);
    const page = pageData((await compare(type, ['--format', 'html'])).stdout);
    assert.match(page.parts[0].text, row);
  }
  const mixed = await sonde.run(['compare', runs.report[0], runs.eventloop[0]]);
  exited(mixed, 2);
  assert.match(mixed.stderr, /report is of type Report and eventloop of type EventLoop/);
});
