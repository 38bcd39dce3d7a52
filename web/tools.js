// SPDX-License-Identifier: Apache-2.0
'use strict';

// What stands around the flame graph: views, search, colours, the legend with what is folded, the
// way that was zoomed, and the ranks.

const format = require('./format.js');
const { CATEGORIES } = require('./capture.js');
const { pathTo } = require('./layout.js');
const { byId, make, name, replace } = require('./dom.js');

const VIEW_NAMES = {
  flame: 'Heaviest first',
  time: 'In order of time',
  sides: 'Side by side',
  sandwich: 'Callers and callees',
};
const COLOUR_NAMES = {
  category: 'category',
  package: 'package',
  heat: 'self cost (heat)',
  delta: 'difference',
};
const TREATMENT_NAMES = { show: 'shown', fold: 'folded', hide: 'hidden' };
const PACKAGES_LISTED = 60;
const CRUMBS = 12;

// names: instead of the usual ones.
function showViews(views, current, choose, names = {}) {
  replace(
    byId('graph-views'),
    ...views.map((view) =>
      make('button', {
        type: 'button',
        'aria-pressed': String(view === current),
        'data-view': view,
        text: names[view] ?? VIEW_NAMES[view],
        click: () => choose(view),
      }),
    ),
  );
}

// on: {search(text), colour(mode), fold(key), reset(), large()}
class Tools {
  constructor(on) {
    this.search = make('input', {
      type: 'search',
      id: 'search',
      placeholder: 'name, file or /expression/',
      input: () => on.search(this.search.value),
      keydown: (event) => {
        if (event.key === 'Escape') {
          event.preventDefault();
          event.stopPropagation();
          this.search.value = '';
          on.search('');
        }
      },
    });
    this.share = make('output', { id: 'search-share', for: 'search' });
    this.colour = make('select', { id: 'colour', change: () => on.colour(this.colour.value) });
    this.folds = ['dependency', 'node'].map((key) =>
      make('button', {
        type: 'button',
        'data-fold': key,
        text: `Fold ${key === 'node' ? 'Node.js' : 'packages'}`,
        click: () => on.fold(key),
      }),
    );
    this.idle = make('button', {
      type: 'button',
      id: 'idle',
      text: 'Show idle',
      click: () => on.fold('idle'),
    });
    this.reset = make('button', { type: 'button', text: 'Zoom out', click: () => on.reset() });
    replace(
      byId('graph-tools'),
      make('label', { for: 'search', text: 'Search' }),
      this.search,
      this.share,
      make('label', { for: 'colour', text: 'Colour by' }),
      this.colour,
      ...this.folds,
      this.idle,
      this.reset,
      make('button', { type: 'button', id: 'large', text: 'Graph only', click: () => on.large() }),
    );
  }

  show({ state, share, colours, colour, hasIdle }) {
    if (document.activeElement !== this.search) {
      this.search.value = state.search;
    }
    this.share.textContent = share;
    if ([...this.colour.options].map((option) => option.value).join() !== colours.join()) {
      const options = colours.map((key) => make('option', { value: key, text: COLOUR_NAMES[key] }));
      replace(this.colour, ...options);
    }
    this.colour.value = colour;
    for (const button of this.folds) {
      button.setAttribute('aria-pressed', String(state.treatments[button.dataset.fold] === 'fold'));
    }
    this.idle.hidden = !hasIdle;
    this.idle.setAttribute('aria-pressed', String(state.treatments.idle === 'show'));
    this.reset.disabled = state.zoom === 0;
  }
}

function treatmentSelect(key, label, current, choose) {
  const select = make(
    'select',
    { 'aria-label': `${label} is`, 'data-group': key, change: () => choose(key, select.value) },
    ...Object.entries(TREATMENT_NAMES).map(([value, text]) => make('option', { value, text })),
  );
  select.value = current;
  return select;
}

function swatch(colour) {
  const box = make('span', { class: 'swatch', 'aria-hidden': 'true' });
  box.style.background = colour;
  return box;
}

// what: {capture, state, sums, whole, paint, scale: [words, css colours] or null}
function showLegend({ capture, state, sums, whole, paint, scale }, choose) {
  const open = byId('legend-packages')?.open ?? false;
  const item = (key, label, frame) => {
    const usual = key === 'idle' ? 'hide' : 'show';
    const group = capture.groups.find((one) => one.key === key);
    const current =
      state.treatments[key] ?? (group ? state.treatments[group.category] : undefined) ?? usual;
    return make(
      'li',
      {},
      scale ? null : swatch(paint(frame, 0)),
      name(label),
      make('span', {
        class: 'note',
        text: key === 'idle' ? '' : format.percent(whole > 0 ? (sums.get(key) ?? 0) / whole : 0),
      }),
      treatmentSelect(key, label, current, choose),
    );
  };
  const frameOf = (test) => capture.groups.findIndex(test) + capture.frameCount;
  const weight = (key) => (key === 'idle' ? -1 : (sums.get(key) ?? 0));
  const idle = capture.sides ? '' : 'idle';
  const categories = [...new Set(capture.groups.map((group) => group.category))]
    .filter((key) => key !== 'root' && (sums.has(key) || key === idle))
    .sort((a, b) => weight(b) - weight(a));
  const packages = capture.groups
    .filter((group) => group.package && sums.has(group.key))
    .sort((a, b) => sums.get(b.key) - sums.get(a.key));
  replace(
    byId('legend'),
    scale ? showScale(scale) : null,
    make(
      'ul',
      { 'aria-label': 'Categories' },
      ...categories.map((key) =>
        item(
          key,
          CATEGORIES[key] ?? key,
          frameOf((group) => group.category === key),
        ),
      ),
    ),
    packages.length
      ? make(
          'details',
          { id: 'legend-packages', open },
          make('summary', { text: `${format.count(packages.length)} packages` }),
          make(
            'ul',
            { 'aria-label': 'Packages' },
            ...packages.slice(0, PACKAGES_LISTED).map((group) =>
              item(
                group.key,
                group.package,
                frameOf((other) => other === group),
              ),
            ),
          ),
        )
      : null,
  );
}

function showScale([from, to, colours]) {
  const bar = make('span', { class: 'scale', 'aria-hidden': 'true' });
  bar.style.background = `linear-gradient(to right, ${colours.join(', ')})`;
  return make('p', { class: 'row note' }, from, bar, to);
}

function showCrumbs(capture, tree, focus, zoom) {
  const path = pathTo(tree, focus);
  const shown = path.length > CRUMBS ? [path[0], ...path.slice(1 - CRUMBS)] : path;
  replace(
    byId('crumbs'),
    focus === 0
      ? null
      : make(
          'ol',
          {},
          ...shown.map((node, i) =>
            make(
              'li',
              {},
              i === 1 && shown.length < path.length ? '… ' : null,
              make(
                'button',
                {
                  type: 'button',
                  class: 'link',
                  'aria-current': node === focus ? 'location' : null,
                  click: () => zoom(node),
                },
                name(node === 0 ? 'All' : capture.label[tree.frame[node]]),
              ),
            ),
          ),
        ),
  );
}

// The functions by self cost, one after the other.
function showRanks(rows, frame, choose) {
  const at = rows.findIndex((row) => row.frame === frame);
  const step = (label, word, to, disabled) =>
    make('button', {
      type: 'button',
      'aria-label': `${word} of the hottest functions`,
      'data-rank': word.toLowerCase(),
      text: label,
      disabled: disabled || rows.length === 0,
      click: () => choose(rows[to].frame),
    });
  const last = rows.length - 1;
  const focused = document.activeElement?.dataset?.rank;
  replace(
    byId('ranks'),
    make('span', { class: 'note', text: 'Hottest' }),
    step('First', 'First', 0, at === 0),
    step('◀', 'Previous', at - 1, at <= 0),
    make('span', {
      id: 'rank',
      text:
        at < 0 ? `– of ${format.count(rows.length)}` : `#${at + 1} of ${format.count(rows.length)}`,
    }),
    step('▶', 'Next', at + 1, at >= last),
    step('Last', 'Last', last, at === last),
  );
  const again = focused && byId('ranks').querySelector(`[data-rank="${focused}"]`);
  if (again && !again.disabled) {
    again.focus();
  }
}

module.exports = { Tools, showCrumbs, showLegend, showRanks, showViews };
