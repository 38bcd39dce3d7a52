// SPDX-License-Identifier: Apache-2.0
'use strict';

// Load tests on several runners in a real store: the runners are played.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const test = require('node:test');
const { LoadTest, tally } = require('./support/load-runners.js');
const { Service } = require('./support/store-service.js');
const { bin } = require('./support/sonde.js');
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
    assert.match(execFileSync(bin, ['report', load.uid, '--store', store]).toString(), /patients-5/);
  });
}
