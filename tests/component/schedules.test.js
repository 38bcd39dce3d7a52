// SPDX-License-Identifier: Apache-2.0
'use strict';

// When schedules fire, beside Python's zoneinfo at each change of the clocks of ten years, and
// beside croniter where the clocks do not change.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const test = require('node:test');
const { Random } = require('./support/random.js');
const { bin, root } = require('./support/sonde.js');

const program = path.join(path.dirname(bin), '..', 'tests', 'program_schedule');
const zones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe', // by half an hour
  'Africa/Casablanca', // back for Ramadan
  'America/St_Johns',
];
const AROUND = 26 * 3600; // seconds before and after a change

const ours = (cases) =>
  execFileSync(program, {
    input: cases
      .map(({ zone, from, to, schedule }) => `${zone} ${from} ${to} ${schedule}\n`)
      .join(''),
    maxBuffer: 1 << 28,
  })
    .toString()
    .split('\n')
    .map((line) => line.split(' ').filter(Boolean).map(Number));

function theirs(asks) {
  const python = execFileSync(path.join(root, 'tests/environment/python')).toString().trim();
  const script = path.join(__dirname, 'support', 'schedules.py');
  const input = asks.map((ask) => `${JSON.stringify(ask)}\n`).join('');
  const said = execFileSync(python, [script], { input, maxBuffer: 1 << 28 }).toString();
  return said.trim().split('\n').map(JSON.parse);
}

// A field of a schedule: a list, a range, steps or a star.
function field(random, low, high, names) {
  const name = (value) => (names && random.below(2) ? names[value - low] : value);
  // A range of one value is all of them to croniter.
  const first = low + random.below(high - low);
  const last = first + 1 + random.below(high - first);
  return random.of([
    '*',
    '*',
    `${name(first)}`,
    `${name(first)}-${name(last)}`,
    `${name(first)},${name(last)}`,
    `${name(first)}-${name(last)}/${1 + random.below(high)}`,
  ]);
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const weekdays = 'sun mon tue wed thu fri sat'.split(' ');

function someSchedule(random) {
  return [
    random.of(['0', '30', '*/15', field(random, 0, 59)]),
    random.of(['1', '2', '1-3', field(random, 0, 23)]),
    field(random, 1, 28),
    field(random, 1, 12, months),
    field(random, 0, 6, weekdays),
  ].join(' ');
}

test('at every change of the clocks of ten years', (t) => {
  const random = new Random();
  const [changes] = theirs([{ zones, years: [2021, 2030] }]);
  const fixed = ['30 2 * * *', '0 2 * * *', '*/20 1-2 * * *', '30 * * * *', '45 1 * * sun'];
  const cases = zones.flatMap((zone) => {
    assert.ok(changes[zone].length >= 20, `${zone}: ${changes[zone]}`);
    return changes[zone].flatMap((at) =>
      [...fixed, someSchedule(random)].map((schedule) => {
        return { zone, from: at - AROUND, to: at + AROUND, schedule };
      }),
    );
  });
  const said = ours(cases);
  const expected = theirs(cases);
  let fired = 0;
  cases.forEach((each, i) => {
    assert.deepEqual(said[i], expected[i], JSON.stringify(each));
    fired += said[i].length;
  });
  t.diagnostic(`${cases.length} cases, ${fired} times`);
  assert.ok(fired > cases.length);
});

test('of any schedule in UTC, as croniter says', () => {
  const random = new Random();
  const asks = Array.from({ length: 300 }, () => {
    const from = 1700000000 + random.below(400 * 86400);
    return { from, count: 5, schedule: someSchedule(random) };
  });
  const expected = theirs(asks);
  const cases = asks.map((ask, i) => ({ ...ask, zone: 'UTC', to: expected[i].at(-1) }));
  const said = ours(cases);
  cases.forEach((each, i) => {
    assert.deepEqual(said[i], expected[i], JSON.stringify(each));
  });
});
