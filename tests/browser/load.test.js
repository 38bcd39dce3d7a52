// SPDX-License-Identifier: Apache-2.0
'use strict';

// What the page makes of a load test. The data are made up, in the shape that lib/load writes, but
// for those at the end.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const test = require('node:test');
const { promisify } = require('node:util');
const { Browser, bin, reported, temporary } = require('./support/page.js');
const { loadData, percentiles } = require('./support/load-data.js');

const browser = new Browser(test);
const run = promisify(execFile);
const flat = (text) => text.replace(/\s+/g, ' ').trim();

async function rows(report, table) {
  const texts = await report.page.locator(`#${table} tbody tr`).allInnerTexts();
  return texts.map((text) => text.split('\t').map(flat));
}

// The corners of a line of a plot, in pixels.
async function corners(report, plot, key) {
  const d = await report.page.locator(`#${plot} g.series.${key} path`).getAttribute('d');
  return d
    .split(/[ML]/)
    .slice(1)
    .map((point) => point.split(' ').map(Number));
}

test('the latencies, how sure they are, and which are of too few', async (t) => {
  const report = await browser.open(t, loadData());
  assert.ok(await report.page.locator('#part').isHidden());
  assert.ok(await report.page.locator('#graph').isHidden());
  assert.deepEqual(await rows(report, 'load-latencies'), [
    [
      ...['response', '1.00 ms 900 µs – 1.10 ms', '2.00 ms 1.90 ms – 2.10 ms'],
      ...['3.00 ms 2.90 ms – 3.10 ms', '10.0 ms 9.00 ms – 11.0 ms'],
      ...['50.0 ms*', '1.50 ms', '100 ms'],
    ],
    ['service', '500 µs', '1.00 ms', '1.50 ms', '5.00 ms', '25.0 ms*', '750 µs', '50.0 ms'],
    ['send lag', '50 µs', '100 µs', '150 µs', '500 µs', '2.50 ms*', '75 µs', '5.00 ms'],
  ]);
  const facts = flat(await report.text('#load-facts'));
  assert.match(facts, /Loop open: 100 requests a second, at random distances/);
  assert.match(facts, /Answers 1.000, 100 a second/);
  assert.match(facts, /Not sent 5 .*Status 200: 990, 503: 10 Errors timeout: 2/);
  assert.match(await report.text('#load'), /\* fewer than ten requests lie beyond/);
});

test('the plot of percentiles: higher to the right, read by pointer and by keys', async (t) => {
  const thresholds = [
    { text: 'http_req_duration: p(99)<250', value: 10, holds: true },
    { text: 'http_req_duration: p(90)<1', value: 2, holds: false },
    { text: 'http_req_failed: rate<0.1', value: 0.01, holds: true },
  ];
  const report = await browser.open(t, loadData({ thresholds }));
  const response = await corners(report, 'load-percentiles', 'response');
  const service = await corners(report, 'load-percentiles', 'service');
  assert.equal(response.length, 32);
  response.forEach(([x, y], i) => {
    assert.ok(i === 0 || (x > response[i - 1][0] && y <= response[i - 1][1]), String(response[i]));
    assert.ok(service[i][1] >= y, 'the service takes no longer than the response');
  });
  const limits = report.page.locator('#load-percentiles g.series.limit');
  assert.equal(await limits.count(), 2);
  assert.equal(await report.page.locator('#load-percentiles g.series.limit.bad').count(), 1);
  const plot = report.page.locator('#load-percentiles');
  const tip = report.page.locator('.plot-view .tip:visible');
  await plot.hover({ position: { x: response[10][0], y: 50 } });
  assert.equal(flat(await tip.innerText()), '90 % response 4.64 ms service 2.32 ms send lag 50 µs');
  await plot.press('ArrowRight');
  assert.match(await report.spoken(), /^92\.057 %: response 5\.41 ms, service 2\.71 ms/);
  for (let i = 0; i < 40; i++) {
    await plot.press('ArrowRight');
  }
  assert.match(await report.spoken(), /^longest: response 100 ms/);
  assert.match(await plot.getAttribute('aria-label'), /response .* at 99 %, service/);
});

test('the course of time, as plots and as a table', async (t) => {
  const report = await browser.open(t, loadData());
  const answers = await corners(report, 'load-rates', 'answers');
  assert.equal(answers.length, 10, 'without the end that is cut short');
  assert.equal(new Set(answers.map(([, y]) => y)).size, 1);
  const bars = report.page.locator('#load-rates .bars rect');
  assert.equal(await bars.count(), 2, 'bad answers of the third second, and what was not sent');
  const p50 = await corners(report, 'load-times', 'p50');
  assert.ok(p50[9][1] < p50[0][1], 'it grows');
  await report.page.locator('#load-rates').hover({ position: { x: answers[2][0], y: 20 } });
  assert.equal(
    flat(await report.page.locator('.plot-view .tip:visible').innerText()),
    '2 s to 3 s answers a second 100 failed 0 wrong 10 not sent 0',
  );
  await report.page.locator('#load-course summary').click();
  const table = await rows(report, 'load-intervals');
  assert.equal(table.length, 11);
  assert.deepEqual(table[2], [
    '2 s to 3 s',
    '100',
    '1.20 ms',
    '2.00 ms',
    '10.0 ms',
    '100 ms',
    '0',
    '10',
    '0',
  ]);
  assert.deepEqual(table[10].slice(2), ['–', '–', '–', '–', '0', '0', '5']);
});

test('by the names of requests, and by address', async (t) => {
  const plain = await browser.open(t, loadData());
  assert.ok(await plain.page.locator('#load-parts').isHidden());
  const part = (label, answered, p50) => ({
    ...{ ...label, sent: answered, answered, wrong: 3, failed: 2, censored: 0 },
    responseMicroseconds: {
      ...{ p50, p90: 2 * p50, p95: 3 * p50, p99: 5 * p50, max: 9 * p50 },
      totalCount: answered,
    },
  });
  const parts = [
    part({ name: 'search' }, 100, 3000),
    part({ name: 'one\u202e' }, 900, 1000),
    part({ address: '127.0.0.1:3000' }, 1000, 1100),
  ];
  const report = await browser.open(t, loadData({ parts }));
  const cells = await rows(report, 'load-parts-table');
  assert.deepEqual(
    cells.map(([label]) => label),
    ['to 127.0.0.1:3000', 'one\\u{202e}', 'search'],
  );
  assert.deepEqual(cells[2], [
    'search',
    '100',
    '3',
    '2',
    '3.00 ms',
    '6.00 ms',
    '15.0 ms*',
    '27.0 ms',
  ]);
  assert.equal(cells[0][6], '5.50 ms', 'ten of a thousand lie beyond');
});

test('thresholds, a test that cannot be believed, and what profiles said meanwhile', async (t) => {
  const thresholds = [
    { text: 'http_req_duration: p(99)<250', value: 10, holds: true },
    { text: 'http_reqs{name:a}: count>1', value: null, holds: false },
  ];
  const profiles = [
    {
      ...{ fromNanoseconds: 2e9, toNanoseconds: 6e9, type: 'cpu' },
      run: '0f7b1d3e-8a52-4f6e-9c1d-2b3a4c5d6e7f',
      title: '75 % of the busy time is spent in hotLoop',
      where: 'hotLoop app.js:2',
    },
    { fromNanoseconds: 0, toNanoseconds: 0, type: 'heap', failure: 'no process matches' },
  ];
  const verdict = async (data) => {
    const report = await browser.open(t, loadData(data));
    return { report, text: flat(await report.text('#load-verdict')) };
  };
  const good = await verdict({ thresholds });
  assert.equal(
    good.text,
    'holds http_req_duration: p(99)<250 10 broken http_reqs{name:a}: count>1 nothing was measured',
  );
  const doubtful = [{ ...thresholds[0], holds: false, wouldHold: true }, thresholds[1]];
  const { report, text } = await verdict({ thresholds: doubtful, profiles, valid: false });
  assert.match(text, /^This test cannot be believed: the generator had no CPU left would hold /);
  assert.equal(
    flat(await report.text('#load-profiles')),
    'Meanwhile cpu profile from 2 s to 6 s: 75 % of the busy time is spent in hotLoop, hotLoop ' +
      'app.js:2 sonde report 0f7b1d3e heap profile from 0 s to 0 s: none: no process matches',
  );
  const bands = report.page.locator('#load-times .band rect');
  assert.equal(await bands.count(), 1);
  const width = Number(await bands.first().getAttribute('width'));
  const axis = await report.page.locator('#load-times .grid').first();
  const [x1, x2] = [await axis.getAttribute('x1'), await axis.getAttribute('x2')].map(Number);
  assert.ok(Math.abs(width / (x2 - x1) - 0.4) < 0.01, 'four of ten seconds');
});

test('the warm-up, whether it was steady, and what a search found', async (t) => {
  const told = async (more) => {
    const report = await browser.open(t, loadData({ more }));
    return { report, facts: flat(await report.text('#load-facts')) };
  };
  const plain = await told({ steadiness: null, warmUp: null, search: null });
  assert.doesNotMatch(plain.facts, /Steady|warm-up/);
  assert.equal(await plain.report.page.locator('#load-trials').count(), 0);
  const late = await told({
    steadiness: { state: 'steady', sinceSeconds: 15 },
    warmUp: { seconds: 3, sent: 300 },
  });
  assert.match(late.facts, /Before it 3 s of warm-up, 300 requests, in no figure here/);
  assert.match(late.facts, /Steady from 15 s on/);
  const unsteady = await told({ steadiness: { state: 'unsteady', signal: 'p99' } });
  assert.match(unsteady.facts, /Steady no: the response \(99 %\) did not come to rest/);
  const trial = (rate, keeps, valid = true) => ({
    rate,
    seconds: 30,
    keeps,
    valid,
    achieved: rate,
  });
  const search = { lower: 200, upper: 400 };
  const trials = [trial(100, true), trial(200, true), trial(400, false), trial(300, true, false)];
  const { report } = await told({ search: { ...search, trials } });
  assert.match(
    flat(await report.text('#load-verdict')),
    /The highest rate that keeps the thresholds: 200 a second; 400 does not\. /,
  );
  assert.deepEqual(await rows(report, 'load-trials'), [
    ['100', '30', '100', 'keeps'],
    ['200', '30', '200', 'keeps'],
    ['400', '30', '400', 'breaks'],
    ['300', '30', '300', 'invalid'],
  ]);
  const none = await told({ search: { lower: 0, upper: 100, trials: [trial(100, false)] } });
  assert.match(await none.report.text('#load-verdict'), /thresholds: none is known; 100 does not/);
});

test('a closed loop, nothing at all, and names that are hostile', async (t) => {
  const closed = await browser.open(t, loadData({ closed: true }));
  assert.match(flat(await closed.text('#load-facts')), /Loop closed: 10 connections/);
  assert.equal((await rows(closed, 'load-latencies')).length, 1);
  assert.equal(await closed.page.locator('#load-rates g.series.due').count(), 0);
  const empty = await browser.open(t, loadData({ answered: 0, valid: false }));
  assert.ok(await empty.page.locator('#load-percentiles').isHidden());
  assert.ok(await empty.page.locator('#load-course').isHidden());
  const evil = '</script><img src=x onerror="window.broken=1">\u202e';
  const profiles = [{ fromNanoseconds: 0, toNanoseconds: 1e9, type: evil, run: evil, title: evil }];
  const thresholds = [{ text: evil, value: 1, holds: true }];
  const report = await browser.open(t, loadData({ title: evil, profiles, thresholds }));
  assert.ok((await report.text('#load-verdict')).includes('onerror="window.broken=1">\\u{202e}'));
  assert.equal(await report.page.locator('#load img').count(), 0);
  assert.equal(await report.page.evaluate(() => window.broken), undefined);
});

test('drawn anew where there is less room, and in the dark', async (t) => {
  const report = await browser.open(t, loadData(), { dark: true });
  const right = async () => (await corners(report, 'load-times', 'p50')).at(-1)[0];
  const before = await right();
  await report.page.setViewportSize({ width: 700, height: 800 });
  await report.page.waitForFunction(
    () => document.getElementById('load-times').getAttribute('width') < 700,
  );
  assert.ok((await right()) < before);
  const wide = await report.page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 700, String(wide));
});

test('what changed since the run before, and how sure that is', async (t) => {
  const data = loadData();
  const changed = { before: 2000, after: 1000, low: -1100, high: -900, sure: true };
  data.before = { ...data.report, name: 'sunday', captures: [] };
  data.report.captures[0].comparison = {
    before: { valid: false, invalidReason: 'too busy', percentiles: percentiles(100) },
    differentLoads: true,
    quantiles: [
      { share: 0.5, ...changed, ratioLow: 0.4, ratioHigh: 0.6 },
      { share: 0.99, before: 9000, after: 10000, low: -500, high: 2500, sure: false },
      { share: 0.999, before: 9000, after: 10000, sure: false },
    ],
    rate: { unit: '1/s', before: 110, after: 100, low: -11, high: -9, sure: true },
    failed: { unit: 'share', before: 0, after: 0.01, sure: false },
  };
  const report = await browser.open(t, data);
  assert.deepEqual(await rows(report, 'load-changes'), [
    ['response, 50 %', '2.00 ms', '1.00 ms', '−1.00 ms', '−1.10 ms to −900 µs', 'faster'],
    ['response, 99 %', '9.00 ms', '10.0 ms', '+1.00 ms', '−500 µs to +2.50 ms', 'may be chance'],
    ['response, 99.9 %', '9.00 ms', '10.0 ms', '+1.00 ms', '', 'how sure is not known'],
    ['answers a second', '110', '100', '−10', '−11 to −9', 'fewer'],
    ['failed', '0.0 %', '1.0 %', '+1.0 pp', '', ''],
  ]);
  assert.equal(await report.page.locator('#load-changes td.down').innerText(), '−1.00 ms');
  assert.equal(await report.page.locator('#load-changes td.up').innerText(), '−10');
  const told = flat(await report.text('#load-comparison'));
  assert.match(told, /Compared with sunday .*The test before cannot be believed: too busy/);
  assert.match(told, /Another load: they were not asked for the same/);
  const earlier = await corners(report, 'load-percentiles', 'earlier');
  const own = await corners(report, 'load-percentiles', 'response');
  assert.ok(earlier.length > own.length);
  assert.ok(earlier.at(-1)[0] > own.at(-1)[0], 'of ten times as many requests: further');
});

test('a real one, and two that are compared', async (t) => {
  const server = http.createServer((_request, response) => response.end('hello'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const directory = temporary();
  t.after(() => {
    server.close();
    server.closeAllConnections();
    fs.rmSync(directory, { recursive: true, force: true });
  });
  const store = path.join(directory, 'store');
  const url = `http://127.0.0.1:${server.address().port}/`;
  await run(bin, ['load', url, '-R', '100', '-d', '2', '-n', '--store', store]);
  const { html, json } = await reported(store, 'last');
  const report = await browser.open(t, html);
  const [part] = json.captures;
  assert.equal(await report.page.title(), 'load – Sonde report');
  assert.equal(
    await report.page.locator('#load-verdict .alarm').count(),
    part.summary.sonde.valid ? 0 : 1,
  );
  const response = await corners(report, 'load-percentiles', 'response');
  assert.equal(response.length, part.percentiles.length);
  assert.equal((await rows(report, 'load-intervals')).length, part.intervals.length);
  assert.match(flat(await report.text('#load-facts')), /Loop open: 100 requests a second Sent for/);
  await run(bin, ['load', url, '-R', '50', '-d', '2', '-n', '--name', 'next', '--store', store]);
  const words = ['compare', 'load', 'next', '--format', 'html', '--store', store];
  const page = await browser.open(t, (await run(bin, words, { maxBuffer: 1 << 28 })).stdout);
  const changes = await rows(page, 'load-changes');
  assert.equal(changes.length, 7);
  assert.deepEqual(changes[5].slice(0, 1), ['answers a second']);
  assert.match(flat(await page.text('#load-comparison')), /Compared with load .*Another load/);
  assert.ok((await corners(page, 'load-percentiles', 'earlier')).length > 10);
});
