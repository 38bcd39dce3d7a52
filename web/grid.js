// SPDX-License-Identifier: Apache-2.0
'use strict';

// A table that is sorted by its headings and filtered by a text.

const format = require('./format.js');
const { make, replace } = require('./dom.js');

const ROWS_STEP = 100;

function compare(a, b) {
  return a === b ? 0 : a < b ? -1 : 1;
}

class Grid {
  // columns: [{key, label, number, value(row), cell(row) → element, text or [..]}]; the first is the
  // row's heading. text(row): what the filter looks at.
  constructor(parent, { id, caption, columns, text, sort }) {
    this.columns = columns;
    this.text = text;
    this.sort = { key: sort, ascending: false };
    this.limit = ROWS_STEP;
    this.filter = make('input', {
      type: 'search',
      id: `${id}-filter`,
      input: () => this.fill(),
    });
    this.status = make('p', { class: 'note', role: 'status' });
    this.head = make('tr');
    this.body = make('tbody');
    this.more = make('button', {
      type: 'button',
      text: 'Show more rows',
      click: () => {
        this.limit += ROWS_STEP;
        this.fill();
      },
    });
    replace(
      parent,
      make(
        'div',
        { class: 'row' },
        make('label', { for: `${id}-filter`, text: 'Only' }),
        this.filter,
        this.status,
      ),
      make(
        'div',
        { class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': caption },
        make(
          'table',
          { id },
          make('caption', { class: 'unseen', text: caption }),
          make('thead', {}, this.head),
          this.body,
        ),
      ),
      this.more,
    );
  }

  show(rows) {
    this.rows = rows;
    this.limit = ROWS_STEP;
    this.headings();
    this.fill();
  }

  headings() {
    const { key, ascending } = this.sort;
    replace(
      this.head,
      ...this.columns.map((column) => {
        const own = column.key === key;
        return make(
          'th',
          {
            scope: 'col',
            class: column.number ? 'number' : '',
            'aria-sort': own ? (ascending ? 'ascending' : 'descending') : 'none',
          },
          make('button', {
            type: 'button',
            'data-column': column.key,
            text: own ? `${column.label} ${ascending ? '▲' : '▼'}` : column.label,
            click: () => {
              this.sort = { key: column.key, ascending: own ? !ascending : !column.number };
              this.headings();
              this.fill();
              this.head.querySelector(`[data-column="${column.key}"]`).focus();
            },
          }),
        );
      }),
    );
  }

  fill() {
    const wanted = this.filter.value.toLowerCase();
    const column = this.columns.find(({ key }) => key === this.sort.key);
    const sign = this.sort.ascending ? 1 : -1;
    const sorted = this.rows
      .filter((row) => this.text(row).toLowerCase().includes(wanted))
      .map((row) => [column.value(row), row])
      .sort(([a], [b]) => compare(a, b) * sign)
      .map(([, row]) => row);
    replace(this.body, ...sorted.slice(0, this.limit).map((row) => this.row(row)));
    this.more.hidden = sorted.length <= this.limit;
    const shown = Math.min(sorted.length, this.limit);
    this.status.textContent = `${format.count(shown)} of ${format.count(sorted.length)} rows shown`;
  }

  row(row) {
    return make(
      'tr',
      {},
      ...this.columns.map((column, i) => {
        const content = column.cell(row);
        const kind = [column.number ? 'number' : '', column.kind?.(row) ?? ''].join(' ').trim();
        return make(
          i === 0 ? 'th' : 'td',
          { class: kind || null, scope: i === 0 ? 'row' : null },
          ...(Array.isArray(content) ? content : [content]),
        );
      }),
    );
  }
}

module.exports = { Grid };
