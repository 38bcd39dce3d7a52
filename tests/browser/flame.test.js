// SPDX-License-Identifier: Apache-2.0
'use strict';

// The flame graph: what a person sees in it and does with it.

const assert = require('node:assert/strict');
const test = require('node:test');
const { Browser } = require('./support/page.js');
const { Stacks, example, exampleData, exampleReport } = require('./support/data.js');

const browser = new Browser(test);

test('boxes are as wide as what they cost, heaviest first', async (t) => {
  const report = await browser.open(t, exampleData());
  assert.match(await report.tip(0.5, 0), /^All total 100\.0 % \(5\.00 s\)/);
  assert.match(
    await report.tip(0.5, 1),
    /^handle server\.js:10 total 80\.0 % \(4\.00 s\) self 0\.0 %/,
  );
  assert.match(await report.tip(0.1, 2), /^loadVisits routes\/visits\.js:41 total 60\.0 %/);
  assert.match(await report.tip(0.59, 2), /^loadVisits/);
  assert.match(await report.tip(0.61, 2), /^render/);
  assert.match(await report.tip(0.79, 2), /^render/);
  assert.equal(await report.tip(0.85, 2), '');
  assert.match(
    await report.tip(0.1, 3),
    /findAll node_modules\/sequelize\/lib\/model\.js:1200 .* package sequelize@6\.37\.3/,
  );
});

test('a click zooms, the path leads back, Escape goes out by one', async (t) => {
  const report = await browser.open(t, exampleData());
  assert.match(await report.tip(0.7, 2), /^render/);
  await report.click(0.1, 2);
  assert.deepEqual(await report.crumbs(), ['All', 'handle', 'loadVisits']);
  assert.match(await report.tip(0.7, 2), /^loadVisits/);
  assert.match(await report.tip(0.8, 3), /^findAll/);
  await report.click(0.1, 4);
  assert.deepEqual((await report.crumbs()).at(-1), 'build');
  await report.focusGraph();
  await report.press('Escape');
  assert.deepEqual((await report.crumbs()).at(-1), 'findAll');
  await report.page.getByRole('button', { name: 'handle', exact: true }).first().click();
  assert.deepEqual(await report.crumbs(), ['All', 'handle']);
  await report.page.getByRole('button', { name: 'Zoom out' }).click();
  assert.deepEqual(await report.crumbs(), []);
  assert.match(await report.tip(0.7, 2), /^render/);
});

test('what is drawn changes with a zoom', async (t) => {
  const report = await browser.open(t, exampleData());
  const shot = () => report.page.locator('#flame canvas').screenshot();
  const before = await shot();
  await report.click(0.7, 2);
  await report.page.mouse.move(0, 0);
  assert.notDeepEqual(await shot(), before);
});

test('the keyboard alone leads everywhere', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.focusGraph();
  await report.press('ArrowDown');
  assert.match(await report.spoken(), /^All|^handle/);
  await report.press('ArrowDown');
  assert.match(await report.spoken(), /^handle, server\.js:10: total 80\.0 %/);
  await report.press('ArrowDown');
  assert.match(await report.spoken(), /^loadVisits/);
  await report.press('ArrowRight');
  assert.match(await report.spoken(), /^render/);
  await report.press('ArrowLeft');
  await report.press('Enter');
  assert.deepEqual(await report.crumbs(), ['All', 'handle', 'loadVisits']);
  await report.press('ArrowUp');
  assert.match(await report.spoken(), /^handle/);
  await report.press('Home');
  assert.deepEqual(await report.crumbs(), []);
  await report.press('/');
  assert.equal(await report.page.evaluate(() => document.activeElement.id), 'search');
});

test('search shows how much of the time lies in what was found', async (t) => {
  const report = await browser.open(t, exampleData());
  const search = report.page.getByLabel('Search');
  await search.fill('sequelize');
  assert.equal(await report.text('#search-share'), '52.0 % of 5.00 s');
  await search.fill('/^(render|query)$/');
  assert.equal(await report.text('#search-share'), '40.0 % of 5.00 s');
  await search.fill('/(/');
  assert.equal(await report.text('#search-share'), 'no valid expression');
  await search.press('Escape');
  assert.equal(await report.text('#search-share'), '');
  assert.equal(await search.inputValue(), '');
});

test('what is found is drawn in another colour', async (t) => {
  const report = await browser.open(t, exampleData());
  const colour = async (share, row) => {
    const { x, y } = await report.point(share, row);
    const clip = { x: Math.round(x), y: Math.round(y) - 7, width: 1, height: 1 };
    return (await report.page.screenshot({ clip })).toString('base64');
  };
  const before = [await colour(0.3, 3), await colour(0.7, 2)];
  assert.notEqual(before[0], before[1]);
  await report.page.getByLabel('Search').fill('/^(findAll|render)$/');
  const after = [await colour(0.3, 3), await colour(0.7, 2)];
  assert.notEqual(after[0], before[0]);
  assert.equal(after[0], after[1]);
});

test('packages and Node.js fold into one box, and hide', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.page.getByRole('button', { name: 'Fold packages' }).click();
  assert.match(await report.tip(0.1, 3), /^sequelize ⋯ 2 functions folded total 52\.0 %/);
  assert.match(await report.tip(0.1, 4), /^mysql2 ⋯ 1 function folded total 20\.0 %/);
  assert.ok((await report.functions()).includes('sequelize ⋯'));
  await report.page.getByRole('button', { name: 'Fold packages' }).click();
  assert.match(await report.tip(0.1, 3), /^findAll/);
  await report.page.getByLabel('Packages is').selectOption('hidden');
  assert.equal(await report.tip(0.1, 3), '');
  assert.match(await report.tip(0.1, 2), /^loadVisits .* self 60\.0 %/);
  await report.page.getByLabel('Packages is').selectOption('shown');
  await report.page.getByText('2 packages').click();
  await report.page.getByLabel('mysql2 is').selectOption('hidden');
  assert.match(await report.tip(0.1, 3), /^findAll .* self 30\.0 %/);
});

test('idle time is shown when it is wanted', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.page.getByRole('button', { name: 'Show idle' }).click();
  assert.match(await report.tip(0.1, 1), /^\(idle\) total 50\.0 % \(5\.00 s\)/);
  assert.match(await report.tip(0.6, 1), /^handle .* total 40\.0 %/);
});

test('in order of time, a box is one stretch', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.page.getByRole('button', { name: 'In order of time' }).click();
  assert.equal(await report.tip(0.05, 1), '');
  assert.match(await report.tip(0.2, 1), /^handle server\.js:10 lasted 2\.00 s from 1\.00 s/);
  assert.match(await report.tip(0.55, 1), /^handle server\.js:10 lasted 2\.00 s from 5\.00 s/);
  assert.match(await report.tip(0.65, 2), /^render .* lasted 1\.00 s from 6\.00 s/);
  assert.match(await report.tip(0.97, 1), /^\(garbage collector\)/);
  await report.click(0.55, 1);
  assert.deepEqual(await report.crumbs(), ['All', 'handle']);
  assert.match(await report.tip(0.75, 2), /^render/);
});

test('callers and callees of a function', async (t) => {
  const { handle, loadVisits, render, stringify } = example;
  const stacks = new Stacks()
    .add([handle, loadVisits, stringify], 3e6, 30)
    .add([handle, render, stringify, render], 1e6, 10);
  const report = await browser.open(t, {
    version: 1,
    report: exampleReport,
    captures: [stacks.capture()],
  });
  await report.doubleClick(0.1, 3);
  assert.equal(await report.text('#callers-title'), 'Callers of stringify');
  // The callers stand above their callee: its box is the lowest of four rows.
  assert.match(await report.tip(0.5, 3, '#callers'), /^stringify .*total 100\.0 %/);
  assert.match(await report.tip(0.1, 2, '#callers'), /^loadVisits .*total 75\.0 %/);
  assert.match(await report.tip(0.9, 2, '#callers'), /^render .*total 25\.0 %/);
  assert.match(await report.tip(0.1, 0, '#callees'), /^stringify/);
  assert.match(await report.tip(0.1, 1, '#callees'), /^render .*total 25\.0 %/);
  assert.equal(await report.tip(0.5, 1, '#callees'), '');
});

test('colours by category, package and heat, with a legend', async (t) => {
  const report = await browser.open(t, exampleData());
  assert.deepEqual(
    (await report.texts('#legend ul[aria-label="Categories"] > li')).map((text) =>
      text.replace(/\s+/g, ' ').replace(/ (shown|folded|hidden).*/, ''),
    ),
    [
      'Packages 52.0 %',
      'Your code 20.0 %',
      'Node.js 10.0 %',
      'V8 and GC 10.0 %',
      'Native 8.0 %',
      'Idle',
    ],
  );
  const shot = () => report.page.locator('#flame canvas').screenshot();
  const byCategory = await shot();
  await report.page.getByLabel('Colour by').selectOption('package');
  const byPackage = await shot();
  assert.notDeepEqual(byPackage, byCategory);
  await report.page.getByLabel('Colour by').selectOption('heat');
  assert.notDeepEqual(await shot(), byPackage);
  assert.match(await report.text('#legend'), /the hottest function/);
});

test('a graph of a profile without samples says so', async (t) => {
  const report = await browser.open(t, {
    version: 1,
    report: {
      ...exampleReport,
      captures: [{ ...exampleReport.captures[0], findings: [], stalls: [] }],
    },
    captures: [new Stacks().capture()],
  });
  assert.match(await report.text('#graph'), /Nothing was measured/);
});

test('recursion 5,000 deep is drawn, and can be scrolled', async (t) => {
  const { handle, loadVisits } = example;
  const path = Array.from({ length: 5000 }, (_, i) => (i % 2 ? handle : loadVisits));
  const report = await browser.open(t, {
    version: 1,
    report: exampleReport,
    captures: [new Stacks().add(path, 1e6, 10).capture()],
  });
  assert.match(await report.tip(0.5, 3), /^loadVisits/);
  await report.page.locator('#flame .graph-scroll').evaluate((element) => {
    element.scrollTop = element.scrollHeight;
  });
  assert.match(await report.tip(0.5, 30), /^(handle|loadVisits) .*self 100\.0 %|total 100/);
  assert.deepEqual(await report.functions(), ['handle', 'loadVisits']);
});

test('60,000 functions are drawn, searched and sorted', async (t) => {
  const { handle } = example;
  const stacks = new Stacks();
  for (let i = 0; i < 60000; i++) {
    const frame = {
      name: `f${i}`,
      file: `file:///srv/app/${i % 100}.js`,
      line: i,
      category: 'app',
    };
    stacks.add([handle, frame], i === 777 ? 6e5 : 10);
  }
  const report = await browser.open(t, {
    version: 1,
    report: { ...exampleReport, captures: [{ ...exampleReport.captures[0], stalls: [] }] },
    captures: [stacks.capture()],
  });
  assert.match(await report.tip(0.2, 2), /^f777 77\.js:777 total 50\.0 % \(600 ms\)/);
  assert.equal((await report.functions())[0], 'f777');
  assert.equal(await report.text('#table-status'), '60 of 60\u202f001 functions shown');
  await report.page.getByLabel('Search').fill('/^f77[789]$/');
  assert.equal(await report.text('#search-share'), '50.0 % of 1.20 s');
  await report.click(0.2, 2);
  assert.deepEqual(await report.crumbs(), ['All', 'handle', 'f777']);
});

test('samples without an order of time have no timeline', async (t) => {
  const data = exampleData();
  delete data.captures[0].samples;
  const report = await browser.open(t, data, { hash: '#view=time&time=1000-2000' });
  assert.ok(await report.page.locator('#timeline').isHidden());
  assert.equal(await report.page.getByRole('button', { name: 'In order of time' }).count(), 0);
  assert.match(await report.tip(0.5, 1), /^handle .*total 80\.0 %/);
});

test('the graph follows the width of the window', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.page.setViewportSize({ width: 700, height: 800 });
  await report.page.waitForFunction(
    () => document.querySelector('#flame canvas').clientWidth < 690,
  );
  assert.match(await report.tip(0.59, 2), /^loadVisits/);
  assert.match(await report.tip(0.61, 2), /^render/);
  await report.page.setViewportSize({ width: 1280, height: 900 });
  await report.page.waitForFunction(
    () => document.querySelector('#flame canvas').clientWidth > 1000,
  );
  assert.match(await report.tip(0.79, 2), /^render/);
});
