// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde load --profile`: the process that is loaded is profiled meanwhile.

const assert = require('node:assert/strict');
const test = require('node:test');
const { Sonde, exited } = require('./support/sonde.js');
const { inspectorPort, listens, startTarget } = require('./support/target.js');
const { until } = require('./support/wait.js');

const load = ['load', '-c', '2', '-d', '8'];
const profile = ['--profile', 'cpu', '--profile-delay', '1s', '--profile-duration', '3s'];

for (const line of [18, 22, 26]) {
  test(`Node.js ${line}: the report names the line, and the process is as it was`, async (t) => {
    const target = await startTarget(t, { line });
    const sonde = new Sonde(t);
    const url = `http://127.0.0.1:${target.port}/work`;
    const result = await sonde.run([...load, url, ...profile, '--json']);
    exited(result, 0);
    const [taken] = JSON.parse(result.stdout).sonde.profiles;
    assert.equal(taken.type, 'cpu');
    assert.match(taken.title, /of the busy time is spent in hotSpot/);
    assert.match(taken.where, /^hotSpot app\.js:\d+$/);
    assert.ok(taken.fromNanoseconds >= 1e9 && taken.fromNanoseconds < 3e9);
    assert.ok(taken.toNanoseconds > taken.fromNanoseconds + 3e9);
    // What it cost: most of the seconds of either kind are whole.
    assert.ok(taken.p50With >= 12000 && taken.p50Without >= 12000, JSON.stringify(taken));
    const kept = await sonde.report(taken.run);
    assert.equal(kept.uid, taken.run);
    assert.equal(kept.captures[0].type, 'CPUProfile');
    await target.isAsBefore();
  });
}

test('the text says it, too, with how to see more', async (t) => {
  const target = await startTarget(t);
  const url = `http://127.0.0.1:${target.port}/work`;
  const result = await new Sonde(t).run([...load, url, ...profile, '--pid', String(target.pid)]);
  exited(result, 0);
  assert.match(
    result.stdout,
    /^cpu meanwhile, \d s to \d s: .*hotSpot, hotSpot app\.js:\d+ \(sonde report [0-9a-f]{8}\)$/m,
  );
  assert.match(result.stdout, /^ {2}response in its seconds, and in the others: 50 % /m);
});

test('it waits for the load to come to rest, as long as there is time', async (t) => {
  const target = await startTarget(t);
  const url = `http://127.0.0.1:${target.port}/work`;
  const wanted = ['--profile', 'cpu', '--profile-duration', '2s', '--json'];
  const result = await new Sonde(t).run(['load', '-c', '1', '-d', '12', url, ...wanted]);
  exited(result, 0);
  const [taken] = JSON.parse(result.stdout).sonde.profiles;
  // Too short to be called steady: the last second at which it is over before the load.
  assert.ok(taken.fromNanoseconds >= 7e9 && taken.fromNanoseconds < 9e9, JSON.stringify(taken));
  assert.equal(taken.failure, undefined);
});

test('a load that is interrupted ends its profile, and leaves the process clean', async (t) => {
  const target = await startTarget(t);
  const sonde = new Sonde(t);
  const url = `http://127.0.0.1:${target.port}/work`;
  const long = ['--profile', 'cpu', '--profile-delay', '1ms', '--profile-duration', '60s'];
  const running = sonde.start(['load', '-c', '2', '-f', url, ...long, '--json']);
  await until(() => listens(inspectorPort), 20000, 'the inspector to open');
  running.child.kill('SIGINT');
  const result = await running.done;
  exited(result, 0);
  const [taken] = JSON.parse(result.stdout).sonde.profiles;
  assert.equal(taken.failure, undefined);
  assert.ok(taken.run);
  await target.isAsBefore();
});

test('why there is no profile is said, and the load is measured all the same', async (t) => {
  const target = await startTarget(t);
  const url = `http://127.0.0.1:${target.port}/work`;
  const result = await new Sonde(t).run([...load, url, ...profile, '--match', 'nothing-of-it']);
  exited(result, 0);
  assert.match(
    result.stdout,
    /no profile: TargetNotFound: no Node\.js process matches "nothing-of-it"$/m,
  );
  const typo = await new Sonde(t).run(['load', url, '--profile', 'cpus']);
  exited(typo, 2);
  assert.match(typo.stderr, /--profile cpus: there is no such type/);
});
