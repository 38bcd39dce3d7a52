// SPDX-License-Identifier: Apache-2.0
'use strict';

// What is looked at, as the hash of the page's address: it can be shared, and comes from outside.

const VIEWS = ['flame', 'time', 'sandwich', 'sides'];
const COLOURS = ['category', 'package', 'heat', 'delta'];
const COLUMNS = ['function', 'self', 'total', 'samples', 'place', 'category', 'package'];
const TREATMENTS = ['show', 'fold', 'hide'];
const TEXT_MAX = 500;
const TREATMENTS_MAX = 500;

const initial = () => ({
  capture: 0,
  view: 'flame',
  zoom: 0,
  search: '',
  colour: '', // what suits the capture
  range: null, // {from, to} in microseconds since the beginning
  treatments: {}, // of groups and categories
  frame: -1, // the function that is looked at
  sort: 'self',
  ascending: false,
  filter: { text: '', category: '', package: '' },
});

function whole(text, fallback, most = 2 ** 31) {
  return /^\d{1,10}$/.test(text ?? '') && Number(text) <= most ? Number(text) : fallback;
}

const choice = (text, choices, fallback) => (choices.includes(text) ? text : fallback);
const short = (text) => (text ?? '').slice(0, TEXT_MAX);

function parseRange(text) {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(text ?? '');
  const range = match ? { from: Number(match[1]), to: Number(match[2]) } : null;
  return range && range.from < range.to ? range : null;
}

function parseTreatments(words) {
  const entries = words
    .slice(0, TREATMENTS_MAX)
    .map((word) => [word.slice(word.indexOf(':') + 1), word.slice(0, word.indexOf(':'))])
    .filter(([key, treatment]) => key && TREATMENTS.includes(treatment));
  return Object.assign(Object.create(null), Object.fromEntries(entries));
}

function parse(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ''));
  const state = initial();
  return {
    capture: whole(words.get('capture'), state.capture, 100),
    view: choice(words.get('view'), VIEWS, state.view),
    zoom: whole(words.get('zoom'), state.zoom),
    search: short(words.get('search')),
    colour: choice(words.get('colour'), COLOURS, state.colour),
    range: parseRange(words.get('time')),
    treatments: parseTreatments(words.getAll('group')),
    frame: whole(words.get('function'), state.frame),
    sort: choice(words.get('sort'), COLUMNS, state.sort),
    ascending: words.get('order') === 'ascending',
    filter: {
      text: short(words.get('filter')),
      category: short(words.get('category')),
      package: short(words.get('package')),
    },
  };
}

// Only what differs from the beginning is written.
function print(state) {
  const words = new URLSearchParams();
  const plain = initial();
  const put = (name, value, usual) => {
    if (value !== usual) {
      words.append(name, String(value));
    }
  };
  put('capture', state.capture, plain.capture);
  put('view', state.view, plain.view);
  put('zoom', state.zoom, plain.zoom);
  put('search', state.search, plain.search);
  put('colour', state.colour, plain.colour);
  if (state.range) {
    words.append('time', `${Math.floor(state.range.from)}-${Math.ceil(state.range.to)}`);
  }
  for (const [key, treatment] of Object.entries(state.treatments)) {
    words.append('group', `${treatment}:${key}`);
  }
  put('function', state.frame, plain.frame);
  put('sort', state.sort, plain.sort);
  put('order', state.ascending ? 'ascending' : '', '');
  put('filter', state.filter.text, '');
  put('category', state.filter.category, '');
  put('package', state.filter.package, '');
  const text = words.toString();
  return text ? `#${text}` : '';
}

module.exports = { initial, parse, print };
