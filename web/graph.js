// SPDX-License-Identifier: Apache-2.0
'use strict';

// A capture with a call tree: its trees, worked out when they are asked for, and the sections that
// show it.

const format = require('./format.js');
const functions = require('./functions.js');
const trees = require('./tree.js');
const { MODES, THEMES, css, painter } = require('./colours.js');
const difference = require('./difference.js');
const { Changes } = require('./comparison.js');
const { FlameView } = require('./flame.js');
const { FunctionTable } = require('./table.js');
const { Timeline } = require('./timeline.js');
const { Tools, showCrumbs, showLegend, showRanks, showViews } = require('./tools.js');
const { byId, make, replace, theme } = require('./dom.js');
const { showDetail } = require('./detail.js');

// What is asked for again with the same values needs no new drawing.
class Seen {
  constructor() {
    this.values = new Map();
  }

  changed(slot, ...values) {
    const before = this.values.get(slot);
    this.values.set(slot, values);
    return !before || values.some((value, i) => value !== before[i]);
  }
}

// The value of the latest key alone is kept.
function latest(work) {
  let key = null;
  let value = null;
  return (next, ...more) => {
    if (next !== key) {
      value = work(...more);
      key = next;
    }
    return value;
  };
}

class Graph {
  // update({state fields}, remember): changes the page's state; announce(text).
  constructor(update, announce) {
    this.update = update;
    this.announce = announce;
    this.seen = new Seen();
    this.selected = -1;
    this.makeTree = latest((capture, options) => trees.merged(capture, options));
    this.makeOrdered = latest((capture, options) => trees.ordered(capture, options));
    this.makeRows = latest((tree) => functions.byFunction(tree));
    this.makeSums = latest((capture, range) => functions.groupSums(capture, range));
    this.makeFound = latest((capture, query) => functions.search(capture, query));
    this.makeSides = latest((tree, frame) => ({
      callers: trees.callers(tree, frame),
      callees: trees.callees(tree, frame),
    }));
    this.makeChanges = latest((capture, options) => {
      const before = difference.sideTree(capture, 'before', options);
      const after = difference.sideTree(capture, 'after', options);
      const known = difference.margins(capture.changes);
      return { before, after, rows: difference.changes(capture, before, after, known) };
    });
    this.makeTotals = latest((capture, tree) => difference.sideTotals(capture, tree));
    this.changes = new Changes((frame) => this.choose(frame));
    this.timeline = new Timeline((range) => update({ range, ...this.zoomedOut() }));
    this.table = new FunctionTable({
      sort: (sort, ascending) => update({ sort, ascending }),
      filter: (filter) => update({ filter }),
      select: (frame) => this.choose(frame),
    });
    this.tools = new Tools({
      search: (search) => update({ search }),
      colour: (colour) => update({ colour }),
      fold: (key) => this.toggle(key),
      reset: () => update({ zoom: 0 }, true),
      large: () => this.enlarge(),
    });
  }

  zoomedOut() {
    return this.state?.view === 'time' ? { zoom: 0 } : {};
  }

  toggle(key) {
    const wanted = key === 'idle' ? 'show' : 'fold';
    this.treat(key, this.state.treatments[key] === wanted ? undefined : wanted);
  }

  treat(key, treatment) {
    const treatments = { ...this.state.treatments };
    const group = this.capture.groups.find((one) => one.key === key);
    const above = group && group.key !== group.category ? treatments[group.category] : undefined;
    const usual = above ?? (key === 'idle' ? 'hide' : 'show');
    if (!treatment || treatment === usual) {
      delete treatments[key];
    } else {
      treatments[key] = treatment;
    }
    this.selected = -1;
    this.update({ treatments, ...this.zoomedOut() });
  }

  enlarge() {
    const large = document.body.classList.toggle('large');
    byId('large').setAttribute('aria-pressed', String(large));
    this.update({});
  }

  // A function was chosen outside of the graph: its largest box is selected and seen.
  choose(frame) {
    const row = this.rows.find((one) => one.frame === frame);
    const changes = { frame };
    if (row && this.state.view === 'flame') {
      this.selected = row.top;
      if (this.flame && !this.flame.isSeen(row.top)) {
        changes.zoom = this.tree.origin[this.tree.parent[row.top]];
      }
    }
    this.update(changes);
    if (row && this.state.view === 'flame') {
      this.flame?.reveal(row.top);
    }
    if (!this.sided) {
      this.table.reveal(frame);
    }
  }

  step(by) {
    const at = this.rows.findIndex((row) => row.frame === this.state.frame);
    const next = this.rows[Math.max(0, Math.min(this.rows.length - 1, at + by))];
    if (next) {
      this.choose(next.frame);
    }
  }

  // what: {capture, state, stalls, reports ({before, after} of a comparison)}
  show({ capture, state, stalls, reports }) {
    if (this.capture !== capture) {
      this.selected = -1;
    }
    this.capture = capture;
    this.state = state;
    const key = JSON.stringify([capture.index, state.range, state.treatments]);
    const options = { range: state.range, treatments: state.treatments };
    this.options = options;
    this.key = key;
    this.reports = reports;
    this.sided = capture.sides ? this.makeChanges(key, capture, options) : null;
    this.colours = this.sided ? ['delta', 'category', 'package'] : ['category', 'package', 'heat'];
    this.colour = this.colours.includes(state.colour) ? state.colour : this.colours[0];
    const before = this.tree;
    this.tree = this.makeTree(key, capture, options);
    if (before !== this.tree && before) {
      this.selected = -1;
    }
    this.whole = this.tree.total[0];
    this.rows = this.makeRows(key, this.tree);
    this.found = state.search
      ? this.makeFound(`${capture.index} ${state.search}`, capture, state.search)
      : null;
    this.showAround(stalls);
    this.showView();
    if (!this.first) {
      this.showLists();
    }
  }

  // Another kind of capture is shown.
  hide() {
    for (const id of ['timeline', 'graph', 'functions', 'detail', 'changes']) {
      byId(id).hidden = true;
    }
    this.seen = new Seen();
  }

  showAround(stalls) {
    const { capture, state } = this;
    const timed = capture.samples && capture.samples.node.length > 0;
    byId('timeline').hidden = !timed;
    const look = `${theme()} ${window.innerWidth}`;
    if (timed && this.seen.changed('timeline', capture, state.range, look)) {
      this.timeline.show(capture, stalls, state.range);
    }
    byId('graph').hidden = false;
    byId('functions').hidden = this.sided !== null;
    byId('changes').hidden = this.sided === null;
    const views = [
      'flame',
      ...(timed ? ['time'] : []),
      ...(this.sided ? ['sides'] : []),
      'sandwich',
    ];
    this.view = views.includes(state.view) ? state.view : 'flame';
    if (this.seen.changed('views', this.view, views.join())) {
      const choose = (view) => {
        this.selected = -1;
        this.update({ view, zoom: 0 }, true);
      };
      showViews(views, this.view, choose, this.sided ? { flame: 'Difference' } : {});
    }
    this.tools.show({
      state,
      share: this.searchShare(),
      colours: this.colours,
      colour: this.colour,
      hasIdle: !this.sided && capture.groups.some((group) => group.category === 'idle'),
    });
    if (this.seen.changed('legend', this.tree, this.colour, theme())) {
      this.paint = this.painter();
      this.legend();
    }
  }

  legend() {
    const { capture, state } = this;
    const key = `${capture.index} ${JSON.stringify(state.range)}`;
    showLegend(
      {
        capture,
        state,
        sums: this.makeSums(key, capture, state.range),
        whole: this.whole,
        paint: this.paint,
        scale: this.scale(),
      },
      (group, treatment) => this.treat(group, treatment),
    );
  }

  searchShare() {
    if (!this.state.search) {
      return '';
    }
    if (!this.found) {
      return 'no valid expression';
    }
    const total = functions.foundTotal(this.tree, this.found);
    return `${format.percent(this.whole > 0 ? total / this.whole : 0)} of ${format.amount(this.whole, this.capture.unit)}`;
  }

  painter() {
    if (this.sided) {
      const byFrame = new Map(this.sided.rows.map((row) => [row.frame, row.total]));
      const most = Math.max(...this.sided.rows.map((row) => Math.abs(row.total)), 0.001);
      return painter(
        this.capture,
        this.colour,
        theme(),
        (frame) => (byFrame.get(frame) ?? 0) / most,
      );
    }
    const hottest = this.rows[0]?.self || 1;
    const selfOf = new Map(this.rows.map((row) => [row.frame, row.self]));
    return painter(
      this.capture,
      this.colour,
      theme(),
      (frame) => (selfOf.get(frame) ?? 0) / hottest,
    );
  }

  // In the difference each box has the colour of its own change, not of its function's.
  boxPainter(tree) {
    if (this.colour !== 'delta') {
      return this.paint;
    }
    const { before, after } = this.makeTotals(this.key, this.capture, tree);
    let most = 0.001;
    for (let i = 1; i < tree.count; i++) {
      most = Math.max(most, Math.abs(after[i] - before[i]));
    }
    return painter(
      this.capture,
      'delta',
      theme(),
      (_frame, node) => (after[node] - before[node]) / most,
    );
  }

  // The words at both ends of a scale of colours; null for colours of kinds.
  scale() {
    const scales = {
      heat: ['little of its own', 'the hottest function', [0, 0.1, 0.4, 1]],
      delta: ['costs less than before', 'costs more', [-1, -0.4, 0, 0.4, 1]],
    };
    const found = scales[this.colour];
    if (!found) {
      return null;
    }
    const [from, to, values] = found;
    const style = THEMES[theme()];
    return [from, to, values.map((value) => css(MODES[this.colour](null, 0, style, value)))];
  }

  cost(value) {
    const share = format.percent(this.whole > 0 ? value / this.whole : 0);
    const { unit } = this.capture;
    return unit === 'share' ? share : `${share} (${format.amount(value, unit)})`;
  }

  // The numbers of a box.
  numbers(tree, node, timed) {
    if (tree === this.tree && this.sided) {
      const { before, after } = this.makeTotals(this.key, this.capture, tree);
      return [
        ['before', format.percent(before[node])],
        ['after', format.percent(after[node])],
        ['change', format.points(after[node] - before[node])],
      ];
    }
    if (timed) {
      return [
        ['lasted', format.time(tree.total[node])],
        ['from', format.time(tree.start[node])],
        ['self', format.time(tree.self[node])],
      ];
    }
    return [
      ['total', this.cost(tree.total[node])],
      ['self', this.cost(tree.self[node])],
    ];
  }

  describer(tree, timed) {
    const { capture } = this;
    return (node) => {
      const frame = tree.frame[node];
      const version = capture.version[frame];
      const rows = this.numbers(tree, node, timed);
      if (tree.hits[node]) {
        rows.push([
          capture.unit === 'bytes' ? 'objects' : 'samples',
          format.count(tree.hits[node]),
        ]);
      }
      if (capture.package[frame]) {
        rows.push(['package', `${capture.package[frame]}${version ? `@${version}` : ''}`]);
      }
      const isRoot = frame === capture.nodes.frame[0];
      return {
        title: isRoot ? 'All' : capture.label[frame],
        place: isRoot ? '' : capture.place[frame],
        rows,
      };
    };
  }

  // zoomTo(node): what changes in the page's state.
  listeners(tree, zoomTo, timed = false) {
    return {
      zoom: (node) => {
        this.selected = node;
        this.update({ ...zoomTo(node), ...this.looked(tree.frame[node]) }, true);
      },
      select: (node) => {
        this.selected = node;
        this.update(this.looked(tree.frame[node]));
      },
      open: (node) => {
        if (tree.frame[node] !== this.capture.nodes.frame[0]) {
          this.sandwich(tree.frame[node]);
        }
      },
      describe: this.describer(tree, timed),
      announce: this.announce,
    };
  }

  looked(frame) {
    return { frame: frame === this.capture.nodes.frame[0] ? -1 : frame };
  }

  sandwich(frame) {
    this.selected = -1;
    this.update({ view: 'sandwich', frame, zoom: 0 }, true);
    this.announce(`Callers and callees of ${this.capture.label[frame]}`);
  }

  // The view is made anew when its place is; its listeners with each tree.
  flameView(slot, parent, options) {
    if (this[slot]?.scroll.parentNode !== parent) {
      this[slot] = new FlameView(parent, options);
    }
    this[slot].on = options.on;
    this[slot].scroll.setAttribute('aria-label', options.label);
    return this[slot];
  }

  showView() {
    const holder = byId('graph-view');
    if (holder.dataset.view !== this.view) {
      holder.dataset.view = this.view;
      replace(holder, make('div', { id: 'flame' }));
    }
    byId('crumbs').hidden = this.view === 'sandwich';
    if (!(this.whole > 0)) {
      holder.dataset.view = 'none';
      replace(holder, make('p', { class: 'note', text: 'Nothing was measured here.' }));
      return;
    }
    if (this.view === 'sandwich') {
      this.showSandwich(holder);
    } else if (this.view === 'sides') {
      this.showSides(holder);
    } else if (this.view === 'time') {
      this.showOrdered();
    } else {
      this.showFlame();
    }
  }

  showFlame() {
    const { tree, state } = this;
    const known = tree.nodeOf[state.zoom] ?? trees.NONE;
    const focus = known === trees.NONE ? 0 : known;
    const on = this.listeners(tree, (node) => ({ zoom: tree.origin[node] }));
    const label = 'Flame graph, heaviest first';
    const view = this.flameView('flame', byId('flame'), { label, on });
    this.draw(view, tree, focus, this.selected, this.boxPainter(tree));
  }

  showOrdered() {
    const tree = this.makeOrdered(this.key, this.capture, this.options);
    const focus = this.state.zoom < tree.count ? this.state.zoom : 0;
    const on = this.listeners(tree, (node) => ({ zoom: node }), true);
    const label = 'Flame graph in order of time';
    this.draw(this.flameView('flame', byId('flame'), { label, on }), tree, focus);
  }

  draw(view, tree, focus, selected = this.selected, paint = this.paint) {
    view.show({
      capture: this.capture,
      tree,
      focus,
      selected: selected < tree.count ? selected : -1,
      found: this.found,
      paint,
      rootLabel: 'All',
    });
    showCrumbs(this.capture, tree, focus, view.on.zoom);
  }

  // Both runs, each as wide as its own busy time; zoomed together.
  showSides(holder) {
    if (!byId('side-before')) {
      const side = (word) => [
        make('h3', { text: word }),
        make('div', { id: `side-${word.toLowerCase()}` }),
      ];
      replace(
        holder,
        make(
          'div',
          { class: 'pair' },
          make('div', {}, ...side('Before')),
          make('div', {}, ...side('After')),
        ),
      );
    }
    for (const side of ['before', 'after']) {
      const tree = this.sided[side];
      const known = tree.nodeOf[this.state.zoom] ?? trees.NONE;
      const on = this.listeners(tree, (node) => ({ zoom: tree.origin[node] }));
      const view = this.flameView(`${side}View`, byId(`side-${side}`), {
        label: `Flame graph, ${side}`,
        on,
      });
      const own = tree.nodeOf[this.sideSelected] ?? -1;
      on.zoom = (node) => {
        this.sideSelected = tree.origin[node];
        this.update({ zoom: tree.origin[node], ...this.looked(tree.frame[node]) }, true);
      };
      on.select = (node) => {
        this.sideSelected = tree.origin[node];
        this.update(this.looked(tree.frame[node]));
      };
      this.draw(view, tree, known === trees.NONE ? 0 : known, own);
    }
  }

  showSandwich(holder) {
    const { state, capture } = this;
    const row = this.rows.find((one) => one.frame === state.frame) ?? this.rows[0];
    if (!row) {
      replace(holder, make('p', { class: 'note', text: 'There is no function to show.' }));
      return;
    }
    const sides = this.makeSides(`${this.key} ${row.frame}`, this.tree, row.frame);
    if (!byId('callers')) {
      replace(
        holder,
        make('h3', { id: 'callers-title' }),
        make('div', { id: 'callers' }),
        make('h3', { id: 'callees-title' }),
        make('div', { id: 'callees' }),
      );
    }
    byId('callers-title').textContent = `Callers of ${capture.label[row.frame]}`;
    byId('callees-title').textContent = `What ${capture.label[row.frame]} calls`;
    this.showSide('callers', sides.callers, true);
    this.showSide('callees', sides.callees, false);
  }

  showSide(slot, tree, up) {
    const zooms = this[`${slot}Zoom`];
    const focus = zooms?.tree === tree ? zooms.node : 0;
    const zoom = (node) => {
      this[`${slot}Zoom`] = { tree, node };
      this.showView();
    };
    const on = this.listeners(tree, () => ({}));
    const view = this.flameView(slot, byId(slot), {
      label: up ? 'Callers' : 'Callees',
      up,
      on: { ...on, zoom, select: (node) => this.selectIn(slot, tree, node) },
    });
    const chosen = this[`${slot}Selected`];
    view.show({
      capture: this.capture,
      tree,
      focus,
      selected: chosen?.tree === tree ? chosen.node : -1,
      found: this.found,
      paint: this.paint,
    });
  }

  selectIn(slot, tree, node) {
    this[`${slot}Selected`] = { tree, node };
    this.showView();
  }

  showLists() {
    const { capture, state, rows, whole, tree } = this;
    if (this.sided) {
      if (this.seen.changed('changes', this.sided)) {
        this.changes.show(capture, this.sided.rows, this.reports);
      }
      byId('detail').hidden = true;
      return;
    }
    const sorted = this.seen.changed('table', rows, state.sort, state.ascending, state.filter);
    if (sorted) {
      this.table.show({ capture, rows, whole, state });
    }
    if (!this.seen.changed('detail', rows, state.frame)) {
      return;
    }
    if (!sorted) {
      this.table.mark(state.frame);
    }
    showRanks(rows, state.frame, (frame) => this.choose(frame));
    showDetail(
      {
        capture,
        tree,
        row: rows.find((one) => one.frame === state.frame) ?? null,
        whole,
        range: state.range,
      },
      {
        select: (frame) => this.choose(frame),
        sandwich: (frame) => this.sandwich(frame),
        zoom: (node) => {
          this.selected = node;
          this.update({ view: 'flame', zoom: tree.origin[node] }, true);
          byId('graph').scrollIntoView({ block: 'start' });
        },
      },
    );
  }
}

module.exports = { Graph };
