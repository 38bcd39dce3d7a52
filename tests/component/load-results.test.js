// SPDX-License-Identifier: Apache-2.0
'use strict';

// What becomes of a load test's results: kept, listed, reported, compared and exported.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const test = require('node:test');
const { Sonde, bin, exited, start, temporary } = require('./support/sonde.js');

// Answers each request, every tenth with the status.
async function startServer(t, status = 200) {
  let count = 0;
  const server = http.createServer((_request, response) => {
    response.statusCode = ++count % 10 === 0 ? status : 200;
    response.end('hello');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close() && server.closeAllConnections());
  return `http://127.0.0.1:${server.address().port}/patients`;
}

// Whether the machine was quiet enough does not matter here: what is invalid is kept, too.
const states = { true: ['Succeeded', 'Completed'], false: ['Failed', 'Invalid'] };

function unwrapped(text) {
  return text.replace(/\s+/g, ' ');
}

test('a run of its own, which says what was said when it ran', async (t) => {
  const url = await startServer(t);
  const sonde = new Sonde(t);
  const words = ['-a', '200', '-c', '4', '--title', 'two hundred', '--name', 'monday'];
  const live = await sonde.run(['load', url, ...words]);
  exited(live, 0);
  assert.equal(live.stderr, '');
  const [run, ...others] = await sonde.runs();
  assert.deepEqual(others, []);
  assert.equal(run.name, 'monday');
  assert.equal(run.kind, 'LoadTest');
  const report = await sonde.report('monday');
  const [part] = report.captures;
  assert.deepEqual([report.state, report.reason], states[part.summary.sonde.valid]);
  assert.equal(report.target, url);
  const text = await sonde.run(['report', 'last']);
  exited(text, 0);
  assert.ok(unwrapped(text.stdout).includes(unwrapped(live.stdout)), text.stdout);
});

test('its JSON is that of the test, with percentiles and each second', async (t) => {
  const url = await startServer(t, 404);
  const sonde = new Sonde(t);
  const live = await sonde.run(['load', url, '-R', '100', '-d', '2', '-j']);
  exited(live, 0);
  const [part] = (await sonde.report()).captures;
  assert.equal(part.name, 'load');
  assert.equal(part.type, 'LoadResult');
  assert.deepEqual(part.summary, JSON.parse(live.stdout));
  const { requests, sonde: own } = part.summary;
  const sum = (name) => part.intervals.reduce((all, one) => all + one[name], 0);
  assert.ok(requests.total > 0);
  assert.equal(sum('answered'), requests.total);
  assert.equal(sum('badAnswers'), Math.floor(requests.total / 10));
  assert.equal(sum('sent'), own.sent);
  assert.equal(part.percentiles[0].share, 0);
  assert.equal(part.percentiles.at(-1).share, 1);
  assert.equal(part.percentiles.at(-1).response, own.responseMicroseconds.max);
  for (let i = 1; i < part.percentiles.length; i++) {
    assert.ok(part.percentiles[i].share > part.percentiles[i - 1].share);
    assert.ok(part.percentiles[i].response >= part.percentiles[i - 1].response);
  }
});

test('a broken threshold, and a server that is not there', async (t) => {
  const url = await startServer(t, 503);
  const sonde = new Sonde(t);
  const limit = 'http_req_failed: rate<0.05';
  exited(await sonde.run(['load', url, '-a', '100', '--threshold', limit]), 99);
  const { state, reason, message, captures } = await sonde.report();
  assert.equal(state, 'Failed');
  if (captures[0].summary.sonde.valid) {
    assert.deepEqual([reason, message], ['ThresholdBroken', limit]);
  }
  assert.deepEqual(captures[0].summary.sonde.thresholds, [
    { text: limit, value: 0.1, holds: false },
  ]);
  exited(await sonde.run(['load', 'http://127.0.0.1:1/', '-d', '1']), 1);
  const nothing = await sonde.report();
  assert.deepEqual([nothing.state, nothing.reason], ['Failed', 'Invalid']);
  assert.equal(nothing.message, 'nothing was answered');
});

test('not kept: when that is asked for, and where it cannot be', async (t) => {
  const url = await startServer(t);
  const sonde = new Sonde(t);
  exited(await sonde.run(['load', url, '-a', '10', '--no-store']), 0);
  assert.equal(fs.existsSync(sonde.store), false);
  const file = path.join(temporary(t), 'file');
  fs.writeFileSync(file, '');
  const told = await start(t, bin, ['load', url, '-a', '10', '-j', '--store', file]).done;
  exited(told, 0);
  assert.equal(JSON.parse(told.stdout).requests.total, 10);
  assert.match(told.stderr, /results are not kept \(give --store, or --no-store\)/);
  const misnamed = await sonde.run(['load', url, '-a', '1', '--name', 'A B']);
  exited(misnamed, 2);
  assert.match(misnamed.stderr, /"A B" is no name of a run/);
});

test('as it is kept, it can be had', async (t) => {
  const url = await startServer(t);
  const sonde = new Sonde(t);
  exited(await sonde.run(['load', url, '-a', '50']), 0);
  const raw = await sonde.run(['export', 'last', '--format', 'raw']);
  exited(raw, 0);
  const result = JSON.parse(raw.stdout);
  assert.equal(result.type, 'LoadResult');
  assert.equal(result.counts.answered, 50);
  assert.match(result.response.histogram, /^HISTFAAA/);
  exited(await sonde.run(['delete', 'last']), 0);
  assert.deepEqual(await sonde.runs(), []);
});
