// SPDX-License-Identifier: Apache-2.0
'use strict';

// The page as a whole: of a real run, its head, findings and cost; dark and light; the address;
// names from outside.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Browser, pack, profile, temporary, unpack } = require('./support/page.js');
const {
  Stacks,
  comparisonData,
  exampleData,
  exampleReport,
  coverageData,
  heapData,
} = require('./support/data.js');

const browser = new Browser(test);

const PROGRAM = `const crypto = require('node:crypto');
function burnTheCpu() {
  return crypto.pbkdf2Sync('password', 'salt', 30000, 32, 'sha256');
}
setInterval(burnTheCpu, 50);
console.log('ready');
`;

test('a real run: the findings, the function and its line, in one file', async (t) => {
  const directory = temporary();
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const script = path.join(directory, 'service.js');
  fs.writeFileSync(script, PROGRAM);
  const { html, json } = await profile(directory, script, '2s');
  assert.doesNotMatch(html, /(src|href)="(?!data:)/);
  assert.match(
    html,
    /content="default-src 'none'; script-src 'sha256-[\w+/=]{44}'; style-src 'sha256-/,
  );
  assert.ok(html.length < 300e3, `${html.length} bytes`);
  assert.deepEqual(unpack(html).report, json);
  const report = await browser.open(t, html);
  assert.match(await report.text('#run h1'), /^profile\s*Succeeded \(Completed\)$/);
  assert.match(await report.text('#run'), /process \d+/);
  const titles = await report.texts('#findings-list .title');
  assert.deepEqual(
    titles,
    json.captures[0].findings.map((finding) => finding.title),
  );
  assert.match(titles[0], /burnTheCpu/);
  const [first] = json.captures[0].findings;
  assert.match(
    await report.text('#findings-list > li:first-child'),
    new RegExp(`service\\.js:${first.where[0].line}`),
  );
  assert.ok((await report.text('#findings-list > li:first-child')).includes(first.advice));
  assert.equal((await report.functions())[0], json.captures[0].functions[0].function);
  await report.page.locator('#findings-list button').first().click();
  assert.match(await report.text('#detail'), /burnTheCpu\s+\S+\/service\.js:2\s/);
  assert.match(await report.text('#detail'), /Calls\s+pbkdf2Sync/);
  assert.match(
    await report.text('#detail'),
    /2\s+([\d.]+ %\s+)?function burnTheCpu\(\) \{\s+3\s+([\d.]+ %\s+)?return crypto\.pbkdf2Sync\('password'/,
  );
  assert.match(await report.text('#cost'), /Loop stood still at the start\s+\S+ ms/);
});

test('head, evidence and cost', async (t) => {
  const report = await browser.open(t, exampleData());
  assert.equal(await report.page.title(), 'slow-patients – Sonde report');
  const head = await report.text('#run');
  for (const part of ['Deployment/patients', 'v22.11.0', '2026-01-31 12:34:56 UTC', '0f7b1d3e']) {
    assert.ok(head.includes(part), part);
  }
  const finding = await report.text('#findings-list');
  assert.match(finding, /routes\/visits\.js:41/);
  assert.match(
    finding,
    /busy share 60\.0 %\s+time 3\.00 s\s+severity 70 of 100\s+confidence 90\.0 %/,
  );
  const cost = await report.text('#cost');
  assert.match(cost, /at 2 rotations\s+3\.25 ms \(p50\), 4\.50 ms \(longest\)/);
  assert.match(cost, /Received\s+1\.23 MB/);
  assert.match(cost, /utilized\s+50\.0 %/);
});

test('names from outside are text, and show what is hidden in them', async (t) => {
  const evil = [
    '</script><script>window.broken = 1</script>',
    '<img src=x onerror="window.broken = 1">',
    `"'\`&amp;\${broken}`,
    'ring\u0007back\u001b[31mcolour\u0000nul',
    'exe.\u202egnp.js\u2066a\u200b',
    '__proto__',
    'constructor',
    '<!--',
  ];
  const stacks = new Stacks();
  for (const name of evil) {
    const frame = {
      name,
      file: `file:///srv/app/${name}.js`,
      line: 1,
      category: 'dependency',
      package: name,
      version: name,
    };
    stacks.add([frame], 1e6, 5);
  }
  const report = await browser.open(t, {
    version: 1,
    report: {
      ...exampleReport,
      name: evil[0],
      message: evil[1],
      target: evil[4],
      captures: [
        {
          ...exampleReport.captures[0],
          findings: exampleReport.captures[0].findings.map((finding) => ({
            ...finding,
            title: evil[1],
            advice: evil[0],
          })),
          stalls: [],
        },
      ],
    },
    captures: [stacks.capture({ name: evil[0] })],
  });
  const names = await report.functions();
  for (const name of [evil[0], evil[1], evil[2], '__proto__', 'constructor', '<!--']) {
    assert.ok(names.includes(name), name);
  }
  assert.ok(names.includes('ring\\u{7}back\\u{1b}[31mcolour\\u{0}nul'));
  assert.ok(names.includes('exe.\\u{202e}gnp.js\\u{2066}a\\u{200b}'));
  assert.match(await report.text('#run'), /exe\.\\u\{202e\}gnp/);
  assert.ok((await report.text('#findings-list')).includes(evil[1]));
  assert.ok((await report.tip(0.01, 1)).length > 0);
  assert.equal(await report.page.evaluate(() => window.broken), undefined);
  assert.equal(await report.page.locator('main img, main script').count(), 0);
  await report.page.getByText('8 packages').click();
  await report.page.getByRole('button', { name: 'Fold packages' }).click();
  assert.ok((await report.functions()).includes('__proto__ ⋯'));
});

test('data that cannot be read is said, not hidden', async (t) => {
  const html = await pack(exampleData());
  const report = await browser.open(t, html.replace(/(id="data">.{40})[^<]*/, '$1'));
  assert.match(await report.text('#problem'), /This report cannot be shown/);
});

const luminance = (page, selector, property) =>
  page.evaluate(
    ([element, name]) => {
      const canvas = new OffscreenCanvas(1, 1);
      const context = canvas.getContext('2d');
      context.fillStyle = getComputedStyle(document.querySelector(element))[name];
      context.fillRect(0, 0, 1, 1);
      const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    },
    [selector, property],
  );

for (const dark of [false, true]) {
  test(`${dark ? 'dark' : 'light'}: as the system says, and text that can be read`, async (t) => {
    const report = await browser.open(t, exampleData(), { dark });
    await report.click(0.1, 2);
    const surface = await luminance(report.page, '#findings', 'backgroundColor');
    assert.ok(dark ? surface < 0.1 : surface > 0.8, `surface ${surface}`);
    const texts = [
      '#run h1',
      '.facts dt',
      '.evidence',
      '.link',
      '.note',
      '.place',
      '.state',
      'th button',
    ];
    for (const selector of [...texts, '#legend summary', '#search-share']) {
      const ink = await luminance(report.page, selector, 'color');
      const contrast = (Math.max(ink, surface) + 0.05) / (Math.min(ink, surface) + 0.05);
      assert.ok(contrast >= 4.5, `${selector}: ${contrast}`);
    }
  });
}

test('the theme is chosen by hand, and the graph follows', async (t) => {
  const report = await browser.open(t, exampleData());
  const before = await report.page.locator('#flame canvas').screenshot();
  await report.page.getByRole('button', { name: 'Dark' }).click();
  assert.ok((await luminance(report.page, '#findings', 'backgroundColor')) < 0.1);
  await report.page.mouse.move(0, 0);
  assert.notDeepEqual(await report.page.locator('#flame canvas').screenshot(), before);
  await report.page.getByRole('button', { name: 'Dark' }).click();
  assert.ok((await luminance(report.page, '#findings', 'backgroundColor')) > 0.8);
});

test('what has no tree is shown as its text, with its findings', async (t) => {
  const data = exampleData();
  const [first] = data.report.captures;
  const finding = {
    ...first.findings[0],
    title: 'the event loop stood still for 800 ms',
    where: [],
  };
  data.report = {
    ...data.report,
    captures: [first, { name: 'loop', type: 'EventLoop', findings: [finding] }],
  };
  data.parts = [
    { at: 1, name: 'loop', type: 'EventLoop', text: 'delay p99 <b>12</b> ms\n\u001b[31mred' },
  ];
  const report = await browser.open(t, data);
  await report.page.getByRole('button', { name: 'loop', exact: true }).click();
  assert.deepEqual(await report.texts('#findings-list .title'), [finding.title]);
  assert.equal(await report.text('#part-view'), 'delay p99 <b>12</b> ms\n\\u{1b}[31mred');
  assert.ok(await report.page.locator('#graph').isHidden());
  await report.page.getByRole('button', { name: 'cpu', exact: true }).click();
  assert.ok(await report.page.locator('#part').isHidden());
  assert.match(await report.tip(0.5, 1), /^handle/);
});

test('the address holds what is looked at', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.page.getByLabel('Search').fill('sequelize');
  await report.page.getByRole('button', { name: 'Fold packages' }).click();
  await report.click(0.1, 2);
  await report.page.getByLabel('Colour by').selectOption('heat');
  await report.page.getByRole('button', { name: /^Total/ }).click();
  const hash = await report.page.evaluate(() => location.hash);
  const other = await browser.open(t, exampleData(), { hash });
  assert.deepEqual(await other.crumbs(), ['All', 'handle', 'loadVisits']);
  assert.equal(await other.page.getByLabel('Search').inputValue(), 'sequelize');
  assert.equal(await other.text('#search-share'), '52.0 % of 5.00 s');
  assert.match(await other.tip(0.1, 3), /^sequelize ⋯/);
  assert.equal(await other.page.getByLabel('Colour by').inputValue(), 'heat');
  assert.equal((await other.functions())[0], 'handle');
  assert.match(await other.text('#detail'), /loadVisits/);
  await report.page.goBack();
  assert.deepEqual(await report.crumbs(), []);
});

test('an address from outside cannot break the page', async (t) => {
  const hash =
    '#capture=99&view=__proto__&zoom=99999999&time=9-1&group=fold:__proto__&function=12345&sort=constructor&category=%3Cb%3E';
  const report = await browser.open(t, exampleData(), { hash });
  assert.match(await report.tip(0.5, 1), /^handle/);
  assert.match(await report.text('#table-status'), /^0 of 0 functions/);
});

test('keys: help, the graph only, and the way past the head', async (t) => {
  const report = await browser.open(t, exampleData());
  await report.press('Tab');
  await report.press('Enter');
  assert.equal(
    await report.page.evaluate(() => document.activeElement.getAttribute('aria-roledescription')),
    'flame graph',
  );
  await report.press('?');
  assert.ok(await report.page.getByRole('dialog', { name: 'Keys' }).isVisible());
  await report.press('Escape');
  await report.press('f');
  assert.ok(await report.page.locator('#findings').isHidden());
  assert.ok(await report.page.locator('#flame').isVisible());
  await report.press('f');
  assert.ok(await report.page.locator('#findings').isVisible());
});

for (const [what, data, hash] of [
  ['a profile', exampleData(), '#function=2'],
  ['a comparison', comparisonData(), ''],
  ['a snapshot', heapData({ growth: true }), '#capture=1'],
  ['coverage', coverageData({ compared: true }), '#capture=1&function=0'],
]) {
  test(`${what}: all that is operated has a name, all that is read has its roles`, async (t) => {
    const report = await browser.open(t, data, { hash });
    const nameless = await report.page.evaluate(() =>
      [...document.querySelectorAll('button, select, input, [role], [tabindex]')]
        .filter((element) => element.offsetParent !== null)
        .filter((element) => {
          const label = element.id && document.querySelector(`label[for="${element.id}"]`);
          const named = element.getAttribute('aria-label') || label || element.textContent.trim();
          return !named && element.getAttribute('role') !== 'status';
        })
        .map((element) => element.outerHTML),
    );
    assert.deepEqual(nameless, []);
    const tables = await report.page.evaluate(() =>
      [...document.querySelectorAll('main table')]
        .filter((table) => table.offsetParent !== null && table.tHead)
        .map((table) => ({
          caption: table.caption?.textContent ?? '',
          sorted: table.querySelectorAll('[aria-sort="descending"]').length,
          scopes: [...table.querySelectorAll('th')].every((cell) => cell.scope),
        })),
    );
    assert.ok(tables.length > 0);
    for (const table of tables) {
      assert.ok(table.caption && table.sorted === 1 && table.scopes, JSON.stringify(table));
    }
    const ids = await report.page.evaluate(() =>
      [...document.querySelectorAll('[id]')].map((element) => element.id),
    );
    assert.equal(new Set(ids).size, ids.length);
  });
}
