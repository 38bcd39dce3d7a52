// SPDX-License-Identifier: Apache-2.0
'use strict';

// The page as `sonde report --format html` writes it, in headless Chromium.

const assert = require('node:assert/strict');
const { execFile, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');
const zlib = require('node:zlib');
const { chromium } = require('playwright-core');

const root = path.resolve(__dirname, '../../..');
const bin = path.resolve(root, process.env.SONDE_BIN ?? 'build/dev/bin/sonde');
const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const DATA = /(<script type="application\/octet-stream" id="data">)([^<]*)(<\/script>)/;
const ROW = 19; // pixels of a row of the flame graph

const run = promisify(execFile);

function temporary() {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'sonde-browser-'));
}

// Profiles a process of `script`, which says "ready", and returns {store, html, json}: the page and
// the report of the run.
async function profile(directory, script, duration, ...more) {
  const store = path.join(directory, 'store');
  const target = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await new Promise((resolve, reject) => {
      target.stdout.once('data', resolve);
      target.once('exit', () => reject(new Error(`${script} ended`)));
    });
    const words = ['profile', '--duration', duration, '--store', store, ...more];
    await run(bin, [...words, '--pid', `${target.pid}`], { timeout: 60000 });
  } finally {
    target.kill('SIGKILL');
  }
  return report(store, 'last');
}

// The page of what changed between two files of another tool, each the content of a run of that name.
async function compared(directory, files) {
  const store = path.join(directory, 'store');
  const words = ['--store', store];
  for (const file of files) {
    await run(bin, ['import', file, ...words], { timeout: 60000 });
  }
  const names = files.map((file) => path.parse(file).name);
  const options = { maxBuffer: 1 << 28 };
  return (await run(bin, ['compare', ...names, '--format', 'html', ...words], options)).stdout;
}

// The same of a file of another tool.
async function imported(directory, name, content) {
  const store = path.join(directory, 'store');
  fs.writeFileSync(path.join(directory, name), content);
  await run(bin, ['import', path.join(directory, name), '--store', store], { timeout: 60000 });
  return report(store, 'last');
}

async function report(store, name) {
  const words = ['report', name, '--store', store];
  const options = { maxBuffer: 1 << 28 };
  const html = await run(bin, [...words, '--format', 'html'], options);
  const json = await run(bin, [...words, '--format', 'json'], options);
  return { store, html: html.stdout, json: JSON.parse(json.stdout) };
}

let shell = null;

// A page of the program, whose data a test puts its own in place of.
function pageShell() {
  shell ??= (async () => {
    const directory = temporary();
    try {
      return (await imported(directory, 'stacks.folded', 'a;b 1\n')).html;
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  })();
  return shell;
}

function unpack(html) {
  return JSON.parse(zlib.gunzipSync(Buffer.from(DATA.exec(html)[2], 'base64')).toString());
}

async function pack(data) {
  const text = zlib.gzipSync(JSON.stringify(data)).toString('base64');
  return (await pageShell()).replace(DATA, (_all, begin, _old, end) => begin + text + end);
}

// One browser for a file of tests; closed with the file.
class Browser {
  constructor(hooks) {
    hooks.before(async () => {
      this.directory = temporary();
      this.context = await chromium.launchPersistentContext(path.join(this.directory, 'user'), {
        executablePath: CHROMIUM,
        args: FLAGS,
        headless: true,
        viewport: { width: 1280, height: 900 },
      });
    });
    hooks.after(async () => {
      await this.context?.close();
      fs.rmSync(this.directory, { recursive: true, force: true });
    });
  }

  // The page of the HTML or data; the test fails when it asks for anything but itself, or says
  // anything on the console.
  async open(t, content, { hash = '', dark = false } = {}) {
    const html = typeof content === 'string' ? content : await pack(content);
    const file = path.join(this.directory, `page-${Math.random().toString(36).slice(2)}.html`);
    fs.writeFileSync(file, html);
    const page = await this.context.newPage();
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
    const said = [];
    page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => said.push(`error: ${error.stack}`));
    page.on('request', (request) => said.push(`request: ${request.url().slice(0, 200)}`));
    t.after(async () => {
      await page.close();
      const own = (line) =>
        line === `request: file://${file}${hash}` || line === `request: file://${file}`;
      assert.deepEqual(
        said.filter((line) => !own(line)),
        [],
        'no other request, and nothing said on the console',
      );
    });
    page.setDefaultTimeout(20000);
    await page.goto(`file://${file}${hash}`);
    await page.waitForFunction(
      () =>
        performance.getEntriesByName('sonde-drawn').length > 0 ||
        !document.getElementById('problem').hidden,
    );
    return new Report(page);
  }
}

// What a person does and sees.
class Report {
  constructor(page) {
    this.page = page;
  }

  text(selector) {
    return this.page.locator(selector).innerText();
  }

  async texts(selector) {
    return (await this.page.locator(selector).allInnerTexts()).map((text) => text.trim());
  }

  // A point of the graph: a share of its width, in a row counted from the root.
  async point(share, row, graph = '#flame') {
    const canvas = this.page.locator(`${graph} canvas`);
    await canvas.scrollIntoViewIfNeeded();
    const box = await canvas.boundingBox();
    return { x: box.x + box.width * share, y: box.y + row * ROW + ROW / 2 };
  }

  // What the box under the pointer says of itself; '' when there is none.
  async tip(share, row, graph = '#flame') {
    const { x, y } = await this.point(share, row, graph);
    await this.page.mouse.move(x, y);
    const tip = this.page.locator(`${graph} .tip`);
    return (await tip.isVisible()) ? (await tip.innerText()).replace(/\s+/g, ' ') : '';
  }

  async click(share, row, graph = '#flame') {
    const { x, y } = await this.point(share, row, graph);
    await this.page.mouse.click(x, y);
  }

  async doubleClick(share, row, graph = '#flame') {
    const { x, y } = await this.point(share, row, graph);
    await this.page.mouse.dblclick(x, y);
  }

  // The names on the way to what is zoomed into.
  crumbs() {
    return this.texts('#crumbs button');
  }

  functions() {
    return this.texts('#function-rows th button');
  }

  cells(column) {
    return this.texts(`#function-rows td:nth-of-type(${column})`);
  }

  press(key) {
    return this.page.keyboard.press(key);
  }

  async focusGraph() {
    await this.page.locator('#flame .graph-scroll').focus();
  }

  spoken() {
    return this.page.locator('#announce').textContent();
  }

  hash() {
    return this.page.evaluate(() => decodeURIComponent(location.hash));
  }
}

module.exports = {
  Browser,
  bin,
  compared,
  imported,
  pack,
  profile,
  reported: report,
  temporary,
  unpack,
};
