// SPDX-License-Identifier: Apache-2.0
'use strict';

// Two runs in one page: what changed, as a table, as one flame graph, and side by side.

const assert = require('node:assert/strict');
const test = require('node:test');
const { Browser } = require('./support/page.js');
const { comparisonData } = require('./support/data.js');

const browser = new Browser(test);

const rowOf = async (report, name) =>
  (await report.page.getByRole('row', { name: new RegExp(`^${name}`) }).innerText()).split(/\t/);

test('the table says how each function changed, the largest growth first', async (t) => {
  const report = await browser.open(t, comparisonData());
  const table = report.page.getByRole('table', { name: 'What changed, by function' });
  assert.deepEqual((await table.getByRole('columnheader').allInnerTexts()).slice(0, 8), [
    'Function',
    'Self before',
    'Self after',
    'Δ self ▼',
    'Total before',
    'Total after',
    'Δ total',
    'Status',
  ]);
  const names = await report.texts('#changes-table tbody th');
  assert.deepEqual(names.slice(0, 3), ['query', 'compress', 'listOnTimeout']);
  assert.deepEqual((await rowOf(report, 'query')).slice(0, 7), [
    'query',
    '20.0 %',
    '40.0 %',
    '+20.0 pp',
    '20.0 %',
    '40.0 %',
    '+20.0 pp',
  ]);
  assert.deepEqual((await rowOf(report, 'compress')).slice(1, 8), [
    '0.0 %',
    '15.0 %',
    '+15.0 pp',
    '0.0 %',
    '15.0 %',
    '+15.0 pp',
    'new',
  ]);
  assert.equal((await rowOf(report, 'stringify'))[7], 'vanished');
  // Its line moved: it is the same function.
  assert.equal((await rowOf(report, 'findAll'))[3], '−5.0 pp');
  assert.match(
    await report.text('#changes'),
    /Before\s+slow-patients \(0f7b1d3e\).*\s+After\s+after-the-change/,
  );
  assert.match(
    await report.text('#changes'),
    /\+40\.0 pp in functions that cost more, −40\.0 pp .* new: 1, vanished: 1/,
  );
  await report.page.getByRole('button', { name: 'Δ self' }).click();
  assert.equal((await report.texts('#changes-table tbody th'))[0], 'build');
});

test('in one graph: as wide as the mean of both, red for more and blue for less', async (t) => {
  const report = await browser.open(t, comparisonData());
  assert.match(await report.tip(0.5, 1), /^handle .*before 80\.0 % after 80\.0 % change ±0\.0 pp/);
  assert.match(await report.tip(0.1, 4), /^query .*before 20\.0 % after 40\.0 % change \+20\.0 pp/);
  // findAll: (52 + 56) / 2 = 54 % of the width; query 30 %, then build 16.5 %.
  assert.match(await report.tip(0.295, 4), /^query/);
  assert.match(await report.tip(0.31, 4), /^build .*change −11\.0 pp/);
  const pixel = async (share, row) => {
    await report.page.mouse.move(0, 0);
    const { x, y } = await report.point(share, row);
    const clip = { x: Math.round(x), y: Math.round(y) - 7, width: 1, height: 1 };
    const png = (await report.page.screenshot({ clip })).toString('base64');
    return report.page.evaluate(async (text) => {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const context = new OffscreenCanvas(1, 1).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      return [...context.getImageData(0, 0, 1, 1).data];
    }, png);
  };
  const [moreRed, , moreBlue] = await pixel(0.2, 4);
  const [lessRed, , lessBlue] = await pixel(0.4, 4);
  assert.ok(moreRed > moreBlue + 20, `${moreRed} ${moreBlue}`);
  assert.ok(lessBlue > lessRed + 20, `${lessBlue} ${lessRed}`);
  assert.match(await report.text('#legend'), /costs less than before\s+costs more/);
});

test('how sure a change is, where the windows say so', async (t) => {
  const value = (shareMargin) => ({ self: { shareMargin }, total: { shareMargin } });
  const report = await browser.open(
    t,
    comparisonData({
      functions: [
        { function: 'query', file: 'node_modules/mysql2/lib/connection.js', ...value(0.021) },
        { function: 'build', file: 'node_modules/sequelize/lib/model.js', ...value(0.25) },
      ],
    }),
  );
  assert.equal((await rowOf(report, 'query'))[3], '+20.0 pp ± 2.1');
  assert.equal((await rowOf(report, 'build'))[3], '−11.0 pp ± 25.0');
  assert.equal((await rowOf(report, 'compress'))[3], '+15.0 pp');
  const coloured = await report.texts('#changes-table td.up:nth-of-type(3)');
  assert.deepEqual(coloured, ['+20.0 pp ± 2.1', '+15.0 pp', '+5.0 pp']);
  const fewer = await report.texts('#changes-table td.down:nth-of-type(3)');
  assert.ok(!fewer.some((text) => text.includes('25.0')));
  assert.match(await report.text('#changes'), /95 of 100 comparisons/);
});

test('side by side, zoomed together', async (t) => {
  const report = await browser.open(t, comparisonData());
  await report.page.getByRole('button', { name: 'Side by side' }).click();
  assert.match(await report.tip(0.1, 4, '#side-before'), /^build .*total 22\.0 %/);
  assert.match(await report.tip(0.1, 4, '#side-after'), /^query .*total 40\.0 %/);
  assert.match(await report.tip(0.75, 3, '#side-before'), /^stringify|^$/);
  await report.click(0.1, 2, '#side-after');
  assert.deepEqual((await report.crumbs()).at(-1), 'loadVisits');
  assert.match(await report.tip(0.99, 2, '#side-before'), /^loadVisits/);
  assert.match(await report.tip(0.99, 2, '#side-after'), /^loadVisits/);
});

test('a row of the table is found in the graph; both runs can be seen alone', async (t) => {
  const report = await browser.open(t, comparisonData());
  await report.page.getByRole('button', { name: 'compress' }).click();
  await report.page.getByRole('button', { name: 'Callers and callees' }).click();
  assert.equal(await report.text('#callers-title'), 'Callers of compress');
  await report.page.getByRole('button', { name: 'cpu, before' }).click();
  assert.match(await report.tip(0.5, 0), /^All total 100\.0 % \(5\.00 s\)/);
  assert.equal((await report.texts('#findings-list .title')).length, 1);
  assert.ok(await report.page.locator('#changes').isHidden());
  await report.page.getByRole('button', { name: 'cpu, after' }).click();
  assert.match(await report.tip(0.5, 0), /^All total 100\.0 % \(10\.0 s\)/);
});
