// SPDX-License-Identifier: Apache-2.0
'use strict';

// The run, its findings and what the capture cost: from the same JSON as `sonde report --format
// json`.

const format = require('./format.js');
const { byId, make, name, replace } = require('./dom.js');

const HIGH = 60; // severity
const MIDDLE = 25;

function fact(word, ...values) {
  return make('div', {}, make('dt', { text: word }), make('dd', {}, ...values));
}

// How the run compares with those before it.
function showBaseline({ compared, message, with: other, measures }) {
  const head = compared ? `Compared with ${other}:` : message;
  return make(
    'div',
    { class: 'baseline' },
    make('p', {}, name(format.clean(head))),
    make(
      'ul',
      {},
      ...measures.map(({ text, verdict, worse, better }) =>
        make(
          'li',
          {},
          name(format.clean(text)),
          ' ',
          make('span', { class: `state ${worse ? 'bad' : better ? 'good' : ''}`, text: verdict }),
        ),
      ),
    ),
  );
}

function showRun(report) {
  const good = report.state === 'Succeeded';
  const bad = report.state === 'Failed';
  const title = format.clean(report.name || 'Sonde report');
  document.title = `${title} – Sonde report`;
  replace(
    byId('run'),
    make(
      'h1',
      {},
      name(title),
      make('span', {
        class: `state ${good ? 'good' : bad ? 'bad' : ''}`,
        text: report.reason ? `${report.state} (${report.reason})` : report.state,
      }),
    ),
    make(
      'dl',
      { class: 'facts' },
      report.target ? fact('Target', name(format.clean(report.target))) : null,
      report.nodeVersion ? fact('Node.js', name(format.clean(report.nodeVersion))) : null,
      fact('Taken', make('time', { datetime: report.created, text: when(report.created) })),
      fact('Run', make('code', { text: report.uid.slice(0, 8) })),
      report.directory ? fact('Directory', name(format.clean(report.directory))) : null,
    ),
    report.message ? make('p', {}, name(format.clean(report.message))) : null,
    report.regression ? showBaseline(report.regression) : null,
  );
}

// "2026-01-31T12:34:56.789Z" → "2026-01-31 12:34:56 UTC": the same for everybody who reads it.
function when(text) {
  return format.clean(text).replace(/^([\d-]+)T([\d:]+)(\.\d+)?Z$/, '$1 $2 UTC');
}

function evidenceValue({ value, unit }) {
  switch (unit) {
    case 'share':
      return format.percent(value);
    case 'ms':
      return format.time(value * 1000);
    case 's':
      return format.time(value * 1e6);
    case 'bytes':
      return format.bytes(value);
    default:
      return `${format.count(value)}${unit && unit !== 'count' ? ` ${unit}` : ''}`;
  }
}

// "selfShare" → "self share"
const words = (key) => key.replace(/([a-z])([A-Z])/g, (_all, a, b) => `${a} ${b.toLowerCase()}`);

function finding(entry, directory, look) {
  const level = entry.severity >= HIGH ? 'high' : entry.severity >= MIDDLE ? 'middle' : 'low';
  const places = (entry.where ?? []).map((at) =>
    make(
      'p',
      { class: 'place' },
      'at ',
      make(
        'button',
        { type: 'button', class: 'link code', click: () => look(at) },
        name(format.place(at.file, at.line, directory)),
      ),
    ),
  );
  return make(
    'li',
    { class: level },
    make('p', { class: 'title' }, name(format.clean(entry.title))),
    ...places,
    make(
      'ul',
      { class: 'evidence' },
      ...Object.entries(entry.evidence ?? {}).map(([key, value]) =>
        make('li', {}, `${words(key)} `, make('b', { text: evidenceValue(value) })),
      ),
      make('li', {}, 'severity ', make('b', { text: `${entry.severity} of 100` })),
      make('li', {}, 'confidence ', make('b', { text: format.percent(entry.confidence) })),
    ),
    make('p', {}, name(format.clean(entry.advice))),
  );
}

// look({function, file, line}): a person wants to see that place.
function showFindings(findings, directory, look) {
  byId('findings').hidden = findings.length === 0;
  replace(byId('findings-list'), ...findings.map((entry) => finding(entry, directory, look)));
}

function showCost(report) {
  const { cost, eventLoop } = report;
  byId('cost').hidden = !cost && !eventLoop;
  const ms = (value) => format.time(value * 1000);
  const facts = [];
  if (cost) {
    facts.push(
      fact('Loop stood still at the start', ms(cost.startStallMilliseconds)),
      fact('at the end', ms(cost.stopStallMilliseconds)),
    );
    if (cost.rotations) {
      facts.push(
        fact(
          `at ${format.count(cost.rotations)} rotations`,
          `${ms(cost.rotationStallP50Milliseconds)} (p50), ${ms(cost.rotationStallMaxMilliseconds)} (longest)`,
        ),
      );
    }
    facts.push(
      fact('Attached in', ms(cost.attachMilliseconds)),
      fact('Inspector open for', format.time(cost.inspectorOpenSeconds * 1e6)),
      fact('Received', format.bytes(cost.bytes)),
    );
  }
  if (eventLoop) {
    facts.push(
      fact('Event loop utilized', format.percent(eventLoop.utilization)),
      fact(
        'Timers late by',
        `${ms(eventLoop.delayP50Milliseconds)} (p50), ${ms(eventLoop.delayP99Milliseconds)} (p99), ${ms(eventLoop.delayMaxMilliseconds)} (longest)`,
      ),
    );
  }
  replace(byId('cost-view'), make('dl', { class: 'facts' }, ...facts));
}

module.exports = { showCost, showFindings, showRun };
