// SPDX-License-Identifier: Apache-2.0
'use strict';

// A heap snapshot: what retains how much, as a treemap and as tables, and what grew.

const format = require('./format.js');
const { MODES, THEMES, css } = require('./colours.js');
const { runFact } = require('./comparison.js');
const { Grid } = require('./grid.js');
const { byId, make, name, replace, theme } = require('./dom.js');
const { dominatorsOf, tiles } = require('./snapshot.js');
const { squarify } = require('./treemap.js');

const HEIGHT = 420; // as in the style sheet
const TEXT_WIDTH = 46;
const TEXT_HEIGHT = 17;

const number = (key, label, show = format.bytes) => ({
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

const share = (key, label, whole) => ({
  key: `${key}-share`,
  label,
  number: true,
  value: (row) => row[key],
  cell: (row) => format.percent(whole() > 0 ? row[key] / whole() : 0),
});

const change = (value) =>
  `${value > 0 ? '+' : value < 0 ? '−' : ''}${format.bytes(Math.abs(value))}`;
const id = (value) => `@${value}`;
const path = text('path', 'Held by', 'place code');

// The tables, in the order of the page: which list of the snapshot, and what of it.
const TABLES = [
  {
    list: 'suspects',
    title: 'What may leak',
    caption: 'Classes that may leak',
    sort: 'retainedGrowthBytes',
    columns: () => [
      text('name', 'Class'),
      number('before', 'Objects before', format.count),
      number('after', 'Objects after', format.count),
      number('retainedGrowthBytes', 'Δ retained', change),
      {
        key: 'alike',
        label: 'Held so',
        value: (row) => row.heldAlike / (row.sampled || 1),
        cell: (row) => `${format.count(row.heldAlike)} of ${format.count(row.sampled)}`,
      },
      path,
    ],
  },
  {
    list: 'growth',
    title: 'What grew',
    caption: 'Classes by how they grew',
    sort: 'shallowGrowthBytes',
    columns: () => [
      text('name', 'Class'),
      number('before', 'Objects before', format.count),
      number('after', 'Objects after', format.count),
      number('added', 'New', format.count),
      number('freed', 'Freed', format.count),
      number('shallowGrowthBytes', 'Δ shallow', change),
      number('retainedGrowthBytes', 'Δ retained', change),
    ],
  },
  {
    list: 'biggest',
    title: 'Where memory gathers',
    caption: 'Objects in which memory gathers',
    sort: 'retainedBytes',
    columns: (heap) => [
      text('class', 'Object'),
      number('id', 'Id', id),
      number('retainedBytes', 'Retained'),
      share('retainedBytes', 'Of the heap', () => heap.snapshot.bytes),
      number('dominated', 'Objects in it', format.count),
      path,
    ],
  },
  {
    list: 'objects',
    title: 'Objects that retain most',
    caption: 'Objects by what they retain',
    sort: 'retainedBytes',
    columns: (heap) => [
      {
        ...text('label', 'Object'),
        cell: (row) =>
          make(
            'button',
            { type: 'button', class: 'link code', click: () => heap.zoom(row.index) },
            name(row.label),
          ),
      },
      number('retainedBytes', 'Retained'),
      share('retainedBytes', 'Of the heap', () => heap.snapshot.bytes),
      number('shallowBytes', 'Shallow'),
      text('class', 'Class'),
      {
        key: 'dominator',
        label: 'Retained by',
        value: (row) => heap.dominator(row).toLowerCase(),
        cell: (row) => name(heap.dominator(row)),
      },
      number('id', 'Id', id),
    ],
  },
  {
    list: 'classes',
    title: 'Classes',
    caption: 'Classes by what they retain',
    sort: 'retainedBytes',
    columns: () => [
      text('name', 'Class'),
      number('count', 'Objects', format.count),
      number('shallowBytes', 'Shallow'),
      number('retainedBytes', 'Retained'),
      { ...path, label: 'Largest held by' },
    ],
  },
  {
    list: 'duplicates',
    title: 'Strings that are there more than once',
    caption: 'Strings by what their copies waste',
    sort: 'wastedBytes',
    columns: () => [
      text('text', 'String'),
      number('count', 'Copies', format.count),
      number('wastedBytes', 'Wasted'),
    ],
  },
];

function colourOf(words) {
  const capture = { label: [words], category: ['dependency'], package: [words || '-'] };
  return css(MODES.package(capture, 0, THEMES[theme()]));
}

class Heap {
  // zoom(row of objects)
  constructor(zoom) {
    this.zoom = zoom;
    this.facts = make('dl', { class: 'facts' });
    this.crumbs = make('nav', { id: 'heap-crumbs', 'aria-label': 'Retained by' });
    this.map = make('div', { class: 'treemap', role: 'group', 'aria-label': 'Retained sizes' });
    this.parts = TABLES.map(({ list, title }) =>
      make('div', { id: `heap-${list}` }, make('h3', { text: title }), make('div')),
    );
    replace(
      byId('heap-view'),
      this.facts,
      ...this.parts.slice(0, 2),
      make('h3', { text: 'What retains how much' }),
      this.crumbs,
      this.map,
      ...this.parts.slice(2),
    );
    this.grids = TABLES.map(
      ({ list, caption, sort, columns }, i) =>
        new Grid(this.parts[i].lastChild, {
          id: `${list}-table`,
          caption,
          text: (row) => [row.label, row.name, row.class, row.text, row.path].join(' '),
          sort,
          columns: columns(this),
        }),
    );
  }

  dominator(row) {
    return row.index === 0 ? '' : (this.snapshot.objects[row.parent]?.label ?? '');
  }

  // before: the run that it is compared with, or null.
  show(snapshot, zoomed, before = null) {
    if (this.snapshot !== snapshot) {
      this.snapshot = snapshot;
      const facts = [
        ['Size', format.bytes(snapshot.bytes)],
        ['Objects', format.count(snapshot.nodes)],
        ['References', format.count(snapshot.edges)],
        ...(snapshot.numberedAnew ? [['New and freed', 'differences of counts']] : []),
        ...(snapshot.detached ? [['Detached', format.bytes(snapshot.detached)]] : []),
      ];
      replace(
        this.facts,
        ...facts.map(([word, value]) =>
          make('div', {}, make('dt', { text: word }), make('dd', { text: value })),
        ),
        before && runFact('Compared with', before),
      );
      TABLES.forEach(({ list }, i) => {
        const rows = list === 'objects' ? snapshot.objects.slice(1) : snapshot[list];
        this.parts[i].hidden = rows.length === 0;
        this.grids[i].show(rows);
      });
    }
    const object = snapshot.objects[zoomed] ?? snapshot.objects[0];
    this.map.hidden = !object;
    if (object) {
      this.showPath(object);
      this.showMap(object);
    }
  }

  showPath(object) {
    const steps = dominatorsOf(this.snapshot, object).map((row) =>
      make(
        'li',
        {},
        make(
          'button',
          {
            type: 'button',
            class: 'link',
            'aria-current': row === object ? 'location' : null,
            click: () => this.zoom(row.index),
          },
          name(row.index === 0 ? 'All' : row.label),
        ),
        ` ${format.bytes(row.retainedBytes)}`,
      ),
    );
    replace(this.crumbs, make('ol', { class: 'crumbs' }, ...steps));
  }

  showMap(object) {
    const found = tiles(object);
    const values = found.map((tile) => tile.bytes);
    const boxes = squarify(values, { x: 0, y: 0, width: this.map.clientWidth, height: HEIGHT });
    replace(this.map, ...boxes.map((box) => this.tile(found[box.index], box)));
  }

  tile({ label, detail, bytes, row }, box) {
    const part = format.percent(this.snapshot.bytes > 0 ? bytes / this.snapshot.bytes : 0);
    const kind = detail && !label.startsWith(detail) ? ` (${detail})` : '';
    const words = `${label}${kind}: ${format.bytes(bytes)}, ${part}`;
    const readable = box.width >= TEXT_WIDTH && box.height >= TEXT_HEIGHT;
    const tall = readable && box.height >= 2 * TEXT_HEIGHT;
    const button = make(
      'button',
      {
        type: 'button',
        'aria-label': words,
        title: words,
        disabled: !row || row.children.length === 0,
        click: () => this.zoom(row.index),
      },
      readable ? name(label) : '',
      tall ? make('span', { text: format.bytes(bytes) }) : null,
    );
    Object.assign(button.style, {
      left: `${box.x}px`,
      top: `${box.y}px`,
      width: `${box.width}px`,
      height: `${box.height}px`,
      background: row ? colourOf(detail) : 'var(--sunken)',
      color: row ? THEMES[theme()].text : 'var(--ink)',
    });
    return button;
  }
}

module.exports = { Heap };
