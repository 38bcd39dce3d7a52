// SPDX-License-Identifier: Apache-2.0
'use strict';

// Files that other tools write, made here by V8 itself, from their import to what is seen.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const inspector = require('node:inspector/promises');
const test = require('node:test');
const { Browser, imported, temporary } = require('./support/page.js');

const browser = new Browser(test);

function hashPasswords(milliseconds) {
  const end = Date.now() + milliseconds;
  let count = 0;
  while (Date.now() < end) {
    crypto.pbkdf2Sync('password', String(count++), 2000, 32, 'sha256');
  }
  return count;
}

const kept = [];

function keepSessions() {
  for (let i = 0; i < 2000; i++) {
    kept.push(new Array(500).fill(i));
  }
}

async function inspected(t, take) {
  const directory = temporary();
  const session = new inspector.Session();
  session.connect();
  t.after(() => {
    session.disconnect();
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return { directory, profile: await take(session) };
}

test('a .cpuprofile', async (t) => {
  const { directory, profile } = await inspected(t, async (session) => {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    hashPasswords(600);
    return (await session.post('Profiler.stop')).profile;
  });
  const { html, json } = await imported(directory, 'own.cpuprofile', JSON.stringify(profile));
  const report = await browser.open(t, html);
  assert.equal(
    await report.text('#findings-list > li:first-child .title'),
    json.captures[0].findings[0].title,
  );
  assert.match(await report.text('#findings-list'), /hashPasswords/);
  await report.page.getByLabel('Search').fill('hashPasswords');
  const [, share] = /^([\d.]+) %/.exec(await report.text('#search-share'));
  assert.ok(Number(share) > 80, share);
  assert.ok(await report.page.locator('#timeline').isVisible());
  assert.match(
    await report.page.locator('#timeline canvas').getAttribute('aria-label'),
    /^Busy \d/,
  );
});

test('a .heapprofile, as clinic heapprofiler writes it', async (t) => {
  const { directory, profile } = await inspected(t, async (session) => {
    await session.post('HeapProfiler.startSampling', { samplingInterval: 32768 });
    keepSessions();
    return (await session.post('HeapProfiler.stopSampling')).profile;
  });
  const { html } = await imported(directory, 'own.heapprofile', JSON.stringify(profile));
  const report = await browser.open(t, html);
  assert.match(await report.tip(0.5, 0), /^All total 100\.0 % \([\d.]+ MB\)/);
  await report.page.getByLabel('Search').fill('keepSessions');
  const [, share] = /^([\d.]+) %/.exec(await report.text('#search-share'));
  assert.ok(Number(share) > 50, share);
  await report.page.getByRole('button', { name: 'keepSessions' }).first().click();
  assert.match(await report.text('#detail'), /keepSessions\s+\S*files\.test\.js:\d+/);
  assert.match(await report.text('#detail'), /Objects/);
  assert.ok(kept.length > 0);
});
