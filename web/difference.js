// SPDX-License-Identifier: Apache-2.0
'use strict';

// Two captures of one kind → one with the shares of both, as far as they are not idle.

const trees = require('./tree.js');
const { addGroups } = require('./capture.js');
const { byFunction } = require('./functions.js');

// What makes two frames of different runs the same function, as docs/compare.md has it: lines move
// from one version to the next.
function identity(capture, frame) {
  return `${capture.label[frame]}\n${capture.relative[frame]}\n${capture.category[frame]}`;
}

const COLUMNS = ['label', 'file', 'relative', 'line', 'place', 'category', 'package', 'version'];

function busy(capture) {
  let sum = 0;
  for (let i = 0; i < capture.nodeCount; i++) {
    sum += capture.category[capture.nodes.frame[i]] === 'idle' ? 0 : capture.nodes.self[i];
  }
  return sum || 1;
}

class Union {
  constructor() {
    this.frames = new Map();
    this.nodes = new Map();
    this.capture = {
      ...Object.fromEntries(COLUMNS.map((column) => [column, []])),
      lines: new Map(),
      sources: new Map(),
    };
    this.frame = [];
    this.parent = [];
    this.sides = { before: [], after: [] };
  }

  frameOf(capture, frame) {
    const key = identity(capture, frame);
    let own = this.frames.get(key);
    if (own === undefined) {
      own = this.capture.label.length;
      this.frames.set(key, own);
      for (const column of COLUMNS) {
        this.capture[column].push(capture[column][frame]);
      }
    }
    return own;
  }

  nodeOf(parent, frame) {
    const key = parent * 0x200000 + frame;
    let node = this.nodes.get(key);
    if (node === undefined) {
      node = this.frame.push(frame) - 1;
      this.nodes.set(key, node);
      this.parent.push(Math.max(0, parent));
      this.sides.before.push(0);
      this.sides.after.push(0);
    }
    return node;
  }

  add(capture, side) {
    const whole = busy(capture);
    const frames = Array.from({ length: capture.frameCount }, (_, i) => this.frameOf(capture, i));
    const own = new Uint32Array(capture.nodeCount);
    for (let i = 0; i < capture.nodeCount; i++) {
      const frame = capture.nodes.frame[i];
      own[i] = this.nodeOf(i === 0 ? -1 : own[capture.nodes.parent[i]], frames[frame]);
      if (capture.category[frame] !== 'idle') {
        this.sides[side][own[i]] += capture.nodes.self[i] / whole;
      }
    }
  }
}

// A capture of shares: `self` is the mean of both, so that widths add up and show what vanished and
// what is new; `sides` has each by itself. Later columns of a frame are those of `after`.
function unite(before, after) {
  const union = new Union();
  union.add(after, 'after');
  union.add(before, 'before');
  const { capture } = union;
  const sides = {
    before: Float64Array.from(union.sides.before),
    after: Float64Array.from(union.sides.after),
  };
  capture.kind = 'comparison';
  capture.unit = 'share';
  capture.name = after.name;
  capture.sides = sides;
  capture.samples = null;
  capture.frameCount = capture.label.length;
  capture.groupOf = new Uint32Array(capture.frameCount);
  capture.nodeCount = union.frame.length;
  capture.nodes = {
    frame: Uint32Array.from(union.frame),
    parent: Uint32Array.from(union.parent),
    self: sides.after.map((share, i) => (share + sides.before[i]) / 2),
    hits: new Uint32Array(capture.nodeCount),
  };
  addGroups(capture);
  return capture;
}

// The tree of one side alone.
function sideTree(capture, side, options) {
  const nodes = { ...capture.nodes, self: capture.sides[side] };
  return trees.merged({ ...capture, nodes }, options);
}

// What each node of a merged tree has on both sides: {before, after}, with all below it.
function sideTotals(capture, tree) {
  const totals = {};
  for (const [side, self] of Object.entries(capture.sides)) {
    const total = new Float64Array(tree.count);
    for (let i = 0; i < capture.nodeCount; i++) {
      if (tree.nodeOf[i] !== trees.NONE) {
        total[tree.nodeOf[i]] += self[i];
      }
    }
    for (let i = tree.count - 1; i > 0; i--) {
      total[tree.parent[i]] += total[i];
    }
    totals[side] = total;
  }
  return totals;
}

// How sure the changes are, by function: from the comparison that the program made of the windows
// of both runs (docs/compare.md), if there is one.
function margins(comparison) {
  const found = new Map();
  for (const one of comparison?.functions ?? []) {
    const self = one.self.shareMargin ?? null;
    const total = one.total.shareMargin ?? null;
    found.set(`${one.function || '(anonymous)'}\n${one.file}`, { self, total });
  }
  return found;
}

// By function: {frame, before: {self, total}, after: {self, total}, self, total (the deltas),
// margin: {self, total} (null: unknown), status: 'new', 'vanished' or ''}, the largest change of its
// own cost first.
function changes(capture, before, after, known) {
  const unknown = { self: null, total: null };
  const rows = new Map();
  const nothing = { self: 0, total: 0 };
  const take = (tree, side) => {
    for (const { frame, self, total } of byFunction(tree)) {
      const row = rows.get(frame) ?? { frame, before: nothing, after: nothing };
      row[side] = { self, total };
      rows.set(frame, row);
    }
  };
  take(before, 'before');
  take(after, 'after');
  for (const row of rows.values()) {
    row.self = row.after.self - row.before.self;
    row.total = row.after.total - row.before.total;
    const place = `${capture.label[row.frame]}\n${capture.relative[row.frame]}`;
    row.margin = known.get(place) ?? unknown;
    row.status = row.before.total === 0 ? 'new' : row.after.total === 0 ? 'vanished' : '';
  }
  return [...rows.values()].sort(
    (a, b) =>
      Math.abs(b.self) - Math.abs(a.self) ||
      Math.abs(b.total) - Math.abs(a.total) ||
      a.frame - b.frame,
  );
}

module.exports = { changes, margins, sideTotals, sideTree, unite };
