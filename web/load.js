// SPDX-License-Identifier: Apache-2.0
'use strict';

// A load test: whether it can be believed and what it keeps, how long answers took, and how that
// went in the course of time.

const format = require('./format.js');
const { nearest, nines } = require('./chart.js');
const { runFact } = require('./comparison.js');
const { Grid } = require('./grid.js');
const { SHARES } = require('./loadtest.js');
const { Plot } = require('./plot.js');
const { byId, make, name, replace } = require('./dom.js');

const TIMES = [
  { key: 'p50', label: '50 %' },
  { key: 'p90', label: '90 %' },
  { key: 'p99', label: '99 %' },
  { key: 'max', label: 'longest' },
];
const RATES = [
  { key: 'answers', label: 'answers' },
  { key: 'wrong', label: 'failed, wrong or not sent' },
  { key: 'due', label: 'asked for' },
];
const LIMITS = [{ key: 'limit', label: 'threshold' }];
const EARLIER = [{ key: 'earlier', label: 'response before' }];
const MARKS = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 0.9999999, 0.99999999];

const perSecond = (value) => (value >= 100 ? format.count(value) : String(+value.toFixed(1)));
const shareText = (share) =>
  share >= 1 ? 'longest' : `${+(share * 100).toFixed(Math.min(9, Math.ceil(nines(share)) + 1))} %`;
const timeMark = (value) => format.time(value).replace(/\.0+(?= )/, '');
const seconds = (value) => `${+value.toFixed(1)} s`;

function fact(word, ...values) {
  return make('div', {}, make('dt', { text: word }), make('dd', {}, ...values));
}

function legend(entries) {
  return make(
    'ul',
    { class: 'plot-legend' },
    ...entries.map(({ key, label }) =>
      make('li', {}, make('span', { class: `key ${key}` }), label),
    ),
  );
}

function model({ asked, connections }) {
  if (asked?.rate || asked?.stages?.length) {
    const rates = asked.stages?.length
      ? `stages up to ${perSecond(Math.max(...asked.stages.map(({ rate }) => rate)))}`
      : perSecond(asked.rate);
    const poisson = asked.distribution === 'Poisson' ? ', at random distances' : '';
    return `open: ${rates} requests a second${poisson}`;
  }
  return `closed: ${format.count(connections)} connections`;
}

const SIGNALS = {
  rate: 'the rate of answers',
  p50: 'the response (50 %)',
  p99: 'the response (99 %)',
};

function steady({ state, sinceSeconds, signal }) {
  if (state !== 'steady') {
    return `no: ${SIGNALS[signal] ?? 'it'} did not come to rest`;
  }
  return sinceSeconds > 0 ? `from ${seconds(sinceSeconds)} on` : 'all the time';
}

function facts(test) {
  const listed = (list) =>
    list.map(({ key, count }) => `${key}: ${format.count(count)}`).join(', ');
  return [
    test.title ? fact('Title', name(test.title)) : null,
    fact('Loop', model(test)),
    fact('Sent for', seconds(test.seconds)),
    test.warmUp
      ? fact(
          'Before it',
          `${seconds(test.warmUp.seconds)} of warm-up, ${format.count(test.warmUp.sent)} requests, in no figure here`,
        )
      : null,
    test.steadiness ? fact('Steady', steady(test.steadiness)) : null,
    fact('Answers', `${format.count(test.answered)}, ${perSecond(test.rate)} a second`),
    fact('Failed', format.count(test.failed)),
    fact('Unanswered', format.count(test.censored)),
    fact('Not sent', format.count(test.unsent)),
    fact('Read', format.bytes(test.bytes)),
    test.statuses.length ? fact('Status', listed(test.statuses)) : null,
    test.errors.length ? fact('Errors', listed(test.errors)) : null,
  ];
}

// Of a test that cannot be believed none holds.
function threshold({ text, value, holds, wouldHold }) {
  const state = holds ? 'holds' : wouldHold ? 'would hold' : 'broken';
  const kind = holds ? 'good' : wouldHold ? '' : 'bad';
  const measured = value === null ? 'nothing was measured' : `${+value.toPrecision(6)}`;
  return make(
    'li',
    { class: kind },
    make('span', { class: `state ${kind}`, text: state }),
    name(text, { class: 'code' }),
    make('span', { class: 'place', text: measured }),
  );
}

function profileCost({ p50With, p50Without, p99With, p99Without }) {
  const times = (one, other) => `${format.time(one)} and ${format.time(other)}`;
  return p99Without
    ? make('p', {
        class: 'note',
        text: `Response in its seconds, and in the others: 50 % ${times(p50With, p50Without)}, 99 % ${times(p99With, p99Without)}.`,
      })
    : null;
}

function profile(one) {
  const { type, run, title, where, failure, from, to } = one;
  return make(
    'li',
    {},
    make('b', { text: `${type} profile` }),
    ` from ${seconds(from)} to ${seconds(to)}: `,
    failure
      ? name(`none: ${failure}`)
      : name(`${title || 'nothing stands out'}${where ? `, ${where}` : ''}`),
    run ? ' ' : null,
    run ? make('code', { class: 'command', text: `sonde report ${run.slice(0, 8)}` }) : null,
    profileCost(one),
  );
}

function latencyCell({ value, low, high, scarce }) {
  const text = make('span', { text: `${format.time(value)}${scarce ? '*' : ''}` });
  const range = low === undefined ? null : `${format.time(low)} – ${format.time(high)}`;
  return make('td', { class: 'number' }, text, range && make('small', { text: range }));
}

function latencyTable(test) {
  const heading = (text) => make('th', { scope: 'col', class: 'number', text });
  return make(
    'table',
    { id: 'load-latencies' },
    make('caption', { class: 'unseen', text: 'Latencies by percentile' }),
    make(
      'thead',
      {},
      make(
        'tr',
        {},
        make('th', { scope: 'col' }, make('span', { class: 'unseen', text: 'What' })),
        ...SHARES.map(({ label }) => heading(label)),
        heading('mean'),
        heading('longest'),
      ),
    ),
    make(
      'tbody',
      {},
      ...test.latencies.map(({ key, label, values, mean, max }) =>
        make(
          'tr',
          {},
          make('th', { scope: 'row' }, make('span', { class: `key ${key}` }), label),
          ...values.map(latencyCell),
          make('td', { class: 'number', text: format.time(mean) }),
          make('td', { class: 'number', text: format.time(max) }),
        ),
      ),
    ),
  );
}

function found({ rate, breaks }) {
  const highest = rate ? `${perSecond(rate)} a second` : 'none is known';
  return `The highest rate that keeps the thresholds: ${highest}${breaks ? `; ${perSecond(breaks)} does not` : ''}. All else here is of ${rate ? 'the trial at that rate' : 'the last trial'}.`;
}

function trialTable({ trials }) {
  const cells = ['Rate', 'Seconds', 'Answers a second'];
  return make(
    'table',
    { id: 'load-trials' },
    make('caption', { class: 'unseen', text: 'Trials of the search' }),
    make(
      'thead',
      {},
      make(
        'tr',
        {},
        ...cells.map((text) => make('th', { scope: 'col', class: 'number', text })),
        make('th', { scope: 'col', text: 'Thresholds' }),
      ),
    ),
    make(
      'tbody',
      {},
      ...trials.map(({ rate, seconds: length, achieved, verdict }) =>
        make(
          'tr',
          {},
          ...[perSecond(rate), String(length), perSecond(achieved)].map((text) =>
            make('td', { class: 'number', text }),
          ),
          make('td', { text: verdict }),
        ),
      ),
    ),
  );
}

const CHANGES = {
  time: { show: format.time, words: ['slower', 'faster'] },
  rate: { show: perSecond, words: ['more', 'fewer'] },
  share: { show: format.percent, change: format.points },
};

function signed(value, show) {
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${show(Math.abs(value))}`;
}

function changeRow({ key, label, before, after, low, high, sure }) {
  const { show, words, change } = CHANGES[key];
  const told = low !== undefined;
  const verdict = !words
    ? ''
    : !told
      ? 'how sure is not known'
      : sure
        ? words[low > 0 ? 0 : 1]
        : 'may be chance';
  const worse = sure && low > 0 === (key === 'time');
  const kind = sure ? (worse ? 'up' : 'down') : '';
  const number = (text, more = '') => make('td', { class: `number ${more}`.trim(), text });
  return make(
    'tr',
    {},
    make('th', { scope: 'row', text: label }),
    number(show(before)),
    number(show(after)),
    number(change ? change(after - before) : signed(after - before, show), kind),
    number(told ? `${signed(low, show)} to ${signed(high, show)}` : ''),
    make('td', { text: verdict }),
  );
}

function changeTable({ rows }) {
  const heading = (text, number) => make('th', { scope: 'col', class: number, text });
  return make(
    'table',
    { id: 'load-changes' },
    make('caption', { class: 'unseen', text: 'What changed since the run before' }),
    make(
      'thead',
      {},
      make(
        'tr',
        {},
        make('th', { scope: 'col' }, make('span', { class: 'unseen', text: 'What' })),
        ...['before', 'after', 'change', 'within, in 95 of 100'].map((text) =>
          heading(text, 'number'),
        ),
        heading('How sure', null),
      ),
    ),
    make('tbody', {}, ...rows.map(changeRow)),
  );
}

function alarm(title, text) {
  return make('p', { class: 'alarm' }, make('b', { text: title }), name(text));
}

function timeMarks(span) {
  const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 86400];
  const step = steps.find((value) => span / value <= 12) ?? 7 * 86400;
  const count = Math.floor(span / step + 1e-9);
  return Array.from({ length: count + 1 }, (_, i) => ({ at: i * step, text: `${i * step} s` }));
}

class Load {
  constructor() {
    this.verdict = make('div', { id: 'load-verdict' });
    this.facts = make('dl', { class: 'facts', id: 'load-facts' });
    this.changes = make('div', { id: 'load-comparison' });
    this.profiles = make('div', { id: 'load-profiles' });
    this.latencies = make('div', { class: 'source-scroll' });
    this.note = make('p', { class: 'note' });
    this.percentiles = new Plot({
      id: 'load-percentiles',
      label: 'Latency by percentile',
      height: 300,
    });
    this.rates = new Plot({ id: 'load-rates', label: 'Answers a second', height: 170 });
    this.times = new Plot({ id: 'load-times', label: 'Responses over time', height: 240 });
    this.parts = make('div', { id: 'load-parts' }, make('h3', { text: 'By request' }), make('div'));
    this.legend = make('div');
    this.rateLegend = make('div');
    this.table = make('div');
    this.drawn = make(
      'div',
      {},
      make('h3', { text: 'How long answers took' }),
      this.latencies,
      this.note,
      make('h3', { text: 'Percentiles' }),
      this.legend,
      this.percentiles.element,
      this.parts,
    );
    this.course = make(
      'div',
      { id: 'load-course' },
      make('h3', { text: 'Answers a second' }),
      this.rateLegend,
      this.rates.element,
      make('h3', { text: 'Responses in the course of time' }),
      legend(TIMES),
      this.times.element,
      make('details', {}, make('summary', { text: 'The same as a table' }), this.table),
    );
    replace(
      byId('load-view'),
      ...[this.verdict, this.facts, this.changes, this.profiles, this.drawn, this.course],
    );
    this.grid = this.makeGrid();
    this.partGrid = this.makePartGrid();
  }

  makeGrid() {
    const column = (key, label, show) => ({
      ...{ key, label, number: true },
      value: (row) => row[key] ?? -1,
      cell: (row) => (row[key] === undefined ? '–' : show(row[key])),
    });
    const grid = new Grid(this.table, {
      id: 'load-intervals',
      caption: 'Responses in the course of time',
      text: (row) => seconds(row.begin),
      sort: 'begin',
      columns: [
        {
          ...{ key: 'begin', label: 'Time', value: (row) => row.begin },
          cell: (row) => `${seconds(row.begin)} to ${seconds(row.end)}`,
        },
        column('rate', 'Answers a second', perSecond),
        ...TIMES.map(({ key, label }) => column(key, label, format.time)),
        column('failed', 'Failed', format.count),
        column('badAnswers', 'Wrong', format.count),
        column('unsent', 'Not sent', format.count),
      ],
    });
    grid.sort.ascending = true;
    return grid;
  }

  makePartGrid() {
    const column = (key, label, show) => ({
      ...{ key, label, number: true },
      value: (row) => row[key],
      cell: (row) => show(row[key]),
    });
    return new Grid(this.parts.lastChild, {
      id: 'load-parts-table',
      caption: 'Responses by request',
      text: (row) => `${row.label} ${row.kind}`,
      sort: 'answered',
      columns: [
        {
          ...{ key: 'label', label: 'Requests', value: (row) => row.label.toLowerCase() },
          cell: (row) => (row.kind === 'address' ? ['to ', name(row.label)] : name(row.label)),
        },
        column('answered', 'Answered', format.count),
        column('wrong', 'Wrong', format.count),
        column('failed', 'Failed', format.count),
        ...TIMES.map(({ key, label }) => ({
          ...column(key, label, format.time),
          cell: (row) =>
            row.timed ? `${format.time(row[key])}${row.scarce.includes(key) ? '*' : ''}` : '–',
        })),
      ],
    });
  }

  // before: the report of the run that it is compared with, or null.
  show(test, before = null) {
    if (this.test !== test) {
      this.test = test;
      this.showVerdict(test);
      this.showChanges(test.comparison, before);
      replace(this.facts, ...facts(test));
      replace(
        this.profiles,
        ...(test.profiles.length
          ? [make('h3', { text: 'Meanwhile' }), make('ul', {}, ...test.profiles.map(profile))]
          : []),
      );
      replace(this.latencies, latencyTable(test));
      const due =
        test.kinds.length > 1
          ? 'Response counts from when a request was due, service from when it was written.'
          : 'In a closed loop a request is due when it is written.';
      const scarce =
        test.latencies.some(({ values }) => values.some((value) => value.scarce)) ||
        test.parts.some((part) => part.scarce.length > 0);
      this.note.textContent = `Below: what encloses it in 95 of 100 such tests. ${due}${scarce ? ' * fewer than ten requests lie beyond.' : ''}`;
      this.grid.show(test.intervals);
      this.parts.hidden = test.parts.length === 0;
      this.partGrid.show(test.parts);
    }
    this.drawn.hidden = test.percentiles.length === 0;
    this.course.hidden = test.intervals.length < 2;
    if (!this.drawn.hidden) {
      this.showPercentiles(test);
    }
    if (!this.course.hidden) {
      this.showCourse(test);
    }
  }

  showVerdict(test) {
    replace(
      this.verdict,
      test.valid ? null : alarm('This test cannot be believed: ', test.reason),
      test.thresholds.length ? make('ul', {}, ...test.thresholds.map(threshold)) : null,
      ...(test.search
        ? [
            make('p', { text: found(test.search) }),
            make('div', { class: 'source-scroll' }, trialTable(test.search)),
          ]
        : []),
    );
  }

  showChanges(comparison, before) {
    this.changes.hidden = !comparison;
    if (comparison) {
      const { reason, differs } = comparison;
      replace(
        this.changes,
        make('h3', { text: 'What changed' }),
        before && make('dl', { class: 'facts' }, runFact('Compared with', before)),
        reason ? alarm('The test before cannot be believed: ', reason) : null,
        differs
          ? alarm(
              'Another load: ',
              'they were not asked for the same; what differs need not be the service.',
            )
          : null,
        make('div', { class: 'source-scroll' }, changeTable(comparison)),
      );
    }
  }

  showPercentiles(test) {
    const points = test.percentiles;
    const earlier = test.comparison?.percentiles ?? [];
    const end = Math.max(points.at(-1).nines, earlier.at(-1)?.nines ?? 0);
    const limits = test.thresholds.filter(({ limit }) => limit);
    replace(
      this.legend,
      legend([...test.kinds, ...(limits.length ? LIMITS : []), ...(earlier.length ? EARLIER : [])]),
    );
    this.percentiles.show({
      x: {
        values: points.map(({ nines }) => nines),
        range: [0, end],
        marks: MARKS.map((share) => ({ at: nines(share), text: shareText(share) })).filter(
          ({ at }) => at <= end,
        ),
      },
      y: { marks: 'logarithmic', show: timeMark },
      series: test.kinds.map(({ key }) => ({ key, values: points.map((point) => point[key]) })),
      lines: [
        ...limits.map(({ limit, holds, wouldHold }) => ({
          key: holds || wouldHold ? 'limit' : 'limit bad',
          points: [
            [0, limit.value],
            [Math.min(end, nines(limit.share)), limit.value],
          ],
        })),
        ...(earlier.length
          ? [{ key: 'earlier', points: earlier.map((point) => [point.nines, point.response]) }]
          : []),
      ],
      tip: (i) => ({
        title: shareText(points[i].share),
        rows: test.kinds.map(({ key, label }) => [key, label, format.time(points[i][key])]),
      }),
      said: test.kinds
        .map(({ key, label }) => {
          const at = nearest(
            points.map(({ share }) => share),
            0.99,
          );
          return `${label} ${format.time(points[at][key])} at ${shareText(points[at].share)}`;
        })
        .join(', '),
    });
  }

  showCourse(test) {
    const { intervals, span, due } = test;
    const x = {
      values: intervals.map(({ middle }) => middle),
      range: [0, span],
      marks: timeMarks(span),
    };
    const bands = test.profiles
      .filter(({ run }) => run)
      .map(({ type, from, to }) => ({ from, to, text: `${type} profile` }));
    const tip = (i, rows) => ({
      title: `${seconds(intervals[i].begin)} to ${seconds(intervals[i].end)}`,
      rows,
    });
    replace(this.rateLegend, legend(due.length ? RATES : RATES.slice(0, -1)));
    this.rates.show({
      x,
      y: { marks: 'linear', show: perSecond },
      series: [
        { key: 'answers', values: intervals.map(({ rate, cut }) => (cut ? null : rate)) },
        { key: 'wrong', shape: 'bars', values: intervals.map(({ wrong }) => wrong) },
      ],
      lines: due.length ? [{ key: 'due', points: due }] : [],
      bands,
      tip: (i) =>
        tip(i, [
          ['answers', 'answers a second', perSecond(intervals[i].rate)],
          ['wrong', 'failed', format.count(intervals[i].failed)],
          ['wrong', 'wrong', format.count(intervals[i].badAnswers)],
          ['wrong', 'not sent', format.count(intervals[i].unsent)],
        ]),
      said: `${perSecond(test.rate)} in the mean of ${seconds(span)}`,
    });
    this.times.show({
      x,
      y: { marks: 'logarithmic', show: timeMark },
      series: TIMES.map(({ key }) => ({
        key,
        values: intervals.map((one) => (one.cut ? null : (one[key] ?? null))),
      })),
      bands,
      tip: (i) =>
        tip(
          i,
          TIMES.filter(({ key }) => intervals[i][key] !== undefined).map(({ key, label }) => [
            key,
            label,
            format.time(intervals[i][key]),
          ]),
        ),
      said: TIMES.map(({ key, label }) => {
        const most = intervals.reduce((max, one) => Math.max(max, one[key] ?? 0), 0);
        return `${label} at most ${format.time(most)}`;
      }).join(', '),
    });
  }
}

module.exports = { Load };
