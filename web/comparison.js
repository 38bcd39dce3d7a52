// SPDX-License-Identifier: Apache-2.0
'use strict';

// The sections that only a comparison of two runs has: the table of changes, and both flame graphs
// side by side.

const format = require('./format.js');
const { CATEGORIES } = require('./capture.js');
const { Grid } = require('./grid.js');
const { byId, make, name, replace } = require('./dom.js');

const LITTLE = 0.0005; // of the busy time: no colour in the table

// A change whose interval holds 0 may be chance.
function towards(delta, margin) {
  const chance = Math.max(LITTLE, margin ?? 0);
  return delta > chance ? 'up' : delta < -chance ? 'down' : '';
}

function columns(capture, select) {
  const share = (side, field) => ({
    key: `${side}-${field}`,
    label: `${field === 'self' ? 'Self' : 'Total'} ${side}`,
    number: true,
    value: (row) => row[side][field],
    cell: (row) => format.percent(row[side][field]),
  });
  const delta = (field) => ({
    key: `delta-${field}`,
    label: `Δ ${field}`,
    number: true,
    value: (row) => row[field],
    kind: (row) => towards(row[field], row.margin[field]),
    cell: (row) =>
      row.margin[field] === null
        ? format.points(row[field])
        : `${format.points(row[field])} ± ${(row.margin[field] * 100).toFixed(1)}`,
  });
  return [
    {
      key: 'function',
      label: 'Function',
      value: (row) => capture.label[row.frame].toLowerCase(),
      cell: (row) =>
        make(
          'button',
          { type: 'button', class: 'link code', click: () => select(row.frame) },
          name(capture.label[row.frame]),
        ),
    },
    share('before', 'self'),
    share('after', 'self'),
    delta('self'),
    share('before', 'total'),
    share('after', 'total'),
    delta('total'),
    {
      key: 'status',
      label: 'Status',
      value: (row) => row.status,
      cell: (row) => row.status,
    },
    {
      key: 'place',
      label: 'File and line',
      value: (row) => capture.place[row.frame],
      cell: (row) => name(capture.place[row.frame], { class: 'place' }),
    },
    {
      key: 'category',
      label: 'Category',
      value: (row) => capture.category[row.frame],
      cell: (row) => CATEGORIES[capture.category[row.frame]] ?? capture.category[row.frame],
    },
  ];
}

// What is compared with what.
function runFact(word, report) {
  const text = `${format.clean(report.name)} (${report.uid.slice(0, 8)})`;
  const taken = `, taken ${format.clean(report.created)}`;
  return make('div', {}, make('dt', { text: word }), make('dd', {}, name(text), taken));
}

function summary(rows) {
  const sum = (wanted) =>
    rows.filter((row) => wanted(row.self)).reduce((all, row) => all + row.self, 0);
  const of = (status) => rows.filter((row) => row.status === status).length;
  const more = format.points(sum((value) => value > 0));
  const less = format.points(sum((value) => value < 0));
  const sure = rows.some((row) => row.margin.self !== null)
    ? ' ± is the half of an interval that holds the true change in 95 of 100 comparisons; changes that may be chance have no colour.'
    : '';
  return `Shares of the busy time of each: ${more} in functions that cost more, ${less} in those that cost less; new: ${format.count(of('new'))}, vanished: ${format.count(of('vanished'))}.${sure}`;
}

class Changes {
  constructor(select) {
    this.select = select;
  }

  show(capture, rows, reports) {
    byId('changes').hidden = false;
    if (this.capture !== capture) {
      this.capture = capture;
      const table = make('div');
      this.intro = make('div');
      replace(byId('changes-view'), this.intro, table);
      this.grid = new Grid(table, {
        id: 'changes-table',
        caption: 'What changed, by function',
        columns: columns(capture, this.select),
        text: (row) => `${capture.label[row.frame]} ${capture.place[row.frame]}`,
        sort: 'delta-self',
      });
    }
    replace(
      this.intro,
      make(
        'dl',
        { class: 'facts' },
        runFact('Before', reports.before),
        runFact('After', reports.after),
      ),
      make('p', { class: 'note', text: summary(rows) }),
    );
    this.grid.show(rows);
  }
}

module.exports = { Changes, runFact };
