// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde profile` on a busy service, on each line of Node.js.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Ajv } = require('ajv');
const { Sonde, exited, output } = require('./support/sonde.js');
const { app, lines, load, startTarget } = require('./support/target.js');
const { lineOf } = require('./support/source.js');

const seconds = 3;

function checkReport(report, target, spent) {
  assert.equal(report.state, 'Succeeded');
  assert.equal(report.reason, 'Completed');
  assert.equal(report.target, `process ${target.pid}`);
  assert.match(report.uid, /^[0-9a-f-]{36}$/);
  assert.equal(report.directory, process.cwd());
  assert.equal(report.captures.length, 1);
  const [capture] = report.captures;
  assert.equal(capture.name, 'cpu');
  assert.ok(capture.durationSeconds > seconds - 0.5);
  assert.ok(capture.durationSeconds < seconds + 2);
  assert.ok(capture.samples > 100);

  // The application measured itself what its two functions cost.
  const hot = capture.functions.find((one) => one.function === 'hotSpot');
  const other = capture.functions.find((one) => one.function === 'otherSpot');
  assert.equal(hot.url.replace('file://', ''), app);
  assert.equal(hot.line, lineOf(app, 'function hotSpot('));
  assert.equal(hot.category, 'app');
  assert.equal(capture.functions[0].function, 'hotSpot');
  const truth = spent.hot / (spent.hot + spent.other);
  const said = hot.selfShare / (hot.selfShare + other.selfShare);
  assert.ok(Math.abs(said - truth) < 0.1, `said ${said}, and it was ${truth}`);
  assert.ok(hot.selfShare > 0.5, `only ${hot.selfShare} of the busy time`);
  assert.ok(capture.busyShare > 0.5);
  const sum = Object.values(capture.categories).reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(sum - 1) < 0.01, `the categories sum up to ${sum}`);
  assert.ok(report.eventLoop.utilization > 0.5);
  assert.ok(report.cost.attachMilliseconds > 0);
  assert.ok(report.cost.bytes > 1000);
}

function checkCpuprofile(text) {
  const profile = JSON.parse(text);
  assert.equal(profile.samples.length, profile.timeDeltas.length);
  const ids = new Set(profile.nodes.map((node) => node.id));
  assert.equal(ids.size, profile.nodes.length);
  const children = profile.nodes.flatMap((node) => node.children ?? []);
  assert.equal(new Set(children).size, children.length);
  assert.equal(children.length, profile.nodes.length - 1);
  assert.ok(children.every((id) => ids.has(id)));
  assert.ok(profile.samples.every((id) => ids.has(id)));
  const total = profile.timeDeltas.reduce((a, b) => a + b, 0);
  const span = profile.endTime - profile.startTime;
  assert.ok(Math.abs(total - span) < span / 10, `deltas ${total} µs in a span of ${span} µs`);
  assert.ok(profile.nodes.some((node) => node.callFrame.functionName === 'hotSpot'));
}

function checkFolded(text) {
  const rows = text.trimEnd().split('\n');
  assert.ok(rows.every((row) => /^.+ \d+$/.test(row)));
  const weight = (row) => Number(row.slice(row.lastIndexOf(' ') + 1));
  const sum = (chosen) => chosen.map(weight).reduce((a, b) => a + b, 0);
  const busy = rows.filter((row) => !/\(idle\)/.test(row));
  const hot = busy.filter((row) => /hotSpot[^;]* \d+$/.test(row));
  assert.ok(sum(hot) / sum(busy) > 0.5);
}

function checkSpeedscope(text) {
  const file = JSON.parse(text);
  const schemaFile = path.join(
    path.dirname(require.resolve('speedscope/package.json')),
    'dist/release/file-format-schema.json',
  );
  const ajv = new Ajv({ strict: false });
  const valid = ajv.compile(JSON.parse(fs.readFileSync(schemaFile, 'utf8')));
  assert.ok(valid(file), JSON.stringify(valid.errors));
  const [profile] = file.profiles;
  assert.equal(profile.type, 'sampled');
  assert.equal(profile.samples.length, profile.weights.length);
  const frames = file.shared.frames.length;
  assert.ok(profile.samples.flat().every((index) => index >= 0 && index < frames));
  assert.ok(file.shared.frames.some((frame) => frame.name === 'hotSpot'));
}

async function checkExports(sonde) {
  const text = async (format) => {
    const result = await sonde.run(['export', 'last', '--capture', 'cpu', '--format', format]);
    exited(result, 0);
    return result.stdout;
  };
  checkCpuprofile(await text('cpuprofile'));
  checkFolded(await text('folded'));
  checkSpeedscope(await text('speedscope'));
  const file = path.join(path.dirname(sonde.store), 'cpu.pb.gz');
  const written = await sonde.run(['export', 'last', '--format', 'pprof', '-o', file]);
  exited(written, 0);
  assert.equal(written.stdout, '');
  const top = await output('go', ['tool', 'pprof', '-top', '-nodecount=5', file]);
  assert.match(top, /hotSpot/);
  const lines = await output('go', ['tool', 'pprof', '-top', '-lines', '-nodecount=5', file]);
  assert.match(lines, /app\.js:\d+/);
}

for (const line of lines) {
  test(`Node.js ${line}: the hot function is named, and nothing stays behind`, async (t) => {
    const target = await startTarget(t, { line });
    const sonde = new Sonde(t);
    const busy = load(t, target.port);
    const begun = (await target.get('/state')).spent;
    const args = ['profile', '--pid', String(target.pid), '--duration', `${seconds}s`];
    const result = await sonde.run(args);
    const ended = (await target.get('/state')).spent;
    await busy.stop();

    exited(result, 0);
    assert.match(
      result.stdout,
      new RegExp(`hotSpot.*app\\.js:${lineOf(app, 'function hotSpot(')}`),
    );
    assert.match(result.stderr, /profile: attaching\n.*capturing cpu\n.*leaving\n/);
    const spent = { hot: ended.hot - begun.hot, other: ended.other - begun.other };
    const report = await sonde.report();
    checkReport(report, target, spent);
    assert.match(report.nodeVersion, new RegExp(`^v${line}\\.`));
    await checkExports(sonde);
    await target.isAsBefore();
    await target.isAtFullSpeed();
  });
}
