// SPDX-License-Identifier: Apache-2.0
'use strict';

// What the page makes of coverage: files, what never ran, and the lines of sources. The data are
// made up, in the shape that lib/analysis writes, but for one run.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Browser, profile, temporary } = require('./support/page.js');
const { coverageData } = require('./support/data.js');

const browser = new Browser(test);

const rows = async (report, table) =>
  (await report.page.locator(`#${table} tbody tr`).allInnerTexts()).map((text) =>
    text.split('\t').map((cell) => cell.trim()),
  );

test('coverage: how much of which file was executed', async (t) => {
  const report = await browser.open(t, coverageData());
  assert.ok(await report.page.locator('#coverage').isHidden());
  await report.page.getByRole('button', { name: 'coverage', exact: true }).click();
  assert.ok(await report.page.locator('#graph').isHidden());
  assert.match(await report.text('#findings-list'), /2 of 5 functions of yours were never called/);
  assert.match(
    await report.text('#coverage .facts'),
    /Functions called\s+3 of 5\s+Executed\s+70\.0 %\s+Files\s+2/,
  );
  // What has most that never ran comes first.
  assert.deepEqual(await rows(report, 'coverage-files-table'), [
    ['src/visits.ts', '60.0 %', '200', '2', '1'],
    ['server.js', '80.0 %', '100', '3', '1'],
  ]);
  await report.page.locator('#coverage-files-table').getByRole('button', { name: 'File' }).click();
  assert.equal((await rows(report, 'coverage-files-table'))[0][0], 'server.js');
  assert.ok(await report.page.locator('#coverage-changes-functions').isHidden());
});

test('what was never called, never reached and called most, with places in the sources', async (t) => {
  const report = await browser.open(t, coverageData(), { hash: '#capture=1' });
  assert.deepEqual(await rows(report, 'coverage-neverCalled-table'), [
    ['mergeVisits', '180', 'src/visits.ts:4'],
    ['evil\\u{202e}', '100', 'server.js, 5'],
  ]);
  assert.deepEqual(await rows(report, 'coverage-neverReached-table'), [
    ['loadVisits', '20', '2', 'src/visits.ts:2'],
  ]);
  assert.deepEqual(await rows(report, 'coverage-mostCalled-table'), [
    ['handle', '900', 'server.js:3'],
    ['loadVisits', '12', 'src/visits.ts:1'],
  ]);
});

test('the lines of a file are marked, and a link shows the same', async (t) => {
  const report = await browser.open(t, coverageData(), { hash: '#capture=1' });
  assert.ok(await report.page.locator('#coverage-source').isHidden());
  // Of a file without its text there is nothing to show.
  assert.equal(await report.page.getByRole('button', { name: 'server.js' }).count(), 0);
  await report.page.getByRole('button', { name: 'src/visits.ts', exact: true }).click();
  const lines = report.page.locator('#coverage-source tbody tr');
  assert.deepEqual(await lines.evaluateAll((all) => all.map((row) => row.className)), [
    'ran',
    'partly',
    '',
    'never',
  ]);
  assert.deepEqual(
    (await lines.allInnerTexts()).map((text) => text.split('\t').slice(0, 3)),
    [
      ['1', '12', ''],
      ['2', '12', 'in part'],
      ['3', '', ''],
      ['4', '0', 'never'],
    ],
  );
  assert.match(await lines.nth(1).innerText(), /if \(none\) \{ return <b>\[\]<\/b>; \}/);
  assert.match(await report.hash(), /function=0/);
  const again = await browser.open(t, coverageData(), { hash: await report.hash() });
  assert.ok(await again.page.locator('#coverage-source').isVisible());
  await report.page.goBack();
  assert.ok(await report.page.locator('#coverage-source').isHidden());
});

const SUMS = `// Sums, and seldom fails.
let sum = 0;
exports.add = function add(value) {
  if (value < 0) {
    throw new RangeError('negative');
  }
  sum += value;
};
exports.forgotten = () => {
  return sum;
};
`;

// Of what was compiled before, V8 knows no blocks: each time it is another text.
const PROGRAM = `const fs = require('node:fs');
const text = fs.readFileSync(__dirname + '/sums.js', 'utf8');
const other = __dirname + '/other.js';
let count = 0;
setInterval(() => {
  fs.writeFileSync(other, text + '// ' + count++);
  fs.renameSync(other, require.resolve('./sums.js'));
  delete require.cache[require.resolve('./sums.js')];
  require('./sums.js').add(1);
}, 20);
console.log('ready');
`;

test('a real run of plain JavaScript: its own lines are marked', async (t) => {
  const directory = temporary();
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const script = path.join(directory, 'service.js');
  fs.writeFileSync(script, PROGRAM);
  fs.writeFileSync(path.join(directory, 'sums.js'), SUMS);
  const { html } = await profile(directory, script, '1s', '--type', 'coverage');
  const report = await browser.open(t, html);
  await report.page
    .getByRole('button', { name: /sums\.js$/ })
    .first()
    .click();
  const lines = report.page.locator('#coverage-source tbody tr');
  const states = await lines.evaluateAll((all) => all.map((row) => row.className));
  assert.deepEqual(states, [
    '',
    'ran',
    'ran',
    'partly',
    'never',
    'never', // the brace behind it
    'ran',
    'ran',
    'partly',
    'never',
    'partly',
    '',
  ]);
  const rows = (await lines.allInnerTexts()).map((text) => text.split('\t'));
  assert.ok(Number(rows[6][1]) > 10, rows.join('\n'));
  assert.equal(rows[9][1], '0');
  assert.match(rows[9].at(-1), /^ {2}return sum;$/);
});

test('a finding leads to the file', async (t) => {
  const report = await browser.open(t, coverageData(), { hash: '#capture=1' });
  await report.page.getByRole('button', { name: 'src/visits.ts:4' }).first().click();
  assert.match(await report.text('#coverage-source h3'), /src\/visits\.ts/);
});

test('two runs: what is executed now, what no more, and whose calls changed', async (t) => {
  const report = await browser.open(t, coverageData({ compared: true }), { hash: '#capture=1' });
  const facts = await report.text('#coverage .facts');
  assert.match(facts, /Before\s+monday \(11111111\)\s+After\s+tuesday \(33333333\)/);
  assert.deepEqual(await rows(report, 'coverage-changes-functions-table'), [
    ['mergeVisits', 'executed no more', '7', '0', '−7', '180', 'src/visits.ts:4'],
    ['handle', '', '100', '900', '+800', '80', 'server.js:3'],
  ]);
  assert.deepEqual(await rows(report, 'coverage-changes-stretches-table'), [
    ['loadVisits', 'executed no more', '20', 'src/visits.ts:2'],
  ]);
});
