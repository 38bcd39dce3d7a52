// SPDX-License-Identifier: Apache-2.0
'use strict';

// Made-up data of the page (web/README.md) of a load test whose figures a person can add up.

const UID = '69954a51-68f4-4575-993f-1b9e5c3b539c';

const distribution = (p50, totalCount) => ({
  totalCount,
  ...{ average: p50 * 1.5, mean: p50 * 1.5, stddev: p50, min: p50 / 10, max: p50 * 100 },
  ...{ p50, p90: p50 * 2, p95: p50 * 3, p99: p50 * 10, p99_9: p50 * 50, p99_99: p50 * 90 },
});

const nothing = {
  totalCount: 0,
  average: 0,
  mean: 0,
  max: 0,
  min: 0,
  p50: 0,
  p90: 0,
  p95: 0,
  p99: 0,
  p99_9: 0,
};

// A hundred answers a second, of which the third second has ten of status 503.
function interval(at) {
  const bad = at === 2 ? 10 : 0;
  return {
    ...{ begin: at, end: at + 1, sent: 100, answered: 100, failed: 0, censored: 0, unsent: 0 },
    ...{ late: 0, badAnswers: bad, connects: 0, connectFailures: 0 },
    ...{ bytesRead: 18000, bytesWritten: 9000 },
    ...{ p50: 1000 + 100 * at, p90: 2000, p99: 10000, p99_9: 50000, max: 100000 },
  };
}

// The end of the test, a hundredth of a second: five requests were not sent.
const cut = (at) => ({
  ...{ begin: at, end: at + 0.01, sent: 0, answered: 0, failed: 0, censored: 0, unsent: 5 },
  ...{ late: 0, badAnswers: 0, connects: 0, connectFailures: 0, bytesRead: 0, bytesWritten: 0 },
});

function percentiles(seconds) {
  const points = [];
  for (let i = 0; 10 ** (-i / 10) * seconds * 100 >= 1; i++) {
    const share = 1 - 10 ** (-i / 10);
    const response = Math.round(1000 * 10 ** (i / 15));
    points.push({ share, response, service: response / 2, sendLag: 50 });
  }
  return [...points, { share: 1, response: 100000, service: 50000, sendLag: 70 }];
}

function loadData({
  seconds = 10,
  title = 'patients',
  valid = true,
  closed = false,
  answered = seconds * 100,
  thresholds = [],
  profiles = [],
  parts = [],
  more = {},
} = {}) {
  const sonde = {
    ...{ sent: answered, answered, failed: 0, censored: 0, unsent: 5, connects: 10 },
    ...{ connectFailures: 0, bytesWritten: 90 * answered, cpuSeconds: 0.1 },
    durationSeconds: seconds,
    errors: { refused: 0, timeout: 2 },
    responseIntervals: {
      p50: [900, 1100],
      p90: [1900, 2100],
      p95: [2900, 3100],
      p99: [9000, 11000],
    },
    responseMicroseconds: answered ? distribution(1000, answered) : nothing,
    serviceMicroseconds: answered ? distribution(closed ? 1000 : 500, answered) : nothing,
    sendLagMicroseconds: closed || !answered ? nothing : distribution(50, answered),
    ...{ late: 0, valid, invalidReason: valid ? '' : 'the generator had no CPU left' },
    ...{ thresholds, profiles, parts, ...more },
  };
  const summary = {
    ...{ title, url: 'http://localhost:3000/patients', connections: 10, pipelining: 1 },
    ...{ duration: seconds, samples: seconds, non2xx: 10 },
    statusCodeStats: answered ? { 200: { count: answered - 10 }, 503: { count: 10 } } : {},
    latency: { totalCount: answered },
    throughput: { total: 180 * answered },
    sonde,
  };
  const list = Array.from({ length: seconds }, (_, at) => interval(at));
  const entry = {
    ...{ name: 'load', type: 'LoadResult', findings: [], summary },
    asked: { connections: 10, distribution: 'Poisson', ...(closed ? {} : { rate: 100 }) },
    percentiles: answered ? percentiles(seconds) : [],
    intervals: answered ? [...list, cut(seconds)] : [],
  };
  const report = {
    ...{ name: 'monday', uid: UID, state: 'Succeeded', reason: 'Completed', message: '' },
    ...{ created: '2026-01-31T12:34:56.789Z', target: summary.url, nodeVersion: '' },
    ...{ directory: '', captures: [entry] },
  };
  const texts = [{ at: 0, name: 'load', type: 'LoadResult', text: 'a load test\n' }];
  return { version: 1, report, captures: [], coverage: [], parts: texts };
}

module.exports = { loadData, percentiles };
