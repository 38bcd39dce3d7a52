// SPDX-License-Identifier: Apache-2.0
'use strict';

// One function: what it cost, who calls it, what it calls, and its lines.

const format = require('./format.js');
const functions = require('./functions.js');
const { CATEGORIES } = require('./capture.js');
const { byId, make, name, replace } = require('./dom.js');
const { sourceRows } = require('./source.js');
const { callees, callers } = require('./tree.js');

const NEIGHBOURS = 8;

function neighbourList(capture, title, rows, whole, select) {
  const list = rows
    .slice(0, NEIGHBOURS)
    .map((row) =>
      make(
        'tr',
        {},
        make(
          'th',
          { scope: 'row' },
          make(
            'button',
            { type: 'button', class: 'link code', click: () => select(row.frame) },
            name(capture.label[row.frame]),
          ),
        ),
        make('td', { class: 'number', text: format.percent(whole > 0 ? row.total / whole : 0) }),
      ),
    );
  return [
    make('h3', { text: title }),
    list.length
      ? make('table', {}, make('tbody', {}, ...list))
      : make('p', { class: 'note', text: 'no other function' }),
    rows.length > NEIGHBOURS
      ? make('p', { class: 'note', text: `and ${rows.length - NEIGHBOURS} more` })
      : null,
  ];
}

function lines(capture, frame, range) {
  const { rows, hasText } = sourceRows(capture, frame);
  if (rows.length === 0) {
    return [];
  }
  return [
    make('h3', { text: hasText ? 'Source' : 'Lines' }),
    range ? make('p', { class: 'note', text: 'Of the whole capture.' }) : null,
    make(
      'div',
      { class: 'source-scroll', tabindex: '0', role: 'region', 'aria-label': 'Lines with samples' },
      make(
        'table',
        { class: 'source' },
        make('caption', { class: 'unseen', text: 'Samples by line' }),
        make(
          'tbody',
          {},
          ...rows.map((row) =>
            make(
              'tr',
              { class: row.share >= 0.2 ? 'hot' : '' },
              make('td', { class: 'line', text: String(row.line) }),
              make('td', { class: 'number', text: row.ticks ? format.percent(row.share) : '' }),
              make('td', { dir: 'ltr', text: row.text }),
            ),
          ),
        ),
      ),
    ),
    hasText
      ? null
      : make('p', { class: 'note', text: 'The text of the source is not kept with the run.' }),
  ];
}

// what: {capture, tree, row (of byFunction, or null), whole, range}; on: {select, sandwich, zoom}
function showDetail({ capture, tree, row, whole, range }, on) {
  const section = byId('detail');
  section.hidden = !row;
  if (!row) {
    return;
  }
  const { frame } = row;
  const amount = (value) =>
    `${format.percent(whole > 0 ? value / whole : 0)} (${format.amount(value, capture.unit)})`;
  const packaged = capture.package[frame];
  const version = capture.version[frame];
  replace(
    byId('detail-view'),
    make('p', { class: 'title' }, name(capture.label[frame])),
    make('p', { class: 'place code' }, name(capture.place[frame] || 'no place in a file')),
    make(
      'dl',
      { class: 'facts' },
      make('div', {}, make('dt', { text: 'Self' }), make('dd', { text: amount(row.self) })),
      make('div', {}, make('dt', { text: 'Total' }), make('dd', { text: amount(row.total) })),
      make(
        'div',
        {},
        make('dt', { text: capture.unit === 'bytes' ? 'Objects' : 'Samples' }),
        make('dd', { text: format.count(row.hits) }),
      ),
      make(
        'div',
        {},
        make('dt', { text: 'Kind' }),
        make('dd', { text: CATEGORIES[capture.category[frame]] ?? capture.category[frame] }),
      ),
      packaged
        ? make(
            'div',
            {},
            make('dt', { text: 'Package' }),
            make('dd', {}, name(version ? `${packaged}@${version}` : packaged)),
          )
        : null,
    ),
    make(
      'div',
      { class: 'row' },
      make('button', { type: 'button', text: 'Zoom to it', click: () => on.zoom(row.top) }),
      make('button', {
        type: 'button',
        text: 'Callers and callees',
        click: () => on.sandwich(frame),
      }),
    ),
    ...lines(capture, frame, range),
    ...neighbourList(
      capture,
      'Called by',
      functions.neighbours(callers(tree, frame)),
      row.total,
      on.select,
    ),
    ...neighbourList(
      capture,
      'Calls',
      functions.neighbours(callees(tree, frame)),
      row.total,
      on.select,
    ),
  );
}

module.exports = { showDetail };
