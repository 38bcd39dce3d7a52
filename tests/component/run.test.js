// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde run FILE` and what is done with the runs afterwards.

const assert = require('node:assert/strict');
const path = require('node:path');
const test = require('node:test');
const { Sonde, exited, profileRun } = require('./support/sonde.js');
const { load, startTarget } = require('./support/target.js');

const schedule = `apiVersion: sonde.dev/v1alpha1
kind: LoadTestSchedule
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  testTemplate:
    spec:
      target: {service: {name: patients, port: 80}}
      scenario:
        requests:
        - {name: all, path: /patients}
      arrival: {distribution: Poisson, rate: 500, durationSeconds: 120}
      thresholds: ["http_req_duration: p(99)<250"]
`;

async function samples(sonde, run, capture) {
  const args = ['export', run, '--capture', capture, '--format', 'cpuprofile'];
  const result = await sonde.run(args);
  exited(result, 0);
  return JSON.parse(result.stdout);
}

test('two captures of a run, several documents of a file, and what becomes of them', async (t) => {
  const target = await startTarget(t);
  const sonde = new Sonde(t);
  const busy = load(t, target.port);
  const file = sonde.document(
    'runs.yaml',
    [
      profileRun('first', [
        { name: 'fine', durationSeconds: 2, samplingIntervalMicroseconds: 500, windowSeconds: 1 },
        { name: 'coarse', durationSeconds: 1, samplingIntervalMicroseconds: 10000 },
      ]),
      profileRun('second', [{ name: 'cpu', durationSeconds: 1 }]),
    ].join('\n---\n'),
  );
  const result = await sonde.run(['run', file, '--pid', String(target.pid), '--output', 'json']);
  exited(result, 0);
  const { runs } = JSON.parse(result.stdout);
  assert.deepEqual(
    runs.map((run) => [run.name, run.state, run.captures.map((capture) => capture.name)]),
    [
      ['first', 'Succeeded', ['fine', 'coarse']],
      ['second', 'Succeeded', ['cpu']],
    ],
  );

  // The intervals asked for are those of the profiles.
  const interval = ({ samples: all, startTime, endTime }) => (endTime - startTime) / all.length;
  const fine = interval(await samples(sonde, 'first', 'fine'));
  const coarse = interval(await samples(sonde, 'first', 'coarse'));
  assert.ok(coarse > 5000, `${coarse} µs`);
  assert.ok(2 * fine < coarse, `${fine} µs and ${coarse} µs`);
  const several = await sonde.run(['export', 'first', '--format', 'folded']);
  exited(several, 2);
  assert.match(several.stderr, /several captures.*fine.*coarse.*--capture NAME/);
  const none = await sonde.run(['export', 'first', '--capture', 'heap', '--format', 'folded']);
  exited(none, 3);
  assert.match(none.stderr, /no profile called heap/);

  // Windows of one second: two artifacts, read as one profile.
  const report = await sonde.report('first', ['--capture', 'fine']);
  assert.equal(report.captures.length, 1);
  assert.equal(report.captures[0].windows, 2);
  assert.ok(Math.abs(report.captures[0].durationSeconds - 2) < 0.5);

  // A run is meant by its name, by the beginning of its uid, and by `last`.
  const listed = await sonde.runs();
  assert.deepEqual(
    listed.map((run) => run.name),
    ['second', 'first'],
  );
  const [second, first] = listed;
  assert.equal((await sonde.report('last')).uid, second.uid);
  assert.equal((await sonde.report('second')).uid, second.uid);
  const prefix = await sonde.report(first.uid.slice(0, 12));
  assert.equal(prefix.uid, first.uid);
  const text = await sonde.run(['runs']);
  assert.match(text.stdout, new RegExp(`${second.uid.slice(0, 8)} +second +Succeeded +Completed`));

  const unknown = await sonde.run(['report', 'third']);
  exited(unknown, 3);
  assert.match(unknown.stderr, /third/);

  const out = path.join(path.dirname(sonde.store), 'report.txt');
  exited(await sonde.run(['report', 'second', '-o', out]), 0);

  exited(await sonde.run(['delete', 'second']), 0);
  assert.deepEqual(
    (await sonde.runs()).map((run) => run.name),
    ['first'],
  );
  exited(await sonde.run(['report', 'second']), 3);
  assert.equal((await sonde.report('first')).uid, first.uid);
  await busy.stop();
  await target.isAsBefore();
});

test('a name that several runs have is not guessed', async (t) => {
  const target = await startTarget(t);
  const sonde = new Sonde(t);
  const document = profileRun('twice', [{ name: 'cpu', durationSeconds: 1 }]);
  const file = sonde.document('twice.yaml', `${document}\n---\n${document}`);
  const result = await sonde.run(['run', file, '--pid', String(target.pid)]);
  if (result.code === 0) {
    const [newest] = await sonde.runs();
    const named = await sonde.run(['report', 'twice', '--format', 'json']);
    // The newest of a name, or a word about it: never an older one in silence.
    if (named.code === 0) {
      assert.equal(JSON.parse(named.stdout).uid, newest.uid);
    } else {
      exited(named, 3);
      assert.match(named.stderr, /twice/);
    }
  } else {
    exited(result, 2);
    assert.match(result.stderr, /twice/);
  }
});

const invalid = [
  {
    name: 'an unknown field',
    text: profileRun('a', [{ name: 'cpu', durationSecond: 1 }]),
    says: /run\.yaml:1:\d+: spec\.captures\[0\]\.durationSecond.*durationSeconds/,
  },
  {
    name: 'a number out of bounds',
    text: 'apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a}\nspec:\n  target: {podName: a}\n  captures:\n    - {name: cpu, type: CPUProfile, durationSeconds: 0}\n',
    says: /run\.yaml:7:\d+: spec\.captures\[0\]\.durationSeconds/,
  },
  {
    name: 'an unknown kind',
    text: 'apiVersion: sonde.dev/v1alpha1\nkind: ProfilRun\nmetadata: {name: a}\n',
    says: /run\.yaml:2:\d+: kind.*ProfileRun/,
  },
  {
    name: 'a missing field',
    text: 'apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a}\nspec:\n  captures: []\n',
    says: /run\.yaml:\d+:\d+: spec.*target/,
  },
  {
    name: 'a duplicate key',
    text: 'apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nkind: ProfileRun\n',
    says: /run\.yaml:3.*kind/,
  },
  {
    name: 'an alias bomb',
    text: `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 24 }, (_, i) => {
      const letter = String.fromCharCode(98 + i);
      const before = `*${String.fromCharCode(97 + i)}`;
      return `${letter}: &${letter} [${Array(9).fill(before).join(',')}]`;
    }).join('\n')}\n`,
    says: /run\.yaml/,
  },
  { name: 'depth without end', text: '['.repeat(100000), says: /run\.yaml/ },
  { name: 'text that is no YAML', text: 'a: "b\n\u0007', says: /run\.yaml:/ },
  { name: 'an empty file', text: '', says: /run\.yaml/ },
  {
    name: 'a schedule',
    text: schedule,
    says: /Unsupported: .*run\.yaml:\d+.*not LoadTestSchedule/,
  },
];

for (const { name, text, says } of invalid) {
  test(`an invalid document is refused: ${name}`, async (t) => {
    const sonde = new Sonde(t);
    const file = sonde.document('run.yaml', text);
    // The process is the test itself: it would notice the signal.
    const result = await sonde.run(['run', file, '--pid', String(process.pid)]);
    exited(result, 2);
    assert.match(result.stderr, says);
    assert.equal(result.stdout, '');
    assert.deepEqual(await sonde.runs(), []);
    assert.ok(result.milliseconds < 5000);
  });
}

const usage = [
  { args: [], says: /usage:/ },
  { args: ['profil'], says: /did you mean profile\?/ },
  { args: ['run'], says: /usage: sonde run FILE/ },
  { args: ['report'], says: /usage: sonde report RUN/ },
  { args: ['profile', '--durations', '1s'], says: /did you mean --duration/ },
  { args: ['profile', '--pid', 'x'], says: /--pid/ },
  { args: ['profile', '--duration', '0s'], says: /--duration/ },
  { args: ['profile', '--pid', '1', '--match', 'x'], says: /one of --pid, --match/ },
  { args: ['profile', '--'], says: /command after --/ },
  { args: ['report', 'last', '-x'], says: /unknown option -x/ },
  { args: ['runs', 'now'], says: /usage: sonde runs/ },
  { args: ['export', 'last'], says: /--format/ },
  { args: ['export', 'last', '--format', 'png'], says: /--format.*cpuprofile/ },
  { args: ['spec', 'crd'], says: /crds/ },
];

test('wrong words: exit code 2, and what would be right', async (t) => {
  const sonde = new Sonde(t);
  for (const { args, says } of usage) {
    const result = await (args.length ? sonde.run(args) : sonde.start([], {}).done);
    await t.test(['sonde', ...args].join(' '), () => {
      if (args.length) {
        exited(result, 2);
        assert.match(result.stderr, says);
      }
      assert.equal(result.stdout, '');
    });
  }
});

test('what needs no process: version, help, spec, an empty store', async (t) => {
  const sonde = new Sonde(t);
  assert.match((await sonde.run(['version'])).stdout, /^sonde \d+\.\d+\.\d+\n$/);
  assert.match((await sonde.json(['version', '--output', 'json'])).version, /^\d+\.\d+\.\d+$/);
  assert.match((await sonde.run(['profile', '--help'])).stdout, /--duration/);
  const crds = await sonde.run(['spec', 'crds']);
  exited(crds, 0);
  for (const kind of ['ProfileRun', 'ProfileSchedule', 'LoadTest', 'LoadTestSchedule']) {
    assert.match(crds.stdout, new RegExp(`kind: ${kind}\\b`));
  }
  const reference = await sonde.run(['spec', 'reference']);
  exited(reference, 0);
  assert.match(reference.stdout, /durationSeconds/);
  assert.match((await sonde.run(['runs'])).stdout, /no runs yet/);
  exited(await sonde.run(['report', 'last']), 3);
  exited(await sonde.run(['delete', 'last']), 3);
  const missing = await sonde.run(['run', '/nonexistent/run.yaml']);
  exited(missing, 2);
  assert.match(missing.stderr, /\/nonexistent\/run\.yaml/);
});
