// SPDX-License-Identifier: Apache-2.0
'use strict';

// A CPU profile of at least 10 MB (large.js) → the HTML report: its size beside the data, and how
// fast headless Chromium shows it and zooms.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { takeLarge } = require('./large.js');
const {
  checkProgram,
  machine,
  main,
  parse,
  quantile,
  root,
  temporaryDirectory,
} = require('./measure.js');

const WANTED_BYTES = 10e6;
const SHELL = /(id="data">)[^<]*/;

const options = parse({
  times: 15,
  zooms: 60,
  seconds: 5,
  sonde: 'build/release/bin/sonde',
  store: '',
});

function playwright() {
  try {
    return require(path.join(root, 'tests/browser/node_modules/playwright-core'));
  } catch {
    throw new Error('run npm ci --prefix tests/browser first');
  }
}

const write = (sonde, store, format) =>
  execFileSync(sonde, ['report', 'last', '--store', store, '--format', format], {
    maxBuffer: 1 << 30,
  }).toString();

// Milliseconds since the page was asked for: the first words, and the graph on the screen.
async function load(context, file) {
  const page = await context.newPage();
  await page.goto(`file://${file}`);
  await page.waitForFunction(() =>
    ['sonde-drawn', 'first-contentful-paint'].every(
      (name) => performance.getEntriesByName(name).length > 0,
    ),
  );
  const times = await page.evaluate(() => ({
    words: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    graph: performance.getEntriesByName('sonde-painted')[0].startTime,
  }));
  return { page, times };
}

// Clicks on boxes and on the way back: milliseconds until the work is done, and until it is seen.
function zoom(page, count) {
  return page.evaluate(async (wanted) => {
    const canvas = document.querySelector('#flame canvas');
    canvas.scrollIntoView();
    const results = [];
    let state = 7;
    for (let i = 0; i < wanted; i++) {
      state = (state * 48271) % 0x7fffffff;
      const box = canvas.getBoundingClientRect();
      const event = new MouseEvent('click', {
        bubbles: true,
        clientX: box.left + (state % 1000) * (box.width / 1000),
        clientY: box.top + 19 * (i % 4 === 3 ? 0 : 1 + (state % 12)) + 9,
      });
      const begin = performance.now();
      const before = location.hash;
      canvas.dispatchEvent(event);
      const done = performance.now() - begin;
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      if (location.hash !== before) {
        results.push({ done, seen: performance.now() - begin });
      }
    }
    return results;
  }, count);
}

const show = (values) =>
  `median ${quantile(values, 0.5).toFixed(0)} ms, p99 ${quantile(values, 0.99).toFixed(0)} ms`;

main(async () => {
  const sonde = checkProgram(options.sonde);
  const directory = temporaryDirectory();
  const store = options.store || path.join(directory, 'store');
  const taken = options.store
    ? JSON.parse(write(sonde, store, 'json'))
    : await takeLarge(sonde, store, directory, options.seconds);
  if (taken.cost.bytes < WANTED_BYTES) {
    throw new Error(`the profile has only ${taken.cost.bytes} bytes: give more --seconds`);
  }
  const html = write(sonde, store, 'html');
  const file = path.join(directory, 'report.html');
  fs.writeFileSync(file, html);
  const context = await playwright().chromium.launchPersistentContext(
    path.join(directory, 'user'),
    {
      executablePath: '/usr/bin/chromium',
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      viewport: { width: 1440, height: 900 },
    },
  );
  const loads = [];
  let zooms = [];
  try {
    for (let i = 0; i <= options.times; i++) {
      const { page, times } = await load(context, file);
      loads.push(times);
      if (i === options.times) {
        zooms = await zoom(page, options.zooms);
      }
      await page.close();
    }
  } finally {
    await context.close();
  }
  loads.shift(); // the first one warms up
  const data = SHELL.exec(html)[0].length;
  console.log(machine());
  console.log(
    `cpuprofile of ${(taken.cost.bytes / 1e6).toFixed(1)} MB, ${taken.captures[0].samples} samples → page of ${(html.length / 1e3).toFixed(0)} kB, of which ${((html.length - data) / 1e3).toFixed(0)} kB beside the data`,
  );
  console.log(`first words: ${show(loads.map((times) => times.words))}`);
  console.log(`flame graph painted: ${show(loads.map((times) => times.graph))}`);
  console.log(`${zooms.length} zooms: ${show(zooms.map((times) => times.done))}`);
  console.log(`until seen: ${show(zooms.map((times) => times.seen))}`);
});
