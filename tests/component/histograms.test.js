// SPDX-License-Identifier: Apache-2.0
'use strict';

// Our histograms beside HdrHistogram's own implementations, from npm and PyPI: each reads what the
// other writes, and says the same of it.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const test = require('node:test');
const hdr = require('hdr-histogram-js');
const { Random } = require('./support/random.js');
const { bin, root } = require('./support/sonde.js');

const program = path.join(path.dirname(bin), '..', 'tests', 'program_histogram');
const layouts = [
  [1, 3600000000, 3],
  [1, 100000, 2],
  [1000, 3600000000, 1],
];

const ask = (input) =>
  execFileSync(program, { input: `${input}\n`, maxBuffer: 1 << 28 }).toString();
const read = (text) => JSON.parse(ask(`decode ${text}`));

// Values of any order of magnitude.
function values(random, [, highest]) {
  const count = random.of([1, 2, 10, 300]);
  return Array.from({ length: count }, () =>
    Math.min(highest, Math.floor(2 ** (random.below(3200) / 100))),
  );
}

function cases(random) {
  return layouts.flatMap((layout) =>
    Array.from({ length: 10 }, () => ({ layout, list: values(random, layout) })),
  );
}

function close(one, other, what) {
  assert.ok(Math.abs(one - other) <= 1e-9 * Math.abs(other), `${one} and ${other}: ${what}`);
}

test('hdr-histogram-js reads ours, and we read its', () => {
  const random = new Random();
  for (const { layout, list } of cases(random)) {
    const [lowestDiscernibleValue, highestTrackableValue, numberOfSignificantValueDigits] = layout;
    const what = `${layout}: ${list.slice(0, 10)}`;
    const text = ask(`encode ${layout.join(' ')} ${list.join(' ')}`).trim();
    const theirs = hdr.decodeFromCompressedBase64(text);
    const ours = read(text);
    assert.equal(theirs.totalCount, list.length, what);
    assert.equal(ours.total, list.length, what);
    close(ours.mean, theirs.mean, what);
    close(ours.deviation, theirs.stdDeviation, what);
    for (const [percentile, value] of ours.quantiles) {
      assert.equal(value, theirs.getValueAtPercentile(percentile), `${percentile} of ${what}`);
    }
    const own = hdr.build({
      lowestDiscernibleValue,
      highestTrackableValue,
      numberOfSignificantValueDigits,
      bitBucketSize: 64,
    });
    for (const value of list) {
      own.recordValue(value);
    }
    assert.deepEqual(read(hdr.encodeIntoCompressedBase64(own)), ours, what);
  }
});

test('HdrHistogram of PyPI reads ours, and we read its', () => {
  const random = new Random();
  const python = execFileSync(path.join(root, 'tests/environment/python')).toString().trim();
  const script = path.join(__dirname, 'support', 'histograms.py');
  const all = cases(random).map(({ layout, list }) => ({
    layout,
    list,
    text: ask(`encode ${layout.join(' ')} ${list.join(' ')}`).trim(),
  }));
  const input = all.map((each) => JSON.stringify(each)).join('\n');
  const said = execFileSync(python, [script], { input, maxBuffer: 1 << 28 }).toString();
  said
    .trim()
    .split('\n')
    .map(JSON.parse)
    .forEach(({ text, total, mean, deviation, quantiles }, i) => {
      const { layout, list } = all[i];
      const what = `${layout}: ${list.slice(0, 10)}`;
      const ours = read(all[i].text);
      assert.equal(ours.total, list.length, what);
      assert.equal(total, list.length, what);
      close(ours.mean, mean, what);
      close(ours.deviation, deviation, what);
      assert.deepEqual(ours.quantiles, quantiles, what);
      assert.deepEqual(read(text), ours, what);
    });
});

test('a log of intervals is read by their reader', () => {
  const log = ask('log 1 3600000000 3 5 100 2769000');
  const reader = new hdr.HistogramLogReader(log);
  const histogram = reader.nextIntervalHistogram();
  assert.equal(histogram.tag, 'response');
  assert.equal(histogram.totalCount, 3);
  assert.equal(histogram.endTimeStampMsec - histogram.startTimeStampMsec, 1000);
  assert.equal(reader.nextIntervalHistogram(), null);
});
