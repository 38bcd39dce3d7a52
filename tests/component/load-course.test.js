// SPDX-License-Identifier: Apache-2.0
'use strict';

// The course of a load test: what comes before it and does not count, since when it is steady, and
// how sure its figures are.

const assert = require('node:assert/strict');
const http = require('node:http');
const test = require('node:test');
const { listen } = require('./support/load.js');
const { Sonde, exited } = require('./support/sonde.js');

// {url, requests()}: `answer(response, number)` is called for each request, from 0.
async function startServer(t, answer) {
  let count = 0;
  const server = http.createServer((_request, response) => answer(response, count++));
  const port = await listen(t, server);
  return { url: `http://127.0.0.1:${port}/`, requests: () => count };
}

const hello = (response) => response.end('hello');

// Of its JSON what autocannon has not, after both parts were found to add up.
function own(result) {
  const said = JSON.parse(result.stdout);
  const parts = said.sonde.warmUp ? [said.sonde, said.sonde.warmUp] : [said.sonde];
  for (const { sent, answered, failed, censored } of parts) {
    assert.equal(sent, answered + failed + censored, result.stdout);
  }
  return said.sonde;
}

test('a warm-up is apart, by when its requests were due', async (t) => {
  const warm = 100;
  const slowMs = 500;
  const { url, requests } = await startServer(t, (response, number) =>
    number < warm ? setTimeout(hello, slowMs, response) : hello(response),
  );
  const sonde = new Sonde(t);
  const words = ['-R', '50', '-d', '2', '--warm-up', '2s', '-j'];
  const live = await sonde.run(['load', url, ...words]);
  exited(live, 0);
  const { warmUp, ...rest } = own(live);
  assert.equal(warmUp.seconds, 2);
  // Those that were due shortly before its end are answered after it, and are of it all the same.
  assert.equal(warmUp.answered, warm);
  assert.ok(warmUp.responseMicroseconds.min > slowMs * 900);
  assert.equal(rest.sent + rest.unsent, 100);
  assert.equal(warmUp.sent + rest.sent, requests());
  assert.ok(rest.responseMicroseconds.min < slowMs * 900);
  const [part] = (await sonde.report()).captures;
  assert.deepEqual(part.summary.sonde.warmUp, warmUp);
  assert.equal(part.intervals[0].begin, 0);
  assert.equal(
    part.intervals.reduce((sum, one) => sum + one.sent, 0),
    rest.sent,
  );
  const text = await sonde.run(['report', 'last']);
  assert.match(text.stdout, /before it, and not in it, a warm-up of 2 s: 100 requests/);
});

test('an amount does not include the warm-up', async (t) => {
  const { url, requests } = await startServer(t, hello);
  for (const words of [
    ['-c', '3', '-w', '2'],
    ['-c', '3', '-w', '2', '-R', '300'],
  ]) {
    const before = requests();
    const live = await new Sonde(t).run([
      'load',
      url,
      '-a',
      '200',
      '--warm-up',
      '1s',
      '-j',
      ...words,
    ]);
    exited(live, 0);
    const { sent, warmUp } = own(live);
    assert.equal(sent, 200);
    assert.ok(warmUp.sent > 0);
    assert.equal(sent + warmUp.sent, requests() - before);
  }
});

test('what has no answer at the end is of the part in which it was due', async (t) => {
  const { url } = await startServer(t, () => {});
  const words = ['-c', '2', '-d', '1', '--warm-up', '1s', '-j'];
  const live = await new Sonde(t).run(['load', url, ...words]);
  exited(live, 1);
  const { warmUp, sent, invalidReason } = own(live);
  assert.deepEqual([warmUp.sent, warmUp.censored, sent], [2, 2, 0]);
  assert.equal(invalidReason, 'nothing was answered');
});

test('interrupted in the warm-up: nothing was measured', async (t) => {
  const { url, requests } = await startServer(t, hello);
  const running = new Sonde(t).start(['load', url, '-c', '2', '--warm-up', '1h', '-j']);
  while (requests() < 100) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  running.child.kill('SIGINT');
  const result = await running.done;
  exited(result, 1);
  const { warmUp, sent } = own(result);
  assert.equal(sent, 0);
  assert.ok(warmUp.answered >= 100 - 2);
});

test('parts of seconds are refused', async (t) => {
  const result = await new Sonde(t).run(['load', 'http://localhost:1/', '--warm-up', '1500ms']);
  exited(result, 2);
  assert.match(result.stderr, /--warm-up: give whole seconds/);
});

test('since when it is steady, and how sure that is', async (t) => {
  const slowMs = 300;
  const { url } = await startServer(t, (response, number) =>
    number < 300 ? setTimeout(hello, slowMs, response) : hello(response),
  );
  const sonde = new Sonde(t);
  const live = await sonde.run(['load', url, '-R', '50', '-d', '24', '-j']);
  exited(live, 0);
  const { steadiness, responseIntervalMethod, responseIntervals } = own(live);
  assert.equal(responseIntervalMethod, 'bootstrap');
  const [low, high] = responseIntervals.p90;
  assert.ok(low < high && high > slowMs * 900, live.stdout);
  assert.equal(responseIntervals.p99_9, null);
  // The first six seconds are slow. A busy machine may make others slow, too.
  if (steadiness.state === 'steady') {
    assert.ok(steadiness.sinceSeconds >= 5, live.stdout);
  } else {
    assert.ok(['rate', 'p50', 'p99'].includes(steadiness.signal), live.stdout);
  }
  const short = await sonde.run(['load', url, '-R', '50', '-d', '2', '-j']);
  assert.equal(own(short).steadiness, null);
  assert.equal(own(short).responseIntervalMethod, 'orderStatistics');
});

// Answers so many requests a second, the others with 503.
function limited(rate) {
  let tokens = rate / 10;
  let last = Date.now();
  return (response) => {
    const now = Date.now();
    tokens = Math.min(rate / 10, tokens + ((now - last) * rate) / 1000);
    last = now;
    response.statusCode = tokens >= 1 ? 200 : 503;
    tokens -= tokens >= 1 ? 1 : 0;
    response.end();
  };
}

const limit = ['--threshold', 'http_req_failed: rate<0.05'];

test('the highest rate that keeps is searched for, and kept', async (t) => {
  const { url } = await startServer(t, limited(200));
  const sonde = new Sonde(t);
  const words = ['--search', '50:1600', '-d', '1', '--precision', '20', '-j', ...limit];
  const live = await sonde.run(['load', url, ...words]);
  const { search } = own(live);
  exited(live, search.lower ? 0 : 99);
  // The bucket is full at first: a second may hold a tenth more.
  assert.ok(search.lower <= 240, live.stdout);
  if (search.trials.every(({ rate, valid }) => valid || rate > 240)) {
    assert.ok(search.lower >= 150 && search.upper > 200, live.stdout);
    assert.equal(JSON.parse(live.stdout).sonde.thresholds[0].holds, true);
  }
  assert.equal(search.trials[0].rate, 50);
  const [part] = (await sonde.report()).captures;
  assert.deepEqual(part.summary.sonde.search, search);
  const text = await sonde.run(['report', 'last']);
  assert.match(text.stdout, /\n +rate +seconds +answers\/s\n +50 +1 /);
});

test('a search that finds nothing, and one that is interrupted', async (t) => {
  const { url, requests } = await startServer(t, (response) => {
    response.statusCode = 503;
    response.end();
  });
  const none = await new Sonde(t).run([
    'load',
    url,
    '--search',
    '20:100',
    '-d',
    '1',
    '-j',
    ...limit,
  ]);
  exited(none, 99);
  const { end, lower, upper } = own(none).search;
  assert.deepEqual([end, lower, upper], ['noneKept', 0, 20]);
  const before = requests();
  const sonde = new Sonde(t);
  // It keeps what it has measured until then, but no rate is found.
  const well = ['--threshold', 'http_req_failed: rate<=1'];
  const words = ['load', url, '--search', '50:100', '-d', '1h', '-j', ...well];
  const running = sonde.start(words);
  while (requests() < before + 20) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  running.child.kill('SIGINT');
  const stopped = await running.done;
  exited(stopped, 1);
  assert.deepEqual([own(stopped).search.end, own(stopped).search.trials], ['interrupted', []]);
  assert.equal((await sonde.report()).state, 'Cancelled');
});

test('a rate at which nothing is answered keeps no threshold', async (t) => {
  const { url } = await startServer(t, () => {});
  // Which timeouts alone would hold.
  const times = ['--threshold', 'http_req_duration: p(99)<60000'];
  const words = ['--search', '10:20', '-d', '1', '-t', '200ms', '-j', ...times];
  const silent = await new Sonde(t).run(['load', url, ...words]);
  exited(silent, 99);
  const { end, lower, upper, trials } = own(silent).search;
  assert.deepEqual([end, lower, upper], ['noneKept', 0, 10]);
  assert.ok(trials.every(({ keeps }) => !keeps));
});

test('what a search needs, and cannot have', async (t) => {
  const sonde = new Sonde(t);
  for (const [words, message] of [
    [['--search', '50:100'], /--search needs a --threshold/],
    [['--search', '100:50', ...limit], /give two rates a second/],
    [['--search', '50', ...limit], /give two rates a second/],
    [['--search', '50:100', '-R', '5', ...limit], /leave out other rates/],
    [['--precision', '5'], /--precision is of --search/],
  ]) {
    const result = await sonde.run(['load', 'http://localhost:1/', ...words]);
    exited(result, 2);
    assert.match(result.stderr, message);
  }
});
