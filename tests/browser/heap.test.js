// SPDX-License-Identifier: Apache-2.0
'use strict';

// What the page makes of heaps: allocations as a flame graph in bytes, a snapshot as treemap and
// tables. The data are made up, in the shape that lib/analysis writes, but for those at the end.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Browser, compared, imported, temporary } = require('./support/page.js');
const { heapData } = require('./support/data.js');

const browser = new Browser(test);

test('allocations: the flame graph and the table in bytes', async (t) => {
  const report = await browser.open(t, heapData());
  assert.match(await report.tip(0.5, 0), /^All total 100\.0 % \(10\.0 MB\)/);
  assert.match(
    await report.tip(0.1, 3),
    /^findAll .*total 80\.0 % \(8\.00 MB\) self 60\.0 % \(6\.00 MB\) objects 60/,
  );
  assert.match(await report.tip(0.1, 4), /^query .*objects 4.000/);
  assert.deepEqual(await report.functions(), [
    'findAll',
    'query',
    'render',
    'handle',
    'loadVisits',
  ]);
  assert.match(await report.text('#function-table thead'), /Objects/);
  assert.ok(await report.page.locator('#timeline').isHidden());
  await report.click(0.1, 4);
  assert.equal((await report.crumbs()).at(-1), 'query');
  await report.page.getByRole('button', { name: 'Fold packages' }).click();
  assert.match(await report.tip(0.1, 3), /^sequelize ⋯ .*60\.0 % \(6\.00 MB\)|^sequelize ⋯/);
});

test('a snapshot: what retains how much', async (t) => {
  const report = await browser.open(t, heapData());
  await report.page.getByRole('button', { name: 'heap', exact: true }).click();
  assert.match(await report.text('#findings-list'), /60 % of the heap is retained by a Map/);
  assert.ok(await report.page.locator('#graph').isHidden());
  const facts = await report.text('#heap .facts');
  assert.match(facts, /Size\s+100 MB\s+Objects\s+1\D234\D567/);
  const tiles = report.page.locator('.treemap button');
  const labels = () =>
    tiles.evaluateAll((all) => all.map((tile) => tile.getAttribute('aria-label')));
  assert.deepEqual(await labels(), [
    'sessions (Map): 60.0 MB, 60.0 %',
    'LRUCache @5: 25.0 MB, 25.0 %',
    'smaller ones: 15.0 MB, 15.0 %',
  ]);
  const boxes = await tiles.evaluateAll((all) =>
    all.map((tile) => tile.getBoundingClientRect()).map(({ width, height }) => width * height),
  );
  assert.ok(Math.abs(boxes[0] / boxes[1] - 60 / 25) < 0.05, String(boxes));
  await tiles.first().click();
  assert.deepEqual(await labels(), [
    'smaller ones: 31.0 MB, 31.0 %',
    'Session @77: 20.0 MB, 20.0 %',
    'itself (Map): 5.00 MB, 5.0 %',
    'Session @81: 4.00 MB, 4.0 %',
  ]);
  assert.match(await report.text('#heap-crumbs'), /All 100 MB\s+sessions 60\.0 MB/);
  assert.match(await report.hash(), /zoom=1/);
  await report.page.goBack();
  assert.equal((await labels()).length, 3);
});

test('objects and classes as tables', async (t) => {
  const report = await browser.open(t, heapData(), { hash: '#capture=1' });
  const first = async (table) =>
    (await report.page.locator(`#${table} tbody tr`).allInnerTexts()).map((text) =>
      text.split('\t'),
    );
  const objects = await first('objects-table');
  assert.deepEqual(objects[0], [
    'sessions',
    '60.0 MB',
    '60.0 %',
    '5.00 MB',
    'Map',
    '(root) @1',
    '@3',
  ]);
  assert.deepEqual(objects[3].slice(0, 2), ['history', '18.0 MB']);
  assert.equal(objects[3][5], 'Session @77');
  await report.page.locator('#objects-table').getByRole('button', { name: 'Shallow' }).click();
  assert.equal((await first('objects-table'))[0][0], 'history');
  await report.page.locator('#objects-table').getByRole('button', { name: 'Session @77' }).click();
  assert.match(await report.text('#heap-crumbs'), /All .*sessions .*Session @77/s);
  const classes = await first('classes-table');
  assert.deepEqual(
    classes.map((row) => row[0]),
    ['Map', 'Session', '(string)'],
  );
  await report.page.locator('#heap-classes input').fill('(str');
  assert.deepEqual(
    (await first('classes-table')).map((row) => row[0]),
    ['(string)'],
  );
  assert.ok(await report.page.locator('#heap-growth').isHidden());
});

test('what grew between two snapshots, with what holds it', async (t) => {
  const report = await browser.open(t, heapData({ growth: true }), { hash: '#capture=1' });
  const rows = async (table) =>
    (await report.page.locator(`#${table} tbody tr`).allInnerTexts()).map((text) =>
      text.split('\t'),
    );
  const growth = await rows('growth-table');
  assert.deepEqual(
    growth.map((row) => [row[0], row[5], row[6]]),
    [
      ['Session', '+5.00 MB', '+54.0 MB'],
      ['(string)', '+2.00 MB', '+2.00 MB'],
      ['Socket', '−1.00 MB', '−2.00 MB'],
    ],
  );
  assert.deepEqual((await rows('suspects-table'))[0].slice(3), [
    '+54.0 MB',
    '250 of 256',
    'app.js(){sessions} → Map[17] → Session',
  ]);
  assert.deepEqual((await rows('biggest-table'))[0].slice(2), [
    '60.0 MB',
    '60.0 %',
    '41\u202f000',
    'app.js(){sessions}',
  ]);
  assert.deepEqual((await rows('duplicates-table'))[0], [
    'application/json',
    '5\u202f000',
    '2.00 MB',
  ]);
});

test('names of objects are text', async (t) => {
  const evil = '</script><img src=x onerror="window.broken=1">\u202e';
  const report = await browser.open(t, heapData({ evil }), { hash: '#capture=1' });
  const text = await report.text('#objects-table');
  assert.ok(text.includes('sessions</script><img src=x onerror="window.broken=1">\\u{202e}'));
  assert.equal(await report.page.locator('#heap img').count(), 0);
  assert.equal(await report.page.evaluate(() => window.broken), undefined);
});

// Snapshots that Node.js wrote, of a process whose sessions are known.
function written(t) {
  const directory = temporary();
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const files = ['before', 'after'].map((name) => path.join(directory, `${name}.heapsnapshot`));
  const app = path.join(__dirname, '../component/support/heap-app.js');
  execFileSync(process.execPath, [app, ...files]);
  return { directory, files };
}

const cells = async (report, table) =>
  (await report.page.locator(`#${table} tbody tr`).allInnerTexts()).map((text) => text.split('\t'));

test('a real snapshot: the treemap leads to the sessions, whose dominators are named', async (t) => {
  const { directory, files } = written(t);
  const { html, json } = await imported(directory, 'real.heapsnapshot', fs.readFileSync(files[0]));
  const report = await browser.open(t, html);
  const [snapshot] = json.captures;
  assert.match(await report.text('#findings-list'), /one ArrayBuffer keeps 3\.00 MB alive/);
  const facts = (await report.text('#heap .facts')).replace(/\s+/g, ' ');
  assert.ok(facts.includes(`Objects ${snapshot.nodes.toLocaleString('fr').replace(/\s/g, ' ')}`));
  const tiles = report.page.locator('.treemap button');
  const labels = () =>
    tiles.evaluateAll((all) => all.map((tile) => tile.getAttribute('aria-label')));
  // The tiles of an object are all that it retains.
  const map = report.page.locator('.treemap');
  const areaOf = async () => {
    const { width, height } = await map.boundingBox();
    const boxes = await tiles.evaluateAll((all) =>
      all.map((tile) => tile.getBoundingClientRect()).map((box) => box.width * box.height),
    );
    return boxes.reduce((sum, box) => sum + box, 0) / (width * height);
  };
  assert.ok(Math.abs((await areaOf()) - 1) < 0.05, String(await areaOf()));
  const row = report.page.locator('#objects-table').getByRole('button', { name: /^Server @/ });
  await row.click();
  assert.match((await labels())[0], /^Map @\d+: 9\d\d kB/);
  await tiles.first().click();
  assert.match(await report.text('#heap-crumbs'), /All .*Server @\d+ .*Map @\d+ /s);
  const gathered = (await cells(report, 'biggest-table')).find((one) => /Server/.test(one.at(-1)));
  assert.deepEqual(
    [gathered[0], gathered.at(-1)],
    ['Map', snapshot.biggest.find((one) => /Server/.test(one.path)).path],
  );
  await report.page.locator('#heap-classes input').fill('Session');
  assert.deepEqual((await cells(report, 'classes-table'))[0].slice(0, 2), [
    'Session',
    '2\u202f000',
  ]);
});

test('the page of two real snapshots shows what grew, and what holds it', async (t) => {
  const { directory, files } = written(t);
  const report = await browser.open(t, await compared(directory, files));
  assert.equal(await report.page.title(), 'after – Sonde report');
  assert.match(await report.text('#findings-list'), /Session grew by 500 objects to 2500/);
  assert.match(await report.text('#heap .facts'), /Compared with\s+before \([0-9a-f]{8}\), taken/);
  const grown = (await cells(report, 'growth-table')).find((one) => one[0] === 'Session');
  assert.deepEqual(grown.slice(1, 5), ['2\u202f000', '2\u202f500', '500', '0']);
  const suspect = (await cells(report, 'suspects-table')).find((one) => one[0] === 'Session');
  assert.match(suspect.at(-1), /\.server → Server\.routes → Map\[\d+\] → Session$/);
  assert.ok((await report.page.locator('.treemap button').count()) > 3);
});
