// SPDX-License-Identifier: Apache-2.0
'use strict';

// All functions as a table that is sorted and filtered: what the flame graph shows, for reading.

const format = require('./format.js');
const functions = require('./functions.js');
const { CATEGORIES } = require('./capture.js');
const { byId, make, name, replace } = require('./dom.js');

const ROWS_STEP = 60;

const HEADINGS = [
  ['function', 'Function'],
  ['self', 'Self'],
  ['total', 'Total'],
  ['samples', 'Samples'],
  ['place', 'File and line'],
  ['category', 'Category'],
  ['package', 'Package'],
];
const NUMBERS = ['self', 'total', 'samples'];

class FunctionTable {
  // on: {sort(column, ascending), filter({…}), select(frame), sandwich(frame)}
  constructor(on) {
    this.on = on;
    this.limit = ROWS_STEP;
    this.text = make('input', {
      type: 'search',
      id: 'filter-text',
      placeholder: 'name, file or /expression/',
      input: () => this.refilter(),
    });
    this.category = make('select', { id: 'filter-category', change: () => this.refilter() });
    this.package = make('select', { id: 'filter-package', change: () => this.refilter() });
    this.status = make('p', { class: 'note', role: 'status', id: 'table-status' });
    this.head = make('tr');
    this.body = make('tbody', { id: 'function-rows' });
    this.more = make('button', {
      type: 'button',
      text: 'Show more rows',
      click: () => {
        this.limit += ROWS_STEP;
        this.fill();
      },
    });
    replace(
      byId('table-view'),
      make(
        'div',
        { class: 'row', role: 'search', 'aria-label': 'Filter of the table' },
        make('label', { for: 'filter-text', text: 'Only' }),
        this.text,
        make('label', { for: 'filter-category', text: 'Category' }),
        this.category,
        make('label', { for: 'filter-package', text: 'Package' }),
        this.package,
        this.status,
      ),
      make(
        'div',
        { class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': 'Functions' },
        make(
          'table',
          { id: 'function-table' },
          make('caption', { class: 'unseen', text: 'Functions by what they cost' }),
          make('thead', {}, this.head),
          this.body,
        ),
      ),
      this.more,
    );
  }

  refilter() {
    this.on.filter({
      text: this.text.value,
      category: this.category.value,
      package: this.package.value,
    });
  }

  // what: {capture, rows, whole, state}
  show(what) {
    if (this.what?.rows !== what.rows || this.what?.capture !== what.capture) {
      this.limit = ROWS_STEP;
    }
    this.what = what;
    const { capture, rows, state } = what;
    const filtered = functions.filterRows(capture, rows, state.filter);
    this.sorted = functions.sortRows(capture, filtered, state.sort, !state.ascending);
    this.choices(this.category, new Set(rows.map((row) => capture.category[row.frame])), {
      value: state.filter.category,
      label: (key) => CATEGORIES[key] ?? key,
    });
    this.choices(this.package, new Set(rows.map((row) => capture.package[row.frame])), {
      value: state.filter.package,
      label: (key) => key,
    });
    if (document.activeElement !== this.text) {
      this.text.value = state.filter.text;
    }
    this.headings();
    this.fill();
  }

  choices(select, values, { value, label }) {
    const keys = [...values].filter((key) => key).sort();
    if (value && !keys.includes(value)) {
      keys.push(value);
    }
    replace(
      select,
      make('option', { value: '', text: 'all' }),
      ...keys.map((key) => make('option', { value: key, text: label(key) })),
    );
    select.value = value;
  }

  headings() {
    const { sort, ascending } = this.what.state;
    const focused = document.activeElement?.dataset?.column;
    replace(
      this.head,
      ...HEADINGS.map(([column, label]) => {
        const own = column === sort;
        const word = column === 'samples' && this.what.capture.unit === 'bytes' ? 'Objects' : label;
        const button = make('button', {
          type: 'button',
          'data-column': column,
          text: own ? `${word} ${ascending ? '▲' : '▼'}` : word,
          click: () => this.on.sort(column, own ? !ascending : !NUMBERS.includes(column)),
        });
        return make(
          'th',
          {
            scope: 'col',
            class: NUMBERS.includes(column) ? 'number' : '',
            'aria-sort': own ? (ascending ? 'ascending' : 'descending') : 'none',
          },
          button,
        );
      }),
    );
    if (focused) {
      this.head.querySelector(`[data-column="${focused}"]`)?.focus();
    }
  }

  row(row) {
    const { capture, whole, state } = this.what;
    const share = (value) => (whole > 0 ? value / whole : 0);
    const cell = (value) =>
      make(
        'td',
        { class: 'number' },
        make('span', { class: 'share', text: format.percent(share(value)) }),
        ' ',
        make('span', { class: 'amount', text: format.amount(value, capture.unit) }),
      );
    const packaged = capture.package[row.frame];
    const version = capture.version[row.frame];
    const self = cell(row.self);
    const bar = make('span', { class: 'bar', 'aria-hidden': 'true' });
    bar.style.width = `${Math.min(100, share(row.self) * 100)}%`;
    self.prepend(bar);
    return make(
      'tr',
      {
        'data-frame': row.frame,
        class: row.frame === state.frame ? 'chosen' : '',
        'aria-current': row.frame === state.frame ? 'true' : null,
      },
      make(
        'th',
        { scope: 'row' },
        make(
          'button',
          { type: 'button', class: 'link code', click: () => this.on.select(row.frame) },
          name(capture.label[row.frame]),
        ),
      ),
      self,
      cell(row.total),
      make('td', { class: 'number', text: format.count(row.hits) }),
      make('td', { class: 'place' }, name(capture.place[row.frame])),
      make(
        'td',
        {},
        make('span', { class: `dot ${capture.category[row.frame]}`, 'aria-hidden': 'true' }),
        CATEGORIES[capture.category[row.frame]] ?? capture.category[row.frame],
      ),
      make('td', {}, name(version ? `${packaged}@${version}` : packaged)),
    );
  }

  fill() {
    const rows = this.sorted.slice(0, this.limit);
    replace(this.body, ...rows.map((row) => this.row(row)));
    this.more.hidden = this.sorted.length <= this.limit;
    this.status.textContent = `${format.count(rows.length)} of ${format.count(this.sorted.length)} functions shown`;
  }

  // Another function was chosen: nothing else changed.
  mark(frame) {
    this.what.state = { ...this.what.state, frame };
    for (const row of this.body.rows) {
      const own = Number(row.dataset.frame) === frame;
      row.classList.toggle('chosen', own);
      if (own) {
        row.setAttribute('aria-current', 'true');
      } else {
        row.removeAttribute('aria-current');
      }
    }
  }

  reveal(frame) {
    this.body
      .querySelector(`[data-frame="${Number(frame)}"]`)
      ?.scrollIntoView({ block: 'nearest' });
  }
}

module.exports = { FunctionTable };
