// SPDX-License-Identifier: Apache-2.0
'use strict';

// Load tests on several runners in a real store: the runners are played.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { LoadTest, tally } = require('./support/load-runners.js');
const { Service } = require('./support/store-service.js');
const { bin, temporary } = require('./support/sonde.js');
const { until } = require('./support/wait.js');

function refused(answer, status, code) {
  assert.deepEqual([answer.status, answer.json?.code], [status, code], answer.text);
  assert.ok(answer.json.message.length > 10);
}

// What a runner sends in a second: each a number of requests of its own.
const times = (runner, second) =>
  Array.from({ length: 10 + 7 * runner + second }, (_, i) => 900 + 13 * i + 100 * second);

const sum = (list, name) => list.reduce((all, one) => all + one.totals[name], 0);

async function result(service, load) {
  const id = load.artifact;
  const answer = await service.person('GET', `artifacts/${id}?namespace=clinic`);
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text);
}

for (const count of [1, 3, 8]) {
  test(`the seconds of ${count} runners are added exactly`, async (t) => {
    const service = await Service.start(t);
    const thresholds = ['http_req_duration: p(99)<250', 'http_req_failed: rate<0.01'];
    const load = await LoadTest.make(service, count, { thresholds });
    const asked = await load.runners[0].ask('GET', '');
    assert.equal(asked.json.runners, count);
    assert.equal(asked.json.document.spec.parallelism, count);
    const clock = await load.runners[0].ask('POST', '/clock', {});
    assert.ok(Math.abs(clock.json.now - Date.now() * 1000) < 60e6);
    const starts = await load.begin();
    assert.ok(starts.every(({ start }) => start === starts[0].start));
    assert.ok(starts[0].start > clock.json.now);
    for (let second = 0; second < 5; second++) {
      for (const runner of load.runners) {
        const own = tally(times(runner.number, second));
        const { status, json } = await runner.second(own);
        assert.deepEqual([status, json], [200, { stop: false }]);
        // Sent again, its answer having been lost.
        const again = await runner.interval(own, { sequence: second });
        assert.deepEqual([again.status, again.json], [200, { stop: false }]);
      }
    }
    for (const runner of load.runners) {
      assert.deepEqual((await runner.finish()).json, { next: false });
    }
    const { status, json, text } = await load.conclude();
    assert.equal(status, 200, text);
    const sent = sum(load.runners, 'sent');
    assert.deepEqual([json.load.succeeded, json.load.reason], [true, 'Completed'], text);
    assert.equal(json.load.requests, sent);
    assert.equal(json.load.startSkewMicroseconds, (count - 1) * 1000);
    assert.deepEqual(
      json.load.thresholds.map(({ threshold, holds }) => [threshold, holds]),
      thresholds.map((text) => [text, true]),
    );
    assert.deepEqual((await load.conclude()).json, json);
    const kept = await result(service, json.load);
    assert.equal(kept.counts.sent, sent);
    assert.equal(kept.counts.answered, sent);
    assert.equal(kept.statuses[200], sent);
    assert.equal(kept.intervals.length, 5);
    assert.equal(
      kept.intervals.reduce((all, { answered }) => all + answered, 0),
      sent,
    );
    assert.equal(kept.asked.url, 'http://patients.clinic:80');
    // The same kind of result as `sonde load` keeps.
    const report = await service.person('GET', 'runs/patients-500/report?namespace=clinic');
    assert.match(report.text, /holds {2}http_req_duration: p\(99\)<250: /);
    const csv = 'runs/patients-500/captures/load?format=csv&namespace=clinic';
    assert.match((await service.person('GET', csv)).text, /\n/);
    const store = path.join(service.directory, 'store');
    assert.match(
      execFileSync(bin, ['report', load.uid, '--store', store]).toString(),
      /patients-5/,
    );
  });
}

test('a broken threshold reaches all runners at once', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 3, {
    ...{ abortOnFail: ['http_req_failed: rate<0.1'], delayAbortSeconds: 2 },
  });
  await load.begin();
  const orders = load.runners.map((runner) => runner.ask('GET', '/orders?round=0&wait=20'));
  const bad = tally([900, 1000, 1100, 1200], { wrong: 2 });
  for (let second = 0; second < 2; second++) {
    for (const runner of load.runners) {
      const { json } = await runner.second(bad);
      // The last one completes the second.
      assert.equal(json.stop, second === 1 && runner.number === 2);
    }
  }
  for (const { json } of await Promise.all(orders)) {
    assert.deepEqual(json, { stop: true, cancel: false });
  }
  for (const runner of load.runners) {
    assert.equal((await runner.second(bad)).json.stop, true);
    await runner.finish({ stopped: true });
  }
  const { json } = await load.conclude();
  assert.deepEqual([json.load.succeeded, json.load.reason], [false, 'ThresholdBroken']);
  assert.equal(json.load.requests, 3 * 3 * 4);
  const run = await service.person('GET', `runs/${load.uid}?namespace=clinic`);
  assert.deepEqual([run.json.state, run.json.reason], ['Failed', 'ThresholdBroken']);
});

test('a store that was killed goes on where it was', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 3);
  const starts = await load.begin();
  for (let second = 0; second < 6; second++) {
    for (const runner of load.runners) {
      const own = tally(times(runner.number, second));
      assert.equal((await runner.second(own)).status, 200);
      if (second % 2 && runner.number === 1) {
        await service.restart('SIGKILL');
        // What was acknowledged is there: it counts once.
        const again = await runner.interval(own, { sequence: second });
        assert.deepEqual([again.status, again.json], [200, { stop: false }]);
        assert.deepEqual((await runner.ready()).json, starts[1]);
      }
    }
  }
  const page = await service.controller('GET', 'changes');
  const [own] = page.json.changes.filter((change) => change.load);
  assert.deepEqual([own.uid, own.load.phase, own.load.seconds], [load.uid, 'Running', 6]);
  for (const runner of load.runners) {
    assert.equal((await runner.finish()).status, 200);
  }
  await service.restart('SIGKILL');
  const { json } = await load.conclude();
  assert.deepEqual([json.load.succeeded, json.load.requests], [true, sum(load.runners, 'sent')]);
  await service.restart('SIGKILL');
  assert.deepEqual((await load.conclude()).json, json);
  // What was kept of it while it went on is gone.
  const state = await load.runners[0].ready();
  refused(state, 409, 'Conflict');
});

// Members that nobody knows are passed over, but kept with what was said until the state of the
// test takes its place, which it does each 32 MiB.
test('a long test does not take more and more of the disk', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 2);
  await load.begin();
  const padding = 'x'.repeat(1 << 20);
  const database = path.join(service.directory, 'store', 'runs.db');
  let largest = 0;
  for (let second = 0; second < 50; second++) {
    for (const runner of load.runners) {
      const own = tally(times(runner.number, second));
      assert.equal((await runner.second({ ...own, padding })).status, 200);
    }
    largest = Math.max(largest, fs.statSync(database).size + fs.statSync(`${database}-wal`).size);
    if (second === 40) {
      await service.restart('SIGKILL');
    }
  }
  assert.ok(largest < 90 << 20, `${largest}`);
  await service.restart('SIGKILL');
  for (const runner of load.runners) {
    assert.equal((await runner.finish()).status, 200);
  }
  const { json } = await load.conclude();
  assert.deepEqual([json.load.succeeded, json.load.requests], [true, sum(load.runners, 'sent')]);
});

test('runners and their tokens are told apart', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 2, { onRunnerLoss: 'Replace' });
  await load.begin();
  const [first, second] = load.runners;
  const own = tally([1000, 2000]);
  await first.second(own);
  await second.second(own);
  // Another process with the same token.
  const other = { headers: { 'Sonde-Instance': 'another-one-of-them' } };
  refused(await second.ask('GET', '', undefined, other), 403, 'TokenUsed');
  // The token of another runner.
  const path = `runs/${load.uid}/runners/0/clock`;
  const headers = { 'Sonde-Target': 'runner-1', 'Sonde-Instance': second.instance };
  const cross = await service.api('POST', path, { token: second.token, body: {}, headers });
  refused(cross, 403, 'Denied');
  refused(await second.interval(own, { sequence: 3 }), 409, 'Gap');
  assert.equal((await second.interval(own, { sequence: 3 })).json.expected, 1);
  // Its pod has ended: the next process is let in, and takes its place.
  assert.deepEqual((await load.lost(1)).json, { replaced: true });
  second.renew();
  const { json } = await second.ready();
  assert.equal(json.round, 0);
  assert.ok(json.from > 0 && json.from % 1_000_000 === 0, JSON.stringify(json));
  assert.equal(json.sent, 2);
  refused(await load.lost(2), 404, 'NotFound');
  const end = json.from + 1_000_000;
  assert.equal((await second.second(own, { end })).status, 200);
  while (first.sequence * 1_000_000 < end) {
    await first.second(own);
  }
  await first.finish();
  assert.equal((await second.finish()).status, 200);
  const concluded = (await load.conclude()).json.load;
  assert.equal(concluded.lostRunners, 1);
  assert.equal(concluded.requests, 2 * first.sequence + 4);
});

test('a runner that cannot go on, or is lost, ends the test', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 2);
  await load.begin();
  const word = {
    state: 'Failed',
    reason: 'HostNotAllowed',
    message: 'patients.example is outside',
  };
  const { uid, runners } = load;
  const headers = { 'Sonde-Target': 'runner-0', 'Sonde-Instance': runners[0].instance };
  const { token } = runners[0];
  const done = await service.api('POST', `runs/${uid}/done`, { token, body: word, headers });
  assert.equal(done.status, 200);
  const orders = await runners[1].ask('GET', '/orders?wait=20');
  assert.deepEqual(orders.json, { stop: true, cancel: false });
  await runners[1].finish();
  const { json } = await load.conclude();
  assert.deepEqual([json.load.succeeded, json.load.reason], [false, 'HostNotAllowed']);
  assert.match(json.load.message, /runner-0: patients\.example is outside/);
});

test('what is said of a test is told as it comes', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 1, { thresholds: ['http_reqs: count>1000'] });
  const runner = load.runners[0];
  const page = await service.controller('GET', 'changes');
  const news = service.controller('GET', `changes?since=${page.json.next}&wait=20`);
  await load.begin();
  const told = (await news).json.changes.filter((change) => change.load);
  assert.equal(told[0].namespace, 'clinic');
  assert.match(told[0].load.phase, /^(Waiting|Running)$/);
  const waiting = load.live('&since=0&wait=20');
  await runner.second(tally([1000, 2000, 3000]));
  const { json } = await waiting;
  assert.deepEqual([json.phase, json.requests, json.next], ['Running', 3, 1]);
  assert.deepEqual(json.thresholds, [
    { threshold: 'http_reqs: count>1000', value: 3, holds: false },
  ]);
  const [second] = json.seconds;
  assert.deepEqual([second.second, second.answered, second.failed], [1, 3, 0]);
  assert.ok(second.p50 >= 2000 && second.p50 <= 2001);
  const cancelled = runner.ask('GET', '/orders?wait=20');
  await service.controller('POST', `runs/${load.uid}/cancel`, {});
  assert.deepEqual((await cancelled).json, { stop: true, cancel: true });
  await runner.finish({ stopped: true });
  await until(async () => (await load.live()).json.phase === 'Over', 10000, 'its end');
  const concluded = (await load.conclude({ state: 'Cancelled', reason: 'Cancelled' })).json;
  assert.equal(concluded.load.reason, 'Cancelled');
  const after = await load.live('&since=1');
  assert.deepEqual([after.json.phase, after.json.seconds], ['Over', []]);
});

test('a search goes by rounds', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 2, {
    ...{ search: { startRate: 10, maxRate: 20, trialSeconds: 5, precisionPercent: 50 } },
    thresholds: ['http_req_duration: p(99)<50'],
  });
  for (let round = 0, next = true; next; round++) {
    const answers = await load.begin({ round });
    assert.ok(answers.every((answer) => answer.round === round));
    const [{ rate, seconds, warmUpSeconds }] = answers;
    assert.equal(warmUpSeconds, round ? 1 : 0);
    for (const runner of load.runners) {
      runner.sequence = 0;
      runner.totals = { sent: 0, answered: 0, failed: 0, censored: 0, unsent: 0 };
      for (let second = 1; second <= seconds; second++) {
        const own = tally(Array.from({ length: rate / 2 }, () => (rate > 15 ? 90_000 : 900)));
        assert.equal((await runner.second(own, { round, end: second * 1_000_000 })).status, 200);
      }
    }
    await load.runners[0].finish({ round });
    next = (await load.runners[1].finish({ round })).json.next;
    assert.ok(round < 20);
  }
  const { json } = await load.conclude();
  assert.deepEqual([json.load.succeeded, json.load.highestRate > 9], [true, true]);
});

test('hostile words change nothing', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 2);
  const [first, second] = load.runners;
  const labels = Array.from({ length: 321 }, (_, i) => ({ kind: 'name', text: `${i}` }));
  refused(await first.ready({ labels }), 400, 'Malformed');
  refused(await first.ready({ labels: [{ kind: 'smell', text: 'x' }] }), 400, 'Malformed');
  refused(await first.ready({ round: -1 }), 400, 'Malformed');
  refused(await first.ready({ round: 1e300 }), 400, 'Malformed');
  await load.begin();
  const good = tally([1000]);
  const own = (more) => ({ ...good, ...more });
  const bad = [
    own({ labels: 1 }),
    own({ counts: { ...good.counts, sent: -1 } }),
    own({ counts: { ...good.counts, sent: 2 ** 40 } }),
    own({ counts: undefined }),
    own({ response: { ...good.response, histogram: 'HISTFAAAAAAA' } }),
    own({ response: { ...good.response, maximum: 5 } }),
    own({ statuses: { 1000: 1 } }),
    own({ parts: [{ label: 0 }] }),
    own({ parts: 7 }),
    undefined,
  ];
  for (const one of bad) {
    refused(await first.interval(one), 400, 'Malformed');
  }
  refused(await first.interval(good, { end: -5 }), 400, 'Malformed');
  refused(await first.interval(good, { end: 1e12 }), 503, 'Busy');
  refused(await first.interval(good, { round: 7 }), 409, 'Conflict');
  refused(await first.ask('POST', '/interval', Buffer.from('{"round":')), 400, 'Malformed');
  // The answer may come, and the connection end, before all is written.
  const large = await first
    .ask('POST', '/interval', Buffer.alloc(3 << 20, ' '))
    .catch(({ code }) => code);
  if (!['EPIPE', 'ECONNRESET'].includes(large)) {
    refused(large, 413, 'TooLarge');
  }
  refused(await first.ask('POST', '/done', { round: 0 }), 400, 'Malformed');
  refused(await first.ask('GET', '/orders?wait=-1'), 400, 'Invalid');
  for (const runner of load.runners) {
    await runner.second(good);
  }
  // It says more than it has sent: nobody can tell what is right.
  first.totals.answered = 12;
  await first.finish();
  await second.finish();
  const { json } = await load.conclude();
  assert.deepEqual([json.load.reason, json.load.valid], ['Inconsistent', false]);
  assert.equal(json.load.requests, 2);
  // Documents that are none, and too many targets.
  const other = new LoadTest(service, 2, {});
  other.document.spec.parallelism = 1;
  refused(await other.register(), 400, 'Invalid');
  other.document.spec.target = {};
  refused(await other.register(), 400, 'InvalidSpec');
});

// A store whose clock can be set to so many seconds more or less than it is.
async function withClock(t) {
  const clock = path.join(temporary(t), 'clock');
  const set = (seconds) => fs.writeFileSync(clock, String(seconds));
  set(0);
  const service = await Service.start(
    t,
    [],
    [
      'env',
      `LD_PRELOAD=${path.join(path.dirname(bin), '..', 'tests', 'program_clock.so')}`,
      `SONDE_TEST_CLOCK=${clock}`,
      `ASAN_OPTIONS=${process.env.ASAN_OPTIONS ?? ''}:verify_asan_link_order=0`,
    ],
  );
  return { service, set };
}

test('who sets the clock gives no runner up, and lets none wait', async (t) => {
  const { service, set } = await withClock(t);
  const load = await LoadTest.make(service, 2);
  const [{ start }] = await load.begin();
  const now = async () => (await load.runners[0].ask('POST', '/clock', {})).json.now;
  for (const [second, { ahead, restarted }] of [
    { ahead: 3600 },
    { ahead: -3600 },
    { ahead: -7200, restarted: true },
  ].entries()) {
    set(ahead);
    await (restarted ? service.restart() : undefined);
    // It looks for who says nothing several times a second.
    await until(async () => (await now()) > start + (second + 1) * 1e6, 20000, 'a second');
    assert.ok((await now()) < start + 60e6);
    for (const runner of load.runners) {
      const { status, json, text } = await runner.second(tally(times(0, second)));
      assert.deepEqual([status, json], [200, { stop: false }], text);
    }
  }
  for (const runner of load.runners) {
    await runner.finish();
  }
  const { json } = await load.conclude();
  assert.equal(json.load.reason, 'Completed', JSON.stringify(json.load));
  assert.equal(json.load.lostRunners, 0);
});

// What is kept of the second is of minutes after all that is known of the first.
test('who sets the clock back while the store is away gives up no other test either', async (t) => {
  const { service, set } = await withClock(t);
  const first = await LoadTest.make(service, 1);
  await first.begin();
  set(300);
  await service.restart();
  const second = await LoadTest.make(service, 1, {}, { name: 'second' });
  await second.begin();
  set(0);
  await service.restart();
  for (const { runners } of [second, first]) {
    const now = async () => (await runners[0].ask('POST', '/clock', {})).json.now;
    const before = await now();
    // It looks for who says nothing several times a second.
    await until(async () => (await now()) > before + 1e6, 20000, 'a second');
    const { status, json, text } = await runners[0].second(tally(times(0, 0)));
    assert.deepEqual([status, json], [200, { stop: false }], text);
    await runners[0].finish();
  }
  for (const load of [first, second]) {
    const { json } = await load.conclude();
    assert.deepEqual([json.load.reason, json.load.lostRunners], ['Completed', 0]);
  }
});
