// SPDX-License-Identifier: Apache-2.0
'use strict';

// Coverage: how much of which file was executed, what never ran, and the lines of a source.

const format = require('./format.js');
const { Grid } = require('./grid.js');
const { byId, make, name, replace } = require('./dom.js');
const { markedLines } = require('./covered.js');

const STATES = { never: 'never', partly: 'in part', ran: '', '': '' };

const number = (key, label, show = format.count) => ({
  key,
  label,
  number: true,
  value: (row) => row[key],
  cell: (row) => show(row[key]),
});

const text = (key, label, kind = 'code') => ({
  key,
  label,
  value: (row) => row[key].toLowerCase(),
  cell: (row) => name(row[key], { class: kind }),
});

const functionName = text('label', 'Function');
const placeOf = text('place', 'File and line', 'place code');

// In the order of the page; `list`: of readCoverage or readCoverageChanges.
const CHANGES = [
  {
    list: 'functions',
    title: 'Functions whose calls changed',
    sort: 'characters',
    columns: () => [
      functionName,
      { ...text('status', 'Status', ''), kind: (row) => (row.status ? 'status' : '') },
      number('callsBefore', 'Calls before'),
      number('callsAfter', 'Calls after'),
      number(
        'change',
        'Δ calls',
        (value) => `${value > 0 ? '+' : '−'}${format.count(Math.abs(value))}`,
      ),
      number('characters', 'Characters'),
      placeOf,
    ],
  },
  {
    list: 'stretches',
    title: 'Stretches inside of functions that both called',
    sort: 'characters',
    columns: () => [
      functionName,
      text('status', 'Status', ''),
      number('characters', 'Characters'),
      placeOf,
    ],
  },
];

const TABLES = [
  {
    list: 'files',
    title: 'Files',
    sort: 'missed',
    columns: (view) => [
      {
        ...text('label', 'File'),
        cell: (row) =>
          row.source
            ? make(
                'button',
                { type: 'button', class: 'link code', click: () => view.choose(row.index) },
                name(row.label),
              )
            : name(row.label, { class: 'code' }),
      },
      {
        ...number('share', 'Executed', format.percent),
        cell: (row) => [
          make('span', { class: 'bar', 'aria-hidden': 'true', 'data-share': row.share }),
          format.percent(row.share),
        ],
      },
      number('missed', 'Characters never executed'),
      number('functions', 'Functions'),
      number('never', 'Never called'),
    ],
  },
  {
    list: 'neverCalled',
    title: 'Functions that were never called',
    sort: 'characters',
    columns: () => [functionName, number('characters', 'Characters'), placeOf],
  },
  {
    list: 'neverReached',
    title: 'Never reached inside of functions that were called',
    sort: 'characters',
    columns: () => [
      functionName,
      number('characters', 'Characters'),
      number('lines', 'Lines'),
      placeOf,
    ],
  },
  {
    list: 'mostCalled',
    title: 'What was called most',
    sort: 'count',
    columns: () => [functionName, number('count', 'Calls'), placeOf],
  },
];

function lineRow({ line, text: words, runs, state }) {
  return make(
    'tr',
    { class: state || null },
    make('td', { class: 'line', text: String(line) }),
    make('td', { class: 'number', text: runs < 0 ? '' : format.count(runs) }),
    make('td', { class: 'note', text: STATES[state] }),
    make('td', { dir: 'ltr', text: words }),
  );
}

// The tables of some lists, each hidden while its list is empty.
class Tables {
  constructor(view, tables, prefix) {
    this.tables = tables;
    this.parts = tables.map(({ list, title }) =>
      make('div', { id: `${prefix}-${list}` }, make('h3', { text: title }), make('div')),
    );
    this.grids = tables.map(
      ({ list, title, sort, columns }, i) =>
        new Grid(this.parts[i].lastChild, {
          id: `${prefix}-${list}-table`,
          caption: title,
          text: (row) => [row.label, row.place].join(' '),
          sort,
          columns: columns(view),
        }),
    );
  }

  show(lists) {
    this.tables.forEach(({ list }, i) => {
      this.parts[i].hidden = lists[list].length === 0;
      this.grids[i].show(lists[list]);
    });
    for (const bar of document.querySelectorAll('#coverage .bar')) {
      bar.style.width = `${Math.min(100, Number(bar.dataset.share) * 100)}%`;
    }
  }
}

class Coverage {
  // choose(index of a file, or -1)
  constructor(choose) {
    this.choose = choose;
    this.facts = make('dl', { class: 'facts' });
    this.note = make('p', {
      class: 'note',
      text: 'Of the code that V8 knows: a function that is in none of the lists, inside of one that never ran, did not run either. Code that ran before the capture began counts as nothing.',
    });
    this.source = make('div', { id: 'coverage-source' });
    this.tables = new Tables(this, TABLES, 'coverage');
    this.changes = new Tables(this, CHANGES, 'coverage-changes');
    replace(
      byId('coverage-view'),
      this.facts,
      this.note,
      ...this.changes.parts,
      this.tables.parts[0],
      this.source,
      ...this.tables.parts.slice(1),
    );
  }

  // changes: of readCoverageChanges; chosen: the index of a file.
  show(coverage, changes, chosen) {
    if (this.coverage !== coverage) {
      this.coverage = coverage;
      const share = coverage.characters > 0 ? coverage.executed / coverage.characters : 1;
      const facts = [
        ...changes.runs,
        [
          'Functions called',
          `${format.count(coverage.called)} of ${format.count(coverage.functions)}`,
        ],
        ['Executed', format.percent(share)],
        ['Files', format.count(coverage.files.length)],
      ];
      replace(
        this.facts,
        ...facts.map(([word, value]) =>
          make('div', {}, make('dt', { text: word }), make('dd', {}, name(value))),
        ),
      );
      this.tables.show(coverage);
      this.changes.show(changes);
    }
    this.showSource(coverage.files[chosen]);
  }

  showSource(file) {
    this.source.hidden = !file?.source;
    if (!file?.source || this.shown === file) {
      return;
    }
    this.shown = file;
    replace(
      this.source,
      make('h3', {}, name(file.label)),
      make(
        'div',
        {
          class: 'source-scroll',
          tabindex: '0',
          role: 'region',
          'aria-label': 'Lines of the file',
        },
        make(
          'table',
          { class: 'source covered' },
          make('caption', { class: 'unseen', text: 'How often each line ran' }),
          make('tbody', {}, ...markedLines(file.source).map(lineRow)),
        ),
      ),
    );
  }

  // The file that a finding names.
  look(at) {
    const file = this.coverage.files.find((row) => row.file === at.file && row.source);
    if (file) {
      this.choose(file.index);
      this.source.scrollIntoView({ block: 'start' });
    } else {
      byId('coverage-files').scrollIntoView({ block: 'start' });
    }
  }
}

module.exports = { Coverage };
