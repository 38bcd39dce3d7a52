// SPDX-License-Identifier: Apache-2.0
'use strict';

// `kubectl sonde rerun` and `run-now`: new runs of a spec that is there already.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { ApiServer } = require('./support/api-server.js');
const { bin, exited, start } = require('./support/sonde.js');
const { Service, personToken } = require('./support/store-service.js');
const { until } = require('./support/wait.js');

const plugin = path.join(path.dirname(bin), 'kubectl-sonde');
const apiVersion = 'sonde.dev/v1alpha1';
const loadSpec = {
  target: { service: { name: 'patients', port: 80 } },
  scenario: { requests: [{ name: 'list', path: '/list' }] },
  arrival: { rate: 100, durationSeconds: 30 },
  connections: 10,
  onRunnerLoss: 'Continue',
};
const profileSpec = {
  target: { podName: 'a' },
  captures: [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 5 }],
};

async function cluster(t) {
  const server = await new ApiServer(t).start();
  const env = { ...process.env, KUBECONFIG: server.kubeconfig() };
  const begin = (args) => start(t, plugin, args, { env });
  return { server, begin, run: (args) => begin(args).done };
}

function put(server, plural, kind, name, spec, more = {}) {
  const key = `${plural === 'profileruns' ? '' : `${plural}/`}clinic/${name}`;
  const { metadata, ...others } = more;
  const all = { name, namespace: 'clinic', ...metadata };
  server.put(key, { apiVersion, kind, metadata: all, spec, ...others });
}

function created(server, plural) {
  return JSON.parse(server.asked('POST', plural).at(-1).body);
}

test('a load test is made again under another name, and followed', async (t) => {
  const { server, begin } = await cluster(t);
  const labels = { team: 'a', 'sonde.dev/schedule': 'nightly' };
  const annotations = { 'sonde.dev/requester': 'bob', note: 'x' };
  const ownerReferences = [{ apiVersion, kind: 'LoadTestSchedule', name: 'nightly', uid: 'u' }];
  const metadata = { labels, annotations, ownerReferences, generation: 2 };
  const spec = { ...loadSpec, cancel: true, paused: true };
  const status = { conditions: [{ type: 'Succeeded', status: 'False', reason: 'Cancelled' }] };
  put(server, 'loadtests', 'LoadTest', 'spike', spec, { metadata, status });
  server.store['runs/22222222-2222-4333-8444-555555555555/report'] = () => [200, 'the report\n'];
  const again = begin(['rerun', 'spike']);
  await until(() => server.watches.length > 0, 20000, 'the watch');
  const made = created(server, 'loadtests');
  assert.match(made.metadata.name, /^spike-[a-z0-9]{5}$/);
  assert.deepEqual(made.metadata.labels, { team: 'a', 'sonde.dev/series': 'spike' });
  assert.deepEqual(made.metadata.annotations, { 'sonde.dev/rerun-of': 'spike' });
  assert.equal(made.metadata.ownerReferences, undefined);
  assert.equal(made.spec.onRunnerLoss, 'Continue');
  assert.equal(made.spec.cancel, false);
  assert.equal(made.spec.paused, false);
  const succeeded = { Succeeded: ['False', 'ThresholdBroken', 'no'] };
  server.change(`loadtests/clinic/${made.metadata.name}`, succeeded);
  const result = await again.done;
  exited(result, 99);
  assert.match(result.stderr, new RegExp(`loadtest/${made.metadata.name} created in clinic`));
  // Of its rerun the name does not grow, and a name of one's own is taken.
  const third = ['rerun', made.metadata.name, '--no-wait'];
  exited(await begin(third).done, 0);
  assert.match(created(server, 'loadtests').metadata.name, /^spike-[a-z0-9]{5}$/);
  exited(await begin([...third, '--name', 'spike-b']).done, 0);
  assert.equal(created(server, 'loadtests').metadata.name, 'spike-b');
  exited(await begin([...third, '--name', 'spike-b']).done, 1);
  exited(await begin([...third, '--name', 'No Name']).done, 2);
});

test('what is run under one name is a series, each with a name of its own', async (t) => {
  const { server, run } = await cluster(t);
  const directory = server.directory;
  const write = (metadata, kind = 'LoadTest') => {
    const file = path.join(directory, 'test.json');
    fs.writeFileSync(file, JSON.stringify({ apiVersion, kind, metadata, spec: loadSpec }));
    return file;
  };
  const labels = { team: 'a', 'sonde.dev/series': 'other' };
  const named = write({ name: 'spike', labels });
  const names = new Set();
  for (let i = 0; i < 2; i++) {
    exited(await run(['run', named, '--no-wait', '--name', 'main']), 0);
    const { metadata } = created(server, 'loadtests');
    assert.match(metadata.name, /^main-[a-z0-9]{5}$/);
    assert.deepEqual(metadata.labels, { team: 'a', 'sonde.dev/series': 'main' });
    names.add(metadata.name);
  }
  assert.equal(names.size, 2);
  exited(await run(['rerun', [...names][0], '--no-wait']), 0);
  const again = created(server, 'loadtests').metadata;
  assert.match(again.name, /^main-[a-z0-9]{5}$/);
  assert.equal(again.labels['sonde.dev/series'], 'main');
  exited(await run(['run', write({ generateName: 'nightly-' }), '--no-wait']), 0);
  const generated = created(server, 'loadtests').metadata;
  assert.match(generated.name, /^nightly-[a-z0-9]{5}$/);
  assert.equal(generated.labels['sonde.dev/series'], 'nightly');
  exited(await run(['run', named, '--no-wait', '--name', 'No Name']), 2);
  const count = server.asked('POST', 'loadtests').length;
  const both = [1, 2].map((i) => fs.readFileSync(write({ name: `a-${i}` }), 'utf8'));
  fs.writeFileSync(named, both.join('\n---\n'));
  const two = await run(['run', named, '--no-wait', '--name', 'main']);
  exited(two, 2);
  assert.match(two.stderr, /--name calls one document, and there are 2/);
  const spec = { schedule: '@daily', testTemplate: { spec: loadSpec } };
  const nightly = { apiVersion, kind: 'LoadTestSchedule', metadata: { name: 'nightly' }, spec };
  fs.writeFileSync(named, JSON.stringify(nightly));
  const schedule = await run(['run', named, '--name', 'main']);
  exited(schedule, 2);
  assert.match(schedule.stderr, /LoadTestSchedule nightly has the name of its document/);
  assert.equal(server.asked('POST', 'loadtests').length, count);
});

test('a long name is cut for what is added to it', async (t) => {
  const { server, run } = await cluster(t);
  const name = `${'a'.repeat(56)}-${'b'.repeat(6)}`;
  put(server, 'profileruns', 'ProfileRun', name, profileSpec);
  exited(await run(['rerun', name, '--no-wait']), 0);
  const made = created(server, 'profileruns');
  assert.match(made.metadata.name, /^a{56}-[a-z0-9]{5}$/);
  assert.equal(made.spec.captures[0].durationSeconds, 5);
});

test('of a run whose object is gone the document in the store is taken', async (t) => {
  const { server, run } = await cluster(t);
  const service = await Service.start(t);
  const kept = await service.run({ name: 'spike', kind: 'LoadTest', spec: loadSpec });
  server.forward(service, personToken);
  for (const named of ['spike', kept.uid.slice(0, 8), 'last']) {
    const result = await run(['rerun', named, '--no-wait']);
    exited(result, 0);
    const made = created(server, 'loadtests');
    assert.match(made.metadata.name, /^spike-[a-z0-9]{5}$/);
    assert.equal(made.metadata.namespace, 'clinic');
    assert.equal(made.spec.connections, 10);
  }
  const one = { name: 'main-abcde', kind: 'LoadTest', spec: loadSpec, schedule: 'series/main' };
  await service.run(one);
  for (const named of ['main', 'main-abcde']) {
    exited(await run(['rerun', named, '--no-wait']), 0);
    const { metadata } = created(server, 'loadtests');
    assert.match(metadata.name, /^main-[a-z0-9]{5}$/);
    assert.equal(metadata.labels['sonde.dev/series'], 'main');
  }
  exited(await run(['rerun', 'other']), 3);
  exited(await run(['rerun', 'spike', '-n', 'billing']), 3);
  const printed = await run(['rerun', 'spike', '--dry-run']);
  exited(printed, 0);
  assert.equal(JSON.parse(printed.stdout).spec.arrival.rate, 100);
});

test('what this version cannot read is not made again', async (t) => {
  const { server, run } = await cluster(t);
  put(server, 'loadtests', 'LoadTest', 'new', { ...loadSpec, unheard: 1 });
  const result = await run(['rerun', 'new']);
  exited(result, 2);
  assert.match(result.stderr, /cannot be made again by this version.*unheard/);
  assert.equal(server.asked('POST', 'loadtests').length, 0);
});

const template = {
  metadata: { labels: { team: 'a', 'sonde.dev/schedule': 'x' }, annotations: { note: 'y' } },
  spec: loadSpec,
};

test('a run of a schedule is made now, as its own', async (t) => {
  const { server, run } = await cluster(t);
  const spec = { schedule: '@daily', suspend: true, testTemplate: template };
  put(server, 'loadtestschedules', 'LoadTestSchedule', 'nightly', spec);
  const result = await run(['run-now', 'nightly', '--no-wait']);
  exited(result, 0);
  const { metadata, spec: own, kind } = created(server, 'loadtests');
  assert.match(metadata.name, /^nightly-now-[a-z0-9]{5}$/);
  assert.equal(kind, 'LoadTest');
  assert.equal(own.connections, 10);
  assert.deepEqual(metadata.labels, { team: 'a', 'sonde.dev/schedule': 'nightly' });
  assert.deepEqual(metadata.annotations, { note: 'y', 'sonde.dev/run-now': 'true' });
  const { uid } = server.objects.get('loadtestschedules/clinic/nightly').metadata;
  const owner = { apiVersion, kind: 'LoadTestSchedule', name: 'nightly', uid, controller: true };
  assert.deepEqual(metadata.ownerReferences, [owner]);
  put(server, 'profileschedules', 'ProfileSchedule', 'nightly', {
    schedule: '@hourly',
    runTemplate: { spec: profileSpec },
  });
  const both = await run(['run-now', 'nightly', '--no-wait']);
  exited(both, 2);
  assert.match(both.stderr, /loadtestschedule\/nightly or profileschedule\/nightly/);
  exited(await run(['run-now', 'psched/nightly', '--no-wait', '--name', 'mine']), 0);
  assert.equal(created(server, 'profileruns').metadata.name, 'mine');
  exited(await run(['run-now', 'deployment/nightly']), 2);
  exited(await run(['run-now', 'hourly']), 3);
});

for (const [policy, code] of [
  ['Allow', 0],
  ['Forbid', 1],
  ['Replace', 1],
]) {
  test(`with ${policy} a second run is ${code ? 'refused' : 'made'} while one goes on`, async (t) => {
    const { server, run } = await cluster(t);
    const spec = {
      schedule: '@daily',
      concurrencyPolicy: policy,
      testTemplate: { spec: loadSpec },
    };
    const status = { active: ['gone', 'nightly-1', 'nightly-2'] };
    put(server, 'loadtestschedules', 'LoadTestSchedule', 'nightly', spec, { status });
    const conditions = (truth) => ({ conditions: [{ type: 'Succeeded', status: truth }] });
    const under = (name, truth) =>
      put(server, 'loadtests', 'LoadTest', name, loadSpec, { status: conditions(truth) });
    under('nightly-1', 'False');
    under('nightly-2', 'Unknown');
    const result = await run(['run-now', 'nightly', '--no-wait']);
    exited(result, code);
    if (code) {
      assert.match(result.stderr, /nightly-2 of nightly is not over.*--force/);
    }
    exited(await run(['run-now', 'nightly', '--no-wait', '--force']), 0);
    // The status may be a moment behind what has become of the run.
    under('nightly-2', 'True');
    exited(await run(['run-now', 'nightly', '--no-wait']), 0);
  });
}
