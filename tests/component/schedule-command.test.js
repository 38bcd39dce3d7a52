// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde schedule`: when the schedules of a file fire.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Sonde, exited, temporary } = require('./support/sonde.js');

const schedule = (name, spec) => ({
  ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'ProfileSchedule', metadata: { name } },
  spec: {
    ...spec,
    runTemplate: {
      spec: {
        target: { podName: 'web' },
        captures: [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 60 }],
      },
    },
  },
});

// What the command says of these documents.
function ask(t, documents, ...args) {
  const file = path.join(temporary(t), 'schedules.yaml');
  fs.writeFileSync(file, documents.map((one) => JSON.stringify(one)).join('\n---\n'));
  return new Sonde(t).run(['schedule', file, ...args]);
}

const berlin = { schedule: '30 2 * * *', timeZone: 'Europe/Berlin' };

test('the times are told in the zone of the schedule and in UTC', async (t) => {
  const documents = [schedule('nightly', { ...berlin, jitterSeconds: 60 })];
  const back = await ask(t, documents, '--count', '2', '--from', '2026-10-24T12:00:00Z');
  exited(back, 0);
  assert.equal(
    back.stdout,
    'ProfileSchedule nightly: 30 2 * * * (Europe/Berlin)\n' +
      '  2026-10-25T02:30:00+02:00  2026-10-25T00:30:00Z\n' +
      '  2026-10-26T02:30:00+01:00  2026-10-26T01:30:00Z\n' +
      'each is put off by up to 60 s\n',
  );
  const forward = await ask(t, documents, '--count=1', '--from=2026-03-28T12:00:00+01:00');
  assert.match(forward.stdout, /\n {2}2026-03-29T03:00:00\+02:00 {2}2026-03-29T01:00:00Z\n/);
});

test('for programs there is JSON, of all schedules of the file', async (t) => {
  const documents = [
    schedule('nightly', berlin),
    schedule('never', { schedule: '0 0 30 2 *', suspend: true }),
  ];
  const from = ['--from', '2026-01-01T00:00:00Z'];
  const json = await ask(t, documents, '--output', 'json', '--count', '1000', ...from);
  exited(json, 0);
  const [nightly, never] = JSON.parse(json.stdout);
  assert.equal(nightly.name, 'nightly');
  assert.equal(nightly.timeZone, 'Europe/Berlin');
  assert.equal(nightly.firings.length, 1000);
  assert.equal(nightly.firings[0], '2026-01-01T01:30:00Z');
  assert.deepEqual(never.firings, []);
  assert.equal(never.suspend, true);
  const text = await ask(t, documents, ...from);
  assert.match(text.stdout, /never: 0 0 30 2 \* \(UTC\)\n {2}never\nit is suspended/);
  assert.equal(text.stdout.match(/2026-01-\d\dT01:30:00Z/g).length, 10);
});

test('without --from the next ones are told', async (t) => {
  const before = Date.now();
  const json = await ask(t, [schedule('m', { schedule: '* * * * *' })], '--output=json');
  const [first] = JSON.parse(json.stdout)[0].firings;
  assert.ok(Date.parse(first) > before, `${first} after ${new Date(before).toISOString()}`);
});

const wrong = [
  ['a zone that is not there', [schedule('n', { ...berlin, timeZone: 'Mars/Base' })], [], /Mars/],
  ['a schedule that is none', [schedule('n', { schedule: '61 * * * *' })], [], /spec\.schedule/],
  ['a time that is none', [schedule('n', berlin)], ['--from', 'noon'], /--from noon/],
  ['too many', [schedule('n', berlin)], ['--count', '1001'], /--count/],
  [
    'no schedule at all',
    [{ ...schedule('n', {}), kind: 'ProfileRun', spec: schedule('n', {}).spec.runTemplate.spec }],
    [],
    /no ProfileSchedule/,
  ],
];
for (const [what, documents, args, pattern] of wrong) {
  test(`refused: ${what}`, async (t) => {
    const result = await ask(t, documents, ...args);
    assert.ok(result.code === 2 || result.code === 3, `it ended with ${result.code}`);
    assert.match(result.stderr, pattern);
    assert.equal(result.stdout, '');
  });
}
