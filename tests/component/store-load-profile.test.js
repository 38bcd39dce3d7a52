// SPDX-License-Identifier: Apache-2.0
'use strict';

// spec.profile at the end of a load test: what the profile says, beside what the load measured.

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const test = require('node:test');
const { LoadTest, tally } = require('./support/load-runners.js');
const { Service, profileBytes, sql } = require('./support/store-service.js');

const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 3 }];

// A profile of these seconds of the test, whatever the clock says now.
function place(service, uid, start, from, to) {
  const at = (seconds) => (BigInt(start) + BigInt(seconds) * 1_000_000n) * 1000n;
  sql(
    service,
    `UPDATE runs SET created = ${at(from)}, completed = ${at(to)} WHERE uid = '${uid}' RETURNING 1`,
  );
}

test('a profile that was taken meanwhile is shown beside the latency', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 1);
  const [{ start }] = await load.begin();
  const [runner] = load.runners;
  const taken = await service.run({ name: 'patients-500', spec: { captures } });
  assert.equal((await taken.store('cpu.0', profileBytes())).status, 201);
  await taken.done();
  assert.equal((await taken.conclude()).status, 200);
  place(service, taken.uid, start, 2, 5);
  const failed = await service.run({ name: 'patients-500-b', spec: { captures } });
  await failed.conclude('Failed', { reason: 'AttachDenied', message: 'the pod refused it' });
  for (let second = 0; second < 8; second++) {
    const slow = second >= 2 && second < 5;
    const own = tally(Array.from({ length: 20 }, () => (slow ? 9000 : 1000)));
    assert.equal((await runner.second(own)).status, 200);
  }
  await runner.finish();
  const profiles = [taken.uid, failed.uid, randomUUID()];
  const { status, json, text } = await load.conclude({ profiles });
  assert.equal(status, 200, text);
  const id = json.load.artifact;
  const kept = JSON.parse((await service.person('GET', `artifacts/${id}?namespace=clinic`)).text);
  assert.equal(kept.profiles.length, 2, 'one that is gone is left out');
  const [good, bad] = kept.profiles;
  assert.deepEqual([good.type, good.run], ['cpu', taken.uid]);
  assert.deepEqual([good.fromNanoseconds, good.toNanoseconds], [2e9, 5e9]);
  assert.match(good.title, /^\d+% of the busy time: hot work\.js:1$/);
  const near = (value, wanted) => assert.ok(Math.abs(value - wanted) < wanted / 100, `${value}`);
  near(good.p50With, 9000);
  near(good.p99With, 9000);
  near(good.p50Without, 1000);
  near(good.p99Without, 1000);
  assert.equal(bad.failure, 'the pod refused it');
  // Both are what a person reads.
  const report = await service.person('GET', `runs/${load.uid}/report?namespace=clinic`);
  assert.match(
    report.text,
    /^cpu meanwhile, 2 s to 5 s: \d+% of the busy time: hot work\.js:1 \(sonde report [0-9a-f]{8}\)$/m,
  );
  assert.match(report.text, /in its seconds, and in the others: 50 % 9\.\d+ ms and 1\.\d+ ms/);
  assert.match(report.text, /^cpu meanwhile, .*: no profile: the pod refused it$/m);
});
