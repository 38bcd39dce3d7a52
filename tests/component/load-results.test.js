// SPDX-License-Identifier: Apache-2.0
'use strict';

// What becomes of a load test's results: kept, listed, reported, compared and exported.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const test = require('node:test');
const hdr = require('hdr-histogram-js');
const { listen } = require('./support/load.js');
const { Sonde, bin, exited, root, start, temporary } = require('./support/sonde.js');

// Answers each request, every tenth with the status.
async function startServer(t, status = 200, asked = () => {}) {
  let count = 0;
  const server = http.createServer((_request, response) => {
    response.statusCode = ++count % 10 === 0 ? status : 200;
    response.end('hello');
    asked(count);
  });
  const port = await listen(t, server);
  return `http://127.0.0.1:${port}/patients`;
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
  assert.match(
    nothing.message,
    /^nothing was answered: \d+ refused \(nobody listens on that port\)$/,
  );
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

test('what is to be held against others is not begun where it cannot be kept', async (t) => {
  let requests = 0;
  const url = await startServer(t, 200, (count) => {
    requests = count;
  });
  const sonde = new Sonde(t);
  const store = sonde.document('file', '');
  const budget = sonde.document('budget.yaml', 'thresholds: ["http_reqs: count>1"]');
  const spec = {
    target: { url },
    scenario: { requests: [{ name: 'one', path: '/' }] },
    arrival: { amount: 10 },
  };
  const kind = { apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest', metadata: { name: 'main' } };
  const document = sonde.document('test.json', JSON.stringify({ ...kind, spec }));
  const load = ['load', url, '-a', '10'];
  for (const words of [
    [...load, '--baseline', 'main'],
    [...load, '--budget', budget],
    [...load, '--baseline', 'main', '--warmup', '[', '-c', '1', '-a', '5', ']'],
    ['run', document, '--baseline', 'main'],
  ]) {
    const refused = await start(t, bin, [...words, '--store', store]).done;
    exited(refused, 1);
    assert.match(refused.stderr, /--baseline and --budget need the results, which cannot be kept/);
    assert.equal(refused.stdout, '');
  }
  assert.equal(requests, 0);
});

test('what cannot be begun is said alone, and nothing is kept of it', async (t) => {
  const sonde = new Sonde(t);
  const result = await sonde.run(['load', 'nonsense://host/', '-a', '1']);
  exited(result, 2);
  assert.match(result.stderr, /^sonde: [^\n]*nonsense[^\n]*\n$/);
  assert.deepEqual(await sonde.runs(), []);
});

test('interrupted before its time it is cancelled, and no baseline', async (t) => {
  let interrupt = () => {};
  const url = await startServer(t, 200, (count) => count === 20 && interrupt());
  const sonde = new Sonde(t);
  const running = sonde.start(['load', url, '-d', '5m', '-c', '1', '--name', 'main']);
  interrupt = () => running.child.kill('SIGINT');
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stdout, /\d+ answered, 0 failed/);
  const { state, reason } = await sonde.report('main');
  assert.deepEqual([state, reason], ['Cancelled', 'Cancelled']);
  const next = await sonde.run(['load', url, '-a', '10', '--baseline', 'main']);
  assert.match(next.stderr, /^skipped baseline: /m);
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

// The run's last test in each format, by its name.
async function exported(t, sonde, formats) {
  const directory = temporary(t);
  const files = {};
  for (const format of formats) {
    files[format] = path.join(directory, format);
    const words = ['export', 'last', '--format', format, '-o', files[format]];
    exited(await sonde.run(words), 0);
  }
  return { files, text: (format) => fs.readFileSync(files[format], 'utf8') };
}

const limits = ['http_req_failed: rate<0.05', 'http_req_duration: p(99)<60000'];

async function loaded(t) {
  const url = await startServer(t, 503);
  const sonde = new Sonde(t);
  const words = limits.flatMap((limit) => ['--threshold', limit]);
  const live = await sonde.run(['load', url, '-R', '100', '-d', '3', '-j', ...words]);
  exited(live, 99);
  return { sonde, url, live: JSON.parse(live.stdout), text: live.stdout };
}

test('exported as JSON of autocannon, CSV, and summary of k6', async (t) => {
  const { sonde, live, text } = await loaded(t);
  const formats = await exported(t, sonde, ['autocannon', 'csv', 'k6']);
  assert.equal(formats.text('autocannon'), text);
  const [names, ...rows] = formats
    .text('csv')
    .trim()
    .split('\n')
    .map((row) => row.split(','));
  const [part] = (await sonde.report()).captures;
  assert.equal(rows.length, part.intervals.length);
  rows.forEach((row, i) => {
    assert.equal(row.length, names.length);
    names.forEach((name, k) => {
      assert.equal(row[k] === '' ? undefined : Number(row[k]), part.intervals[i][name], name);
    });
  });
  const { metrics, root_group } = JSON.parse(formats.text('k6'));
  assert.equal(metrics.http_reqs.count, live.requests.total);
  assert.deepEqual(metrics.http_req_failed.thresholds, { 'rate<0.05': true });
  assert.deepEqual(metrics.http_req_duration.thresholds, { 'p(99)<60000': !live.sonde.valid });
  assert.equal(metrics.http_req_duration['p(95)'], live.latency.p95);
  assert.equal(metrics.http_req_duration.max, live.latency.max);
  assert.equal(metrics.http_req_failed.passes, live.non2xx);
  assert.deepEqual(root_group.checks, {});
});

test('exported histograms, metrics and XML, as their readers find them', async (t) => {
  const { sonde, url, live } = await loaded(t);
  const formats = await exported(t, sonde, ['hlog', 'prometheus', 'junit']);
  const own = live.sonde;
  const total = own.answered + own.failed + own.censored + own.unsent;
  const reader = new hdr.HistogramLogReader(formats.text('hlog'));
  const sums = {};
  for (let one = reader.nextIntervalHistogram(); one; one = reader.nextIntervalHistogram()) {
    const { tag } = one;
    sums[tag] ??= hdr.build({ highestTrackableValue: 3600000000, bitBucketSize: 64 });
    sums[tag].add(one);
  }
  assert.deepEqual(Object.keys(sums), ['service', 'send-lag', 'NO TAG']);
  assert.equal(sums.service.totalCount, own.answered);
  assert.equal(sums['NO TAG'].totalCount, total);

  const python = execFileSync(path.join(root, 'tests/environment/python')).toString().trim();
  const script = path.join(__dirname, 'support', 'load_exports.py');
  const files = ['hlog', 'prometheus', 'junit'].map((format) => formats.files[format]);
  const { log, metrics, junit } = JSON.parse(execFileSync(python, [script, ...files]).toString());
  assert.equal(log.total, total);
  assert.equal(log.p99, sums['NO TAG'].getValueAtPercentile(99));
  assert.ok(log.lengths.length >= 3, String(log.lengths));

  const { type, samples } = metrics.sonde_load_response_seconds;
  assert.equal(type, 'histogram');
  const buckets = samples.filter(([name]) => name.endsWith('_bucket'));
  buckets.forEach(([, labels, value], i) => {
    assert.equal(labels.url, url);
    assert.ok(i === 0 || value >= buckets[i - 1][2]);
  });
  assert.deepEqual(buckets.at(-1).slice(1), [{ url, le: '+Inf' }, total]);
  const statuses = Object.fromEntries(
    metrics.sonde_load_answers.samples.map(([, { status }, value]) => [status, value]),
  );
  assert.equal(statuses[503], live.non2xx);
  assert.equal(metrics.sonde_load_threshold_holds.samples[0][2], 0);

  assert.equal(junit.suite.tests, '3');
  assert.deepEqual(
    junit.cases.map(({ name }) => name),
    ['the test can be believed', ...limits],
  );
  assert.equal(junit.cases[1].outcome[0].is, 'failure');
  assert.equal(junit.cases[0].outcome.length, live.sonde.valid ? 0 : 1);
  assert.ok(junit.said.startsWith(url));
});

test('a format that does not fit is refused, with those that do', async (t) => {
  const url = await startServer(t);
  const sonde = new Sonde(t);
  exited(await sonde.run(['load', url, '-a', '10']), 0);
  const refused = await sonde.run(['export', 'last', '--format', 'pprof']);
  exited(refused, 2);
  assert.match(refused.stderr, /is a load test: give --format autocannon, csv, hlog/);
});

// Answers after so many milliseconds.
async function slowServer(t, milliseconds) {
  const server = http.createServer((_request, response) => {
    setTimeout(() => response.end('hello'), milliseconds);
  });
  const port = await listen(t, server);
  return `http://127.0.0.1:${port}/`;
}

test('two of them compared: what got slower, and how sure that is', async (t) => {
  const sonde = new Sonde(t);
  const load = async (milliseconds, name, seconds) => {
    const url = await slowServer(t, milliseconds);
    const words = ['-R', '50', '-d', String(seconds), '--name', name];
    exited(await sonde.run(['load', url, ...words]), 0);
  };
  await Promise.all([load(1, 'before', 12), load(100, 'after', 12), load(1, 'short', 2)]);
  const compare = async (...words) => {
    const told = await sonde.run(['compare', ...words]);
    exited(told, 0);
    return told.stdout;
  };
  const changes = JSON.parse(await compare('before', 'after', '--format', 'json'));
  assert.equal(changes.type, 'LoadResult');
  assert.equal(changes.before.name, 'before');
  assert.equal(changes.after.capture, 'load');
  assert.equal(changes.differentLoads, false);
  const [median] = changes.quantiles;
  assert.equal(median.share, 0.5);
  assert.equal(median.sure, true);
  assert.ok(median.low > 20000 && median.high < 200000, JSON.stringify(median));
  assert.ok(median.low <= median.after - median.before, JSON.stringify(median));
  // (Of seconds that have too much to do with each other, on a busy machine, nothing is claimed.)
  assert.ok(!('low' in changes.rate) || changes.rate.low <= changes.rate.high);
  const text = await compare('before', 'after');
  assert.match(text, /^before {2}\w{8} {2}before {2}load: open: 50 requests a second, for 1[23]/);
  assert.match(text, /\n50 % .* \(\+[\d.]+ ms to \+[\d.]+ ms\) {2}slower\n/);
  assert.equal(await compare('before', 'after'), text, 'the same each time');
  const few = JSON.parse(await compare('short', 'after', '--format', 'json'));
  assert.equal('low' in few.quantiles[0], false, 'of two seconds nothing is claimed');
  assert.equal(few.quantiles[0].sure, false);
});

test('what cannot be compared is said', async (t) => {
  const url = await startServer(t);
  const sonde = new Sonde(t);
  exited(await sonde.run(['load', url, '-a', '10', '--name', 'test']), 0);
  const file = path.join(temporary(t), 'stacks.folded');
  fs.writeFileSync(file, 'a;b 1\n');
  exited(await sonde.run(['import', file]), 0);
  const refused = await sonde.run(['compare', 'test', 'stacks']);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /test: .*no (profile|capture|load test)/i);
});
