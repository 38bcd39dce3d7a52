// SPDX-License-Identifier: Apache-2.0
'use strict';

// spec.profile at the end of a load test: what the profile says, beside what the load measured.

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const test = require('node:test');
const { LoadTest, tally } = require('./support/load-runners.js');
const { Service, sql } = require('./support/store-service.js');

const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 3 }];

// Of which four functions have so many of the samples.
function profileOf(shares) {
  const at = (functionName, url, lineNumber) => {
    return { functionName, url, lineNumber, columnNumber: 0, scriptId: '1' };
  };
  const children = Object.keys(shares).map((_, i) => i + 2);
  const nodes = [{ id: 1, callFrame: at('(root)', '', -1), children }];
  const samples = [];
  for (const [name, share] of Object.entries(shares)) {
    const id = nodes.length + 1;
    nodes.push({ id, callFrame: at(name, `file:///app/${name}.js`, id) });
    samples.push(...Array(share).fill(id));
  }
  const timeDeltas = samples.map(() => 10_000);
  return Buffer.from(
    JSON.stringify({ nodes, startTime: 0, endTime: 10_000 * samples.length, samples, timeDeltas }),
  );
}

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
  const bytes = profileOf({ hash: 60, render: 25, parse: 12, rare: 3 });
  assert.equal((await taken.store('cpu.0', bytes)).status, 201);
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
  assert.match(
    good.title,
    /^6[01]% of the busy time: hash hash\.js:3; then 25% render render\.js:4, 12% parse parse\.js:5$/,
  );
  const near = (value, wanted) => assert.ok(Math.abs(value - wanted) < wanted / 100, `${value}`);
  near(good.p50With, 9000);
  near(good.p99With, 9000);
  near(good.p50Without, 1000);
  near(good.p99Without, 1000);
  assert.equal(bad.failure, 'the pod refused it');
  // Both are what a person reads.
  const report = await service.person('GET', `runs/${load.uid}/report?namespace=clinic`);
  const line = `cpu meanwhile, 2 s to 5 s: ${good.title} (sonde report ${taken.uid.slice(0, 8)})`;
  assert.ok(report.text.replace(/\s+/g, ' ').includes(line), report.text);
  assert.match(report.text, /in its seconds, and in the others: 50 % 9\.\d+ ms and 1\.\d+ ms/);
  assert.match(report.text, /^cpu meanwhile, .*: no profile: the pod refused it$/m);
});
