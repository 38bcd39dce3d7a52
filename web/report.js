// SPDX-License-Identifier: Apache-2.0
'use strict';

// The page: reads the data, keeps the state, and shows what it says.

const states = require('./state.js');
const format = require('./format.js');
const { Graph } = require('./graph.js');
const { Coverage } = require('./coverage.js');
const { Heap } = require('./heap.js');
const { Load } = require('./load.js');
const { byId, make, name, replace } = require('./dom.js');
const { readTree } = require('./capture.js');
const { readCoverage, readCoverageChanges } = require('./covered.js');
const { unite } = require('./difference.js');
const { readSnapshot } = require('./snapshot.js');
const { readLoadTest } = require('./loadtest.js');
const { showCost, showFindings, showRun } = require('./head.js');

const KEYS = [
  ['/', 'search'],
  ['n, p', 'next and previous of the hottest functions'],
  ['arrows', 'move in the flame graph: to the caller, the callee, the one beside'],
  ['Enter', 'zoom to the selected box'],
  ['Escape', 'zoom out by one; end the search'],
  ['Home', 'zoom out entirely'],
  ['s', 'callers and callees of the selected function'],
  ['f', 'the graph only, and back'],
  ['d', 'dark or light'],
  ['?', 'these keys'],
];

function decode(text) {
  if (Uint8Array.fromBase64) {
    return Uint8Array.fromBase64(text);
  }
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) {
    bytes[i] = letters.charCodeAt(i);
  }
  return bytes;
}

async function readData() {
  const text = byId('data').textContent;
  const bytes = decode(text);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}

const isLoadTest = (report) => report.percentiles !== undefined && Boolean(report.summary?.sonde);

class Page {
  constructor(data) {
    this.data = data;
    this.read = new Map();
    this.items = Page.items(data);
    this.state = states.parse(location.hash);
    this.announce = (text) => {
      byId('announce').textContent = text;
    };
    this.graph = new Graph((changes, remember) => this.update(changes, remember), this.announce);
  }

  // remember: the browser's "back" returns to what was before.
  update(changes, remember = false) {
    Object.assign(this.state, changes);
    const hash = states.print(this.state);
    if (hash !== location.hash) {
      history[remember ? 'pushState' : 'replaceState'](null, '', hash || '#');
    }
    this.show();
  }

  restore() {
    this.state = states.parse(location.hash);
    this.show();
  }

  // What can be looked at: comparisons first, then the captures, then what has no tree.
  static items({ captures, comparison, report, before, parts, coverage }) {
    const pairs = (comparison?.pairs ?? []).map((pair) => ({
      name: `${captures[pair.after].name}: before and after`,
      pair,
      report: {},
    }));
    const own = captures.map((capture, index) => {
      const from = capture.before ? before : report;
      const word = comparison ? (capture.before ? ', before' : ', after') : '';
      return {
        name: `${capture.name}${word}`,
        index,
        directory: from.directory ?? '',
        report: from.captures[capture.at] ?? {},
      };
    });
    const covered = (coverage ?? []).map(({ at, sources }) => ({
      name: report.captures[at]?.name ?? '',
      coverage: {
        sources,
        changes: comparison?.coverage?.find(({ after }) => after === at)?.changes,
      },
      directory: report.directory ?? '',
      report: report.captures[at] ?? {},
    }));
    const texts = (parts ?? []).map((part) => {
      const entry = report.captures[part.at] ?? {};
      const grown = Boolean(before && (entry.growth || (isLoadTest(entry) && entry.comparison)));
      return {
        name: grown ? `${part.name}: before and after` : part.name,
        part,
        grown,
        directory: report.directory ?? '',
        report: entry,
      };
    });
    return [
      ...pairs,
      ...texts.filter(({ grown }) => grown),
      ...own,
      ...covered,
      ...texts.filter(({ grown }) => !grown),
    ];
  }

  capture(at) {
    if (!this.read.has(at)) {
      const { pair, part, coverage, index, directory, report } = this.items[at];
      const find = (wanted) => this.capture(this.items.findIndex((item) => item.index === wanted));
      const capture = pair
        ? unite(find(pair.before), find(pair.after))
        : part
          ? (isLoadTest(report) ? readLoadTest : readSnapshot)(report, part.name)
          : coverage
            ? readCoverage(report, coverage.sources, directory)
            : readTree(this.data.captures[index], directory);
      capture.index = at;
      capture.changes = pair?.changes;
      this.read.set(at, capture);
    }
    return this.read.get(at);
  }

  showItems(current) {
    byId('captures').hidden = this.items.length < 2;
    replace(
      byId('captures'),
      ...this.items.map((item, index) =>
        make(
          'button',
          {
            type: 'button',
            'aria-current': String(index === current),
            click: () => this.update({ ...states.initial(), capture: index }, true),
          },
          name(format.clean(item.name)),
        ),
      ),
    );
  }

  // The place of a finding: the function that begins there, or is called so.
  look(at) {
    if (this.items[this.shown]?.coverage) {
      this.coverage.look(at);
      return;
    }
    const capture = this.graph.capture;
    const row =
      this.graph.rows.find(
        ({ frame }) =>
          capture.file[frame] === at.file && capture.label[frame] === format.clean(at.function),
      ) ?? this.graph.rows.find(({ frame }) => capture.file[frame] === at.file);
    if (row) {
      this.graph.choose(row.frame);
      byId('graph').scrollIntoView({ block: 'start' });
    }
  }

  show() {
    const { report, before } = this.data;
    const index = this.state.capture < this.items.length ? this.state.capture : 0;
    const item = this.items[index];
    if (this.shown !== index) {
      this.shown = index;
      this.showItems(index);
      const findings = item?.report.findings ?? [];
      showFindings(findings, item?.directory ?? '', (at) => this.look(at));
    }
    const isHeap = item?.part && item.report.tree !== undefined;
    const isLoad = item?.part && isLoadTest(item.report);
    byId('heap').hidden = !isHeap;
    byId('coverage').hidden = !item?.coverage;
    byId('load').hidden = !isLoad;
    byId('part').hidden = !item?.part || isHeap || isLoad;
    if (isLoad) {
      this.graph.hide();
      this.load ??= new Load();
      this.load.show(this.capture(index), item.grown ? before : null);
    } else if (item?.part) {
      this.graph.hide();
      this.showPart(item, isHeap ? this.capture(index) : null);
    } else if (item?.coverage) {
      this.graph.hide();
      this.coverage ??= new Coverage((frame) => this.update({ frame }, true));
      const changes = readCoverageChanges(item.coverage.changes);
      this.coverage.show(this.capture(index), changes, this.state.frame);
    } else if (item) {
      this.graph.show({
        capture: this.capture(index),
        state: this.state,
        stalls: item.report.stalls ?? [],
        reports: { before, after: report },
      });
    }
  }

  // A heap snapshot, or what is but a text.
  showPart({ part, grown }, snapshot) {
    if (snapshot) {
      this.heap ??= new Heap((zoom) => this.update({ zoom }, true));
      this.heap.show(snapshot, this.state.zoom, grown ? this.data.before : null);
    } else {
      byId('part-title').textContent = format.clean(part.name);
      byId('part-view').textContent = part.text.split('\n').map(format.clean).join('\n');
    }
  }
}

function setTheme(wanted) {
  document.documentElement.dataset.theme = wanted;
  byId('theme').setAttribute('aria-pressed', String(wanted === 'dark'));
}

// A page from a disk may have no storage.
function storedTheme(wanted) {
  try {
    if (wanted) {
      localStorage.setItem('sonde-theme', wanted);
    }
    return localStorage.getItem('sonde-theme');
  } catch {
    return null;
  }
}

function startTheme(changed) {
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const system = () => (dark.matches ? 'dark' : 'light');
  setTheme(storedTheme() ?? system());
  dark.addEventListener('change', () => {
    if (!storedTheme()) {
      setTheme(system());
      changed();
    }
  });
  return () => {
    const wanted = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    setTheme(wanted);
    storedTheme(wanted);
    changed();
  };
}

function startKeys(page, toggleTheme) {
  const help = byId('help');
  replace(
    byId('help-keys'),
    ...KEYS.flatMap(([key, text]) => [
      make('dt', {}, make('kbd', { text: key })),
      make('dd', { text }),
    ]),
  );
  const actions = {
    '/': () => byId('search').focus(),
    '?': () => help.showModal(),
    n: () => page.graph.step(1),
    p: () => page.graph.step(-1),
    d: toggleTheme,
    f: () => page.graph.enlarge(),
  };
  document.addEventListener('keydown', (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || help.open;
    if (!typing && !event.ctrlKey && !event.altKey && !event.metaKey && actions[event.key]) {
      event.preventDefault();
      actions[event.key]();
    }
  });
  byId('help-open').addEventListener('click', actions['?']);
  byId('theme').addEventListener('click', toggleTheme);
  byId('skip').addEventListener('click', () => {
    byId('graph-view').querySelector('[tabindex]')?.focus();
  });
}

function start(data) {
  showRun(data.report);
  byId('main').hidden = false;
  let page = null;
  const redraw = () => page?.show();
  const toggleTheme = startTheme(redraw);
  page = new Page(data);
  startKeys(page, toggleTheme);
  page.graph.first = true;
  page.show();
  // The graph is seen before the lists are made.
  requestAnimationFrame(() =>
    setTimeout(() => {
      performance.mark('sonde-painted');
      page.graph.first = false;
      page.show();
      showCost(data.report);
      performance.mark('sonde-drawn');
    }),
  );
  window.addEventListener('popstate', () => page.restore());
  window.addEventListener('resize', redraw);
}

if (typeof document !== 'undefined') {
  readData().then(start, (error) => {
    byId('problem').hidden = false;
    byId('problem').textContent = `This report cannot be shown: ${error.message}`;
  });
}
