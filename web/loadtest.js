// SPDX-License-Identifier: Apache-2.0
'use strict';

// A load test of the report → what the views read.

const { clean } = require('./format.js');
const { nines } = require('./chart.js');

const KINDS = [
  { key: 'response', label: 'response', from: 'responseMicroseconds' },
  { key: 'service', label: 'service', from: 'serviceMicroseconds' },
  { key: 'sendLag', label: 'send lag', from: 'sendLagMicroseconds' },
];
const SHARES = [
  { key: 'p50', share: 0.5, label: '50 %' },
  { key: 'p90', share: 0.9, label: '90 %' },
  { key: 'p95', share: 0.95, label: '95 %' },
  { key: 'p99', share: 0.99, label: '99 %' },
  { key: 'p99_9', share: 0.999, label: '99.9 %' },
];
const SCARCE = 10; // so many values must lie beyond a percentile
const LIMIT = /^http_req_duration\s*:\s*p\((\d+(?:\.\d+)?)\)\s*<=?\s*(\d+(?:\.\d+)?)\s*$/;

// "http_req_duration: p(99)<250" → that share, and the bound in µs.
function readLimit(text) {
  const match = LIMIT.exec(text);
  return match ? { share: Number(match[1]) / 100, value: Number(match[2]) * 1000 } : null;
}

// Requests a second that were asked for, as corners of a line over time: [[s, rate], …].
function readDue(asked, seconds) {
  if (asked?.stages?.length) {
    const corners = [];
    let at = 0;
    let rate = 0;
    for (const stage of asked.stages) {
      corners.push([at, stage.ramp ? rate : stage.rate]);
      at += stage.durationSeconds;
      rate = stage.rate;
      corners.push([at, rate]);
    }
    return corners;
  }
  return asked?.rate
    ? [
        [0, asked.rate],
        [seconds, asked.rate],
      ]
    : [];
}

// The end of the test cuts the last one short: its rate says nothing, its failures count.
function readIntervals(list) {
  const usual = list?.length ? list[0].end - list[0].begin || 1 : 1;
  return (list ?? []).map((one, i) => {
    const length = one.end - one.begin;
    const cut = i > 0 && length < usual / 2;
    return {
      ...one,
      cut,
      middle: (one.begin + one.end) / 2,
      rate: one.answered / (length || 1),
      wrong: (one.failed + one.badAnswers + one.unsent) / Math.max(length, usual),
    };
  });
}

// What there is to tell apart: in a closed loop a request is due when it is written.
const kindsOf = ({ sendLagMicroseconds }) =>
  sendLagMicroseconds.max > 0 ? KINDS : KINDS.filter(({ key }) => key === 'response');

const isScarce = (total, share) => total * (1 - share) < SCARCE - 1e-6; // 1 − 0.9 is less than 0.1

// [{key, label, values: [{value, low, high, scarce}, …] by SHARES, mean, max}]
function readLatencies({ sonde }) {
  return kindsOf(sonde).map(({ key, label, from }) => {
    const row = sonde[from];
    const values = SHARES.map(({ key: name, share }) => {
      const [low, high] = (key === 'response' && sonde.responseIntervals?.[name]) || [];
      return { value: row[name], low, high, scarce: isScarce(row.totalCount, share) };
    });
    return { key, label, values, mean: row.mean, max: row.max };
  });
}

// The longest of all stands a little beyond the last point.
function readPercentiles(list) {
  const points = (list ?? []).filter(({ share }) => share < 1);
  const last = (list ?? []).find(({ share }) => share >= 1);
  const end = points.length ? nines(points.at(-1).share) : 0;
  return [...points, ...(last ? [last] : [])].map((point) => ({
    ...point,
    nines: point.share < 1 ? nines(point.share) : end + 0.1,
  }));
}

// What changed since the run before: [{key, label, before, after, low, high, sure}], or null.
function readComparison(comparison) {
  if (!comparison) {
    return null;
  }
  const { before, quantiles, rate, failed, differentLoads } = comparison;
  return {
    differs: differentLoads,
    reason: before.valid ? '' : clean(before.invalidReason),
    percentiles: readPercentiles(before.percentiles),
    rows: [
      ...quantiles.map((one) => ({
        ...one,
        key: 'time',
        label: `response, ${+(one.share * 100).toFixed(3)} %`,
      })),
      { ...rate, key: 'rate', label: 'answers a second' },
      ...(failed.before === null || failed.after === null
        ? []
        : [{ ...failed, key: 'share', label: 'failed' }]),
    ],
  };
}

// Of the requests of a name, and of those to an address.
function readParts(list) {
  return (list ?? []).map((one) => ({
    label: clean(one.name ?? one.address ?? ''),
    kind: one.name === undefined ? 'address' : 'request',
    answered: one.answered,
    wrong: one.wrong,
    failed: one.failed,
    ...Object.fromEntries(
      ['p50', 'p90', 'p99', 'max'].map((key) => [key, one.responseMicroseconds[key]]),
    ),
    timed: one.responseMicroseconds.totalCount,
    // Of these, the percentiles that fewer than ten requests lie beyond.
    scarce: SHARES.filter(({ share }) => isScarce(one.responseMicroseconds.totalCount, share)).map(
      ({ key }) => key,
    ),
  }));
}

function counted(record) {
  return Object.entries(record ?? {})
    .map(([key, value]) => ({ key: clean(key), count: value.count ?? value }))
    .filter(({ count }) => count > 0);
}

// What no second tells: rate is the one that was found, 0 when there is none.
function readSearch(search) {
  return search
    ? {
        rate: search.lower,
        breaks: search.upper,
        trials: search.trials.map(({ rate, seconds, achieved, keeps, valid }) => ({
          ...{ rate, seconds, achieved },
          verdict: !keeps ? 'breaks' : valid ? 'keeps' : 'invalid',
        })),
      }
    : null;
}

// report: the entry of the report's captures.
function readLoadTest(report, name) {
  const { summary, asked } = report;
  const own = summary.sonde;
  const intervals = readIntervals(report.intervals);
  const seconds = Math.max(own.durationSeconds, intervals.at(-1)?.end ?? 0);
  return {
    kind: 'load',
    name: clean(name),
    url: clean(summary.url ?? ''),
    title: clean(summary.title ?? ''),
    seconds: own.durationSeconds,
    answered: own.answered,
    failed: own.failed,
    censored: own.censored,
    unsent: own.unsent,
    sent: own.sent,
    rate: own.durationSeconds > 0 ? own.answered / own.durationSeconds : 0,
    bytes: summary.throughput.total,
    connections: summary.connections,
    pipelining: summary.pipelining,
    asked: asked ?? null,
    valid: own.valid,
    reason: clean(own.invalidReason ?? ''),
    thresholds: (own.thresholds ?? []).map((one) => ({
      ...one,
      text: clean(one.text),
      limit: readLimit(one.text),
    })),
    profiles: (own.profiles ?? []).map((one) => ({
      ...one,
      type: clean(one.type ?? ''),
      run: clean(one.run ?? ''),
      title: clean(one.title ?? ''),
      where: clean(one.where ?? ''),
      failure: clean(one.failure ?? ''),
      from: one.fromNanoseconds / 1e9,
      to: one.toNanoseconds / 1e9,
    })),
    parts: readParts(own.parts),
    steadiness: own.steadiness ?? null,
    warmUp: own.warmUp ?? null,
    search: readSearch(own.search),
    statuses: counted(summary.statusCodeStats),
    errors: counted(own.errors),
    kinds: kindsOf(own),
    latencies: readLatencies(summary),
    percentiles: readPercentiles(report.percentiles),
    comparison: readComparison(report.comparison),
    intervals,
    span: seconds,
    due: readDue(asked, seconds),
  };
}

module.exports = { SHARES, readDue, readLimit, readLoadTest };
