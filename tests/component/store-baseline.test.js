// SPDX-License-Identifier: Apache-2.0
'use strict';

// sonde-store: the run of a schedule beside those before it.

const assert = require('node:assert/strict');
const test = require('node:test');
const { LoadTest, tally } = require('./support/load-runners.js');
const { Service } = require('./support/store-service.js');
const { pageData } = require('./support/page.js');

const SAMPLES = 1000;
const NIGHTLY = { strategy: 'RollingMedian', runs: 3 };

// A CPU profile in which readVisits() has that share (0–1), and render() the others.
function profile(share) {
  const place = (functionName, lineNumber) => ({
    ...{ functionName, scriptId: '1', url: 'file:///app/work.js', lineNumber, columnNumber: 0 },
  });
  const root = { functionName: '(root)', scriptId: '0', url: '', lineNumber: -1, columnNumber: -1 };
  const few = Math.round(SAMPLES * share);
  return Buffer.from(
    JSON.stringify({
      nodes: [
        { id: 1, callFrame: root, hitCount: 0, children: [2, 3] },
        { id: 2, callFrame: place('readVisits', 40), hitCount: few },
        { id: 3, callFrame: place('render', 80), hitCount: SAMPLES - few },
      ],
      startTime: 0,
      endTime: SAMPLES * 1000,
      samples: Array.from({ length: SAMPLES }, (_, i) => (i < few ? 2 : 3)),
      timeDeltas: Array.from({ length: SAMPLES }, () => 1000),
    }),
  );
}

// A run of the schedule in which readVisits() has those shares, a window for each.
async function night(service, name, shares, { baseline = NIGHTLY, ...more } = {}) {
  const sidecar = await service.run({ name, schedule: 'nightly', ...more });
  for (const [i, share] of shares.entries()) {
    assert.equal((await sidecar.store(`cpu.${i}`, profile(share))).status, 201);
  }
  await sidecar.done({ state: 'Succeeded', processes: [{ pid: 7, directory: '/app' }] });
  const conclude = () => sidecar.conclude('Succeeded', { baseline });
  return { sidecar, conclude, answer: await conclude() };
}

const QUIET = [0.3, 0.305, 0.295, 0.3];

test('a run that is worse than its schedule was has failed', async (t) => {
  const service = await Service.start(t);
  const first = await night(service, 'nightly-1', QUIET);
  assert.equal(first.answer.json.regression.worse, false);
  assert.match(first.answer.json.regression.message, /nothing to compare with yet/);
  for (let i = 2; i <= 4; i++) {
    const quiet = await night(service, `nightly-${i}`, QUIET);
    assert.equal(quiet.answer.json.regression.worse, false);
    assert.match(quiet.answer.json.regression.message, /^no worse than .*nightly-/);
  }
  const slow = await night(service, 'nightly-5', [0.5, 0.51, 0.49, 0.5]);
  const { regression } = slow.answer.json;
  assert.equal(regression.worse, true);
  assert.equal(regression.with, 'the median of 3 runs up to nightly-4');
  assert.match(
    regression.message,
    /^readVisits work\.js:41 takes 20 points \[1\d, 2\d\] more of the busy time than the median of 3 runs up to nightly-4: 30 % → 50 %$/,
  );
  assert.deepEqual((await slow.conclude()).json, slow.answer.json); // asked again

  const person = (more) => service.person('GET', `runs/nightly-5${more}`);
  const { json } = await person('/report?namespace=clinic&format=json');
  assert.deepEqual([json.state, json.reason], ['Failed', 'Regression']);
  assert.equal(json.message, regression.message);
  assert.equal(json.regression.runs, 4);
  const worse = json.regression.measures.filter((one) => one.worse);
  assert.deepEqual(
    worse.map(({ name }) => name),
    ['readVisits work.js:41'],
  );
  const { text } = await person('/report?namespace=clinic');
  assert.match(text, /^compared with the median of 3 runs up to nightly-4:$/m);
  assert.match(text, /readVisits work\.js:41 takes 20 points .*: worse$/m);
  const page = await person('/report?namespace=clinic&format=html');
  assert.equal(pageData(page.text).report.regression.worse, true);

  // The one that failed is no baseline, and neither is another schedule's.
  const next = await night(service, 'nightly-6', QUIET, { baseline: { strategy: 'LastGood' } });
  assert.equal(next.answer.json.regression.with, 'nightly-4');
  const other = await night(service, 'weekly-1', QUIET, { schedule: 'weekly' });
  assert.match(other.answer.json.regression.message, /nothing to compare with yet/);
});

// A load test of the schedule, whose requests took about so many µs.
async function loaded(service, name, microseconds, more = {}) {
  const load = await LoadTest.make(service, 2, more.spec, { name, schedule: 'nightly' });
  await load.begin();
  const times = Array.from({ length: 100 }, (_, i) => microseconds + i * 50);
  for (let second = 0; second < 12; second++) {
    for (const runner of load.runners) {
      assert.equal((await runner.second(tally(times))).status, 200);
    }
  }
  for (const runner of load.runners) {
    await runner.finish();
  }
  const conclude = () => load.conclude({ baseline: { strategy: 'LastGood' } });
  return { load, conclude, json: (await conclude()).json };
}

test('a load test that is slower than its schedule was has failed', async (t) => {
  const service = await Service.start(t);
  const first = await loaded(service, 'nightly-1', 10_000);
  assert.equal(first.json.load.succeeded, true);
  assert.match(first.json.regression.message, /nothing to compare with yet/);
  const quiet = await loaded(service, 'nightly-2', 10_100);
  assert.equal(quiet.json.regression.worse, false);
  assert.equal(quiet.json.regression.with, 'nightly-1');
  const slow = await loaded(service, 'nightly-3', 15_000);
  const { load, regression } = slow.json;
  assert.equal(regression.worse, true);
  assert.match(regression.message, /^p50 is \d+ % \[\d+, \d+\] slower than nightly-2: .* → /);
  assert.deepEqual([load.succeeded, load.reason], [false, 'Regression']);
  assert.equal(load.message, regression.message);
  assert.deepEqual((await slow.conclude()).json, slow.json);
  const { json } = await service.person(
    'GET',
    'runs/nightly-3/report?namespace=clinic&format=json',
  );
  assert.deepEqual([json.state, json.reason], ['Failed', 'Regression']);
  // Another load is not compared, and that is said.
  const spec = { arrival: { rate: 300, durationSeconds: 60 } };
  const other = await loaded(service, 'nightly-4', 15_000, { spec });
  assert.equal(other.json.load.succeeded, true);
  assert.match(other.json.regression.message, /were asked for another load/);
});

test('a run is compared with one that is named', async (t) => {
  const service = await Service.start(t);
  await night(service, 'nightly-1', QUIET);
  const pinned = { strategy: 'Pinned', runName: 'nightly-1' };
  const slow = await night(service, 'nightly-2', [0.8, 0.8, 0.8], { baseline: pinned });
  assert.equal(slow.answer.json.regression.worse, true);
  const none = { strategy: 'Pinned', runName: 'nightly-0' };
  const lost = await night(service, 'nightly-3', [0.8, 0.8], { baseline: none });
  assert.equal(lost.answer.json.regression.worse, false);
  assert.match(lost.answer.json.regression.message, /no run is called nightly-0/);
  const report = await service.person('GET', 'runs/nightly-3/report?namespace=clinic&format=json');
  assert.equal(report.json.state, 'Succeeded');
});

test('a baseline that cannot be understood is refused, and nothing ends', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  for (const baseline of [
    'LastGood',
    {},
    { strategy: 'Best' },
    { strategy: 'Pinned' },
    { strategy: 'RollingMedian', runs: 51 },
    { strategy: 'RollingMedian', runs: 0 },
  ]) {
    const answer = await sidecar.conclude('Succeeded', { baseline });
    assert.equal(answer.status, 400, JSON.stringify(baseline));
    assert.match(answer.json.message, /^baseline/);
  }
  const plain = await sidecar.conclude();
  assert.equal(plain.status, 200);
  assert.equal('regression' in plain.json, false);
});
