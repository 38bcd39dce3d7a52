// SPDX-License-Identifier: Apache-2.0
'use strict';

// sonde-store: the run of a schedule beside those before it.

const assert = require('node:assert/strict');
const test = require('node:test');
const { LoadTest, tally } = require('./support/load-runners.js');
const { Service, until } = require('./support/store-service.js');
const { pageData } = require('./support/page.js');

const SAMPLES = 1000;
const NIGHTLY = { strategy: 'RollingMedian', runs: 3 };

// A CPU profile in which these functions have so much of it: [name, line, share (0–1), file].
function profileOf(functions) {
  const root = { functionName: '(root)', scriptId: '0', url: '', lineNumber: -1, columnNumber: -1 };
  const nodes = functions.map(([functionName, lineNumber, share, file = 'work.js'], i) => ({
    ...{ id: i + 2, hitCount: Math.round(SAMPLES * share) },
    callFrame: {
      ...{ functionName, lineNumber, columnNumber: 0, scriptId: `${i}` },
      url: file && `file:///app/${file}`,
    },
  }));
  const samples = nodes.flatMap(({ id, hitCount }) => Array(hitCount).fill(id));
  return Buffer.from(
    JSON.stringify({
      nodes: [
        { id: 1, callFrame: root, hitCount: 0, children: nodes.map(({ id }) => id) },
        ...nodes,
      ],
      startTime: 0,
      endTime: samples.length * 1000,
      samples,
      timeDeltas: samples.map(() => 1000),
    }),
  );
}

// One in which readVisits() has that share, and render() the others.
function profile(share) {
  return profileOf([
    ['readVisits', 40, share],
    ['render', 80, 1 - share],
  ]);
}

// A run of the schedule in which readVisits() has those shares, a window for each. A window may be
// a whole profile.
async function night(service, name, windows, { baseline = NIGHTLY, capture, ...more } = {}) {
  const sidecar = await service.run({ name, schedule: 'nightly', ...more });
  for (const [i, window] of windows.entries()) {
    const bytes = Buffer.isBuffer(window) ? window : profile(window);
    const headers = { 'Sonde-Capture': capture?.(i) ?? 'cpu' };
    const name = `${headers['Sonde-Capture']}.${i}`;
    assert.equal((await sidecar.store(name, bytes, { headers })).status, 201);
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
  const { profiles } = more;
  const conclude = () => load.conclude({ baseline: { strategy: 'LastGood' }, profiles });
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
  assert.match(other.json.regression.message, /asked for something else \(spec\.arrival\)$/);
});

test('a template that is changed begins anew', async (t) => {
  const service = await Service.start(t);
  await loaded(service, 'nightly-1', 10_000);
  const scenario = { requests: [{ name: 'one', path: '/reports' }] };
  const other = await loaded(service, 'nightly-2', 15_000, { spec: { scenario } });
  assert.match(other.json.regression.message, /asked for something else \(spec\.scenario\)$/);
  assert.equal(other.json.regression.compared, false);
  const next = await loaded(service, 'nightly-3', 15_000, { spec: { scenario } });
  assert.equal(next.json.regression.with, 'nightly-2');
  const patients = { target: { workloadRef: { kind: 'Deployment', name: 'patients' } } };
  await night(service, 'profiles-1', QUIET, { schedule: 'profiles', spec: patients });
  const notes = { target: { workloadRef: { kind: 'Deployment', name: 'notes' } } };
  const moved = { schedule: 'profiles', spec: notes };
  const { answer } = await night(service, 'profiles-2', [0.8, 0.8, 0.8, 0.8], moved);
  assert.match(answer.json.regression.message, /asked for something else \(spec\.target\)$/);
});

test('what is accepted since a time is the new baseline', async (t) => {
  const service = await Service.start(t);
  await night(service, 'nightly-1', QUIET);
  const slow = [0.5, 0.51, 0.49, 0.5];
  const worse = await night(service, 'nightly-2', slow);
  assert.equal(worse.answer.json.regression.worse, true);
  const since = Math.floor(Date.now() / 1000) + 1;
  await until(() => Date.now() / 1000 > since, 10000, 'that time');
  const baseline = { strategy: 'LastGood', since };
  const accepted = await night(service, 'nightly-3', slow, { baseline });
  assert.match(accepted.answer.json.regression.message, /nothing to compare with yet/);
  const next = await night(service, 'nightly-4', slow, { baseline });
  assert.equal(next.answer.json.regression.message, 'no worse than nightly-3');
});

// A load test beside which a profile was taken of what was loaded.
async function profiled(service, name, share) {
  const profile = await service.run({
    name: `${name}-profile`,
    spec: { captures: [{ name: 'cpu' }] },
  });
  for (let i = 0; i < 4; i++) {
    assert.equal((await profile.store(`cpu.${i}`, profileWindow(share, i))).status, 201);
  }
  await profile.done({ state: 'Succeeded', processes: [{ pid: 7, directory: '/app' }] });
  await profile.conclude();
  return loaded(service, name, 10_000, { profiles: [profile.uid] });
}

const profileWindow = (share, i) => profile(share + (i % 2 ? 0.005 : -0.005));

test('what is profiled under load is compared, too', async (t) => {
  const service = await Service.start(t);
  await profiled(service, 'nightly-1', 0.3);
  const quiet = await profiled(service, 'nightly-2', 0.3);
  assert.equal(quiet.json.regression.message, 'no worse than nightly-1');
  const slow = await profiled(service, 'nightly-3', 0.6);
  assert.match(slow.json.regression.message, /^readVisits work\.js:41 takes .* more .*nightly-2/);
  assert.deepEqual([slow.json.load.succeeded, slow.json.load.reason], [false, 'Regression']);
});

test('each of several profiles is compared with those of its name', async (t) => {
  const service = await Service.start(t);
  const capture = (i) => (i < 4 ? 'before' : 'after');
  await night(service, 'nightly-1', [...QUIET, ...QUIET], { capture });
  const slow = [0.5, 0.51, 0.49, 0.5];
  const { answer } = await night(service, 'nightly-2', [...QUIET, ...slow], { capture });
  assert.match(answer.json.regression.message, /^after: readVisits work\.js:41 takes 20 points/);
});

test('functions of one name in files whose paths are long are told apart', async (t) => {
  const service = await Service.start(t);
  const long = `node_modules/.pnpm/${'a-package-with-é-name+'.repeat(5)}/node_modules/x`;
  const window = profileOf([
    ['map', 9, 0.12, `${long}/one.js`],
    ['map', 9, 0.02, `${long}/two.js`],
    ['render', 80, 0.86],
  ]);
  const windows = [window, window, window, window];
  await night(service, 'nightly-1', windows);
  await night(service, 'nightly-2', windows);
  const same = await night(service, 'nightly-3', windows);
  assert.match(same.answer.json.regression.message, /^no worse than /);
  const { json } = await service.person(
    'GET',
    'runs/nightly-3/report?namespace=clinic&format=json',
  );
  const names = json.regression.measures.map(({ name }) => name).filter((one) => /^map/.test(one));
  assert.equal(names.length, 2);
  for (const [i, file] of ['one.js:10', 'two.js:10'].entries()) {
    assert.ok(names[i].startsWith('map …') && names[i].endsWith(`/x/${file}`), names[i]);
  }
});

test('a single window is no surer than its samples', async (t) => {
  const service = await Service.start(t);
  for (let i = 0; i < 4; i++) {
    await night(service, `nightly-${i}`, [0.3]);
  }
  const quiet = await night(service, 'nightly-4', [0.33]); // two standard errors of 1000 samples
  assert.match(quiet.answer.json.regression.message, /^no worse than /);
  const slow = await night(service, 'nightly-5', [0.5]);
  assert.equal(slow.answer.json.regression.worse, true);
});

test('a service that had nothing to do is not compared', async (t) => {
  const service = await Service.start(t);
  const idle = profileOf([['(idle)', -1, 1, '']]);
  await night(service, 'nightly-1', [idle, idle]);
  const { answer } = await night(service, 'nightly-2', [idle, idle]);
  const message = 'not compared: no function takes 1 % of the busy time';
  assert.equal(answer.json.regression.message, message);
});

test('what a schedule compares with is not too old', async (t) => {
  const service = await Service.start(t, ['--keep', '1s']);
  const listed = async () => (await service.person('GET', 'runs')).json.runs.map((r) => r.name);
  const swept = async (name) => {
    await service.restart(); // it looks a second after its start
    await until(async () => !(await listed()).includes(name), 20000, `${name} is gone`);
  };
  await night(service, 'pinned', QUIET, { schedule: undefined });
  const pinned = { strategy: 'Pinned', runName: 'pinned' };
  await night(service, 'weekly-1', QUIET, { baseline: pinned, schedule: 'weekly' });
  await night(service, 'nightly-1', QUIET);
  await (await service.run({ name: 'other' })).conclude();
  await swept('other');
  const second = await night(service, 'nightly-2', [0.5, 0.51, 0.49, 0.5]);
  assert.equal(second.answer.json.regression.worse, true);
  assert.deepEqual((await listed()).sort(), ['nightly-1', 'nightly-2', 'pinned', 'weekly-1']);
  await swept('nightly-2'); // it failed
  assert.deepEqual((await listed()).sort(), ['nightly-1', 'pinned', 'weekly-1']);
});

test('a conclusion that is asked for again is made once, for who asked last', async (t) => {
  const service = await Service.start(t);
  const jobs = async () =>
    Number(/^sonde_store_jobs (\d+)$/m.exec((await service.ask('GET', '/metrics')).text)[1]);
  const runs = [];
  for (let i = 0; i < 5; i++) {
    const sidecar = await service.run({ name: `nightly-${i}`, schedule: `s${i}` });
    const bytes = i < 4 ? profileOf([['hot', 1, 800]]) : profile(0.3); // the others take long
    assert.equal((await sidecar.store('cpu.0', bytes)).status, 201);
    runs.push(sidecar);
  }
  const conclude = (run) => run.conclude('Succeeded', { baseline: NIGHTLY });
  const first = runs.map(conclude);
  // (One of them may be over before the last one has come.)
  await until(async () => (await jobs()) >= runs.length - 1, 20000, 'all to wait');
  const again = conclude(runs.at(-1));
  assert.equal((await first.pop()).status, 503); // it has most likely gone
  assert.ok((await jobs()) <= runs.length);
  for (const answer of [...first, again]) {
    assert.match((await answer).json.regression.message, /nothing to compare with yet/);
  }
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
  const message = 'no run called nightly-0 has succeeded before this one';
  assert.deepEqual(lost.answer.json.regression, {
    compared: false,
    worse: false,
    message,
    with: '',
  });
  const report = await service.person('GET', 'runs/nightly-3/report?namespace=clinic&format=json');
  assert.equal(report.json.state, 'Succeeded');
  assert.equal(report.json.regression.message, message); // also tomorrow
  // One that is worse is no baseline by its name; by its uid it is what was asked for.
  const byName = { baseline: { strategy: 'Pinned', runName: 'nightly-2' } };
  const failed = await night(service, 'nightly-4', QUIET, byName);
  assert.match(failed.answer.json.regression.message, /^no run called nightly-2 has succeeded/);
  const byUid = { baseline: { strategy: 'Pinned', runName: slow.sidecar.uid } };
  const told = await night(service, 'nightly-5', QUIET, byUid);
  assert.equal(told.answer.json.regression.with, 'nightly-2');
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
    { strategy: 'LastGood', since: -1 },
    { strategy: 'LastGood', since: 1e15 },
  ]) {
    const answer = await sidecar.conclude('Succeeded', { baseline });
    assert.equal(answer.status, 400, JSON.stringify(baseline));
    assert.match(answer.json.message, /^baseline/);
  }
  const plain = await sidecar.conclude();
  assert.equal(plain.status, 200);
  assert.equal('regression' in plain.json, false);
});
