// SPDX-License-Identifier: Apache-2.0
'use strict';

// The table of functions, their ranks, the details of one, and the stretch of time.

const assert = require('node:assert/strict');
const test = require('node:test');
const { Browser } = require('./support/page.js');
const { exampleData } = require('./support/data.js');

const browser = new Browser(test);

const BY_SELF = ['build', 'query', 'render', 'findAll', 'listOnTimeout', '(garbage collector)'];

test('what the graph shows can be read as a table', async (t) => {
  const report = await browser.open(t, exampleData());
  const table = report.page.getByRole('table', { name: 'Functions by what they cost' });
  assert.deepEqual(await table.getByRole('columnheader').allInnerTexts(), [
    'Function',
    'Self ▼',
    'Total',
    'Samples',
    'File and line',
    'Category',
    'Package',
  ]);
  const row = table.getByRole('row', { name: /^findAll/ });
  assert.match(
    (await row.innerText()).replace(/\s+/g, ' '),
    /^findAll 10\.0 % 500 ms 52\.0 % 2\.60 s 50 node_modules\/sequelize\/lib\/model\.js:1200 Packages sequelize@6\.37\.3$/,
  );
  assert.deepEqual((await report.functions()).slice(0, 6), BY_SELF);
});

test('columns sort both ways, and say so', async (t) => {
  const report = await browser.open(t, exampleData());
  const sort = (name) => report.page.getByRole('columnheader', { name }).getAttribute('aria-sort');
  assert.equal(await sort(/^Self/), 'descending');
  await report.page.getByRole('button', { name: /^Total/ }).click();
  assert.deepEqual((await report.functions()).slice(0, 3), ['handle', 'loadVisits', 'findAll']);
  assert.equal(await sort(/^Total/), 'descending');
  assert.equal(await sort(/^Self/), 'none');
  await report.page.getByRole('button', { name: /^Total/ }).press('Enter');
  assert.equal(await sort(/^Total/), 'ascending');
  assert.equal((await report.functions()).at(-1), 'handle');
  await report.page.getByRole('button', { name: /^Function/ }).click();
  assert.deepEqual((await report.functions()).slice(0, 2), ['(garbage collector)', 'build']);
  await report.page.getByRole('button', { name: /^Package/ }).click();
  assert.deepEqual((await report.functions()).slice(-2).sort(), ['build', 'findAll']);
});

test('rows are filtered by text, category and package', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.page.getByLabel('Category', { exact: true }).selectOption('Packages');
  assert.deepEqual(await report.functions(), ['build', 'query', 'findAll']);
  await report.page.getByLabel('Package', { exact: true }).selectOption('sequelize');
  assert.deepEqual(await report.functions(), ['build', 'findAll']);
  await report.page.getByLabel('Only').fill('1200');
  assert.deepEqual(await report.functions(), ['findAll']);
  assert.equal(await report.text('#table-status'), '1 of 1 functions shown');
  await report.page.getByLabel('Package', { exact: true }).selectOption('all');
  await report.page.getByLabel('Category', { exact: true }).selectOption('all');
  await report.page.getByLabel('Only').fill('/^(load|ren)/');
  assert.deepEqual(await report.functions(), ['render', 'loadVisits']);
});

test('the hottest functions one after the other', async (t) => {
  const report = await browser.open(t, exampleData());
  const go = (name) =>
    report.page.getByRole('button', { name: `${name} of the hottest functions` }).click();
  await go('First');
  assert.equal(await report.text('#rank'), '#1 of 9');
  assert.match(await report.text('#detail'), /build\s/);
  await go('Next');
  assert.match(await report.text('#detail'), /query\s/);
  await go('Last');
  assert.equal(await report.text('#rank'), '#9 of 9');
  assert.match(await report.text('#detail'), /handle\s/);
  await go('Previous');
  assert.equal(await report.text('#rank'), '#8 of 9');
  await report.press('p');
  assert.equal(await report.text('#rank'), '#7 of 9');
  await report.press('n');
  assert.equal(await report.text('#rank'), '#8 of 9');
});

test('a function: what it cost, who calls it, what it calls, its lines', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.page.getByRole('button', { name: 'loadVisits' }).last().click();
  const detail = (await report.text('#detail-view')).replace(/\s+/g, ' ');
  assert.match(
    detail,
    /^loadVisits routes\/visits\.js:41 Self 8\.0 % \(400 ms\) Total 60\.0 % \(3\.00 s\)/,
  );
  assert.match(
    detail,
    /Lines Samples by line 43 75\.0 % 45 25\.0 % The text of the source is not kept with the run\./,
  );
  assert.match(detail, /Called by handle 100\.0 %/);
  assert.match(detail, /Calls findAll 86\.7 %/);
  await report.page.locator('#detail').getByRole('button', { name: 'findAll' }).click();
  assert.match(
    await report.text('#detail-view'),
    /findAll[\s\S]*Calls\s+build\s+42\.3 %\s+query\s+38\.5 %/,
  );
  await report.page.getByRole('button', { name: 'Zoom to it' }).click();
  assert.equal((await report.crumbs()).at(-1), 'findAll');
  await report.page.locator('#detail').getByRole('button', { name: 'Callers and callees' }).click();
  assert.equal(await report.text('#callers-title'), 'Callers of findAll');
});

test('lines with the text of the source', async (t) => {
  const lines = [
    'async function loadVisits(id) {',
    '  const all = [];',
    '\tfor (const v of <b>rows</b>) {',
  ];
  const report = await browser.open(
    t,
    exampleData({ sources: [{ file: 'file:///srv/app/routes/visits.js', first: 41, lines }] }),
  );
  await report.page.getByRole('button', { name: 'loadVisits' }).last().click();
  const rows = (await report.texts('.source tr')).map((text) => text.replace(/[\t ]+/g, ' '));
  assert.deepEqual(rows, [
    '41 async function loadVisits(id) {',
    '42 const all = [];',
    '43 75.0 % for (const v of <b>rows</b>) {',
    '45 25.0 %',
  ]);
});

test('a stretch of time restricts graph and table', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.page.getByLabel('From', { exact: true }).fill('6');
  await report.page.getByLabel('to', { exact: true }).fill('7');
  await report.page.getByRole('button', { name: 'Look at this stretch' }).click();
  assert.match(await report.text('#timeline p.note'), /show 1\.00 s of 10\.0 s/);
  assert.match(await report.tip(0.5, 0), /^All total 100\.0 % \(1\.00 s\)/);
  assert.match(await report.tip(0.5, 2), /^render .*total 100\.0 % \(1\.00 s\) self 60\.0 %/);
  assert.deepEqual(await report.functions(), ['render', 'stringify', 'handle']);
  await report.page.getByRole('button', { name: 'All of it' }).click();
  assert.deepEqual((await report.functions()).slice(0, 6), BY_SELF);
});

test('a stretch is chosen with the mouse, and given up with a click', async (t) => {
  const report = await browser.open(t, exampleData());
  const box = await report.page.locator('#timeline canvas').boundingBox();
  const at = (share) => [box.x + box.width * share, box.y + 40];
  await report.page.mouse.move(...at(0.55));
  await report.page.mouse.down();
  await report.page.mouse.move(...at(0.58), { steps: 3 });
  await report.page.mouse.move(...at(0.595), { steps: 3 });
  await report.page.mouse.up();
  assert.deepEqual(await report.functions(), ['query', 'handle', 'loadVisits', 'findAll']);
  await report.page.mouse.click(...at(0.2));
  assert.deepEqual((await report.functions()).slice(0, 6), BY_SELF);
});

test('the longest stretches without a pause are marked, and chosen', async (t) => {
  const report = await browser.open(t, exampleData());
  const stalls = report.page.getByRole('button', { name: /without a pause/ });
  assert.deepEqual(await stalls.allInnerTexts(), ['2.50 s at 5.00 s', '2.00 s at 1.00 s']);
  assert.match(
    await report.page.locator('#timeline canvas').getAttribute('aria-label'),
    /^Busy 50\.0 % of 10\.0 s/,
  );
  await stalls.nth(1).click();
  assert.match(await report.tip(0.5, 0), /^All total 100\.0 % \(2\.00 s\)/);
  assert.deepEqual((await report.functions()).slice(0, 3), ['build', 'findAll', 'loadVisits']);
});
