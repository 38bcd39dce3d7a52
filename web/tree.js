// SPDX-License-Identifier: Apache-2.0
'use strict';

// Call trees as columns, parents before children: `start` and `total` say where a box stands in the
// unit of the capture, `children` from childFrom[node] to childFrom[node + 1].

const NONE = 0xffffffff;
const HIDE = -1; // its cost goes to its caller
const EXCLUDE = -2; // it is not counted at all
const BOXES_MAX = 4e6; // of the tree in order of time

// frame → itself, the frame of its group, HIDE or EXCLUDE. treatments: {group or category: 'show',
// 'fold', 'hide'}; idle time is left out unless it is shown.
function frameTargets(capture, treatments) {
  const targets = new Int32Array(capture.frameCount);
  let merges = false;
  const byGroup = capture.groups.map((group) => {
    const wanted = treatments[group.key] ?? treatments[group.category];
    return wanted ?? (group.category === 'idle' ? 'hide' : 'show');
  });
  for (let i = 0; i < capture.frameCount; i++) {
    const group = capture.groupOf[i] - capture.frameCount;
    const wanted = byGroup[group];
    const hidden = capture.groups[group].category === 'idle' ? EXCLUDE : HIDE;
    targets[i] = wanted === 'fold' ? capture.groupOf[i] : wanted === 'hide' ? hidden : i;
    merges = merges || wanted === 'fold' || (wanted === 'hide' && hidden === HIDE);
  }
  return { targets, merges };
}

// What each node itself took, within [from, to) of the samples or at all.
function weights(capture, range) {
  const { self, hits } = capture.nodes;
  if (!range || !capture.samples) {
    return { self, hits };
  }
  const { node, start } = capture.samples;
  const result = {
    self: new Float64Array(capture.nodeCount),
    hits: new Uint32Array(capture.nodeCount),
  };
  for (let i = 0; i < node.length; i++) {
    const share = Math.min(start[i + 1], range.to) - Math.max(start[i], range.from);
    if (share > 0) {
      result.self[node[i]] += share;
      result.hits[node[i]] += 1;
    }
  }
  return result;
}

function sumUp(parent, self) {
  const total = Float64Array.from(self);
  for (let i = total.length - 1; i > 0; i--) {
    total[parent[i]] += total[i];
  }
  return total;
}

// Adds depth and children; sorted by what they took when `heavy`, else as they are.
function linkUp(tree, heavy) {
  const { parent, total } = tree;
  const count = parent.length;
  tree.count = count;
  tree.depth = new Uint32Array(count);
  tree.childFrom = new Uint32Array(count + 1);
  for (let i = 1; i < count; i++) {
    tree.depth[i] = tree.depth[parent[i]] + 1;
    tree.childFrom[parent[i] + 1] += 1;
  }
  for (let i = 0; i < count; i++) {
    tree.childFrom[i + 1] += tree.childFrom[i];
  }
  const next = tree.childFrom.slice();
  tree.children = new Uint32Array(count > 0 ? count - 1 : 0);
  for (let i = 1; i < count; i++) {
    tree.children[next[parent[i]]++] = i;
  }
  for (let i = 0; i < count && heavy; i++) {
    if (tree.childFrom[i + 1] - tree.childFrom[i] > 1) {
      tree.children
        .subarray(tree.childFrom[i], tree.childFrom[i + 1])
        .sort((a, b) => total[b] - total[a] || a - b);
    }
  }
  return tree;
}

// Siblings side by side, from the left edge of their parent.
function placeHeavy(tree) {
  tree.start = new Float64Array(tree.count);
  for (let i = 0; i < tree.count; i++) {
    let at = tree.start[i];
    for (let k = tree.childFrom[i]; k < tree.childFrom[i + 1]; k++) {
      tree.start[tree.children[k]] = at;
      at += tree.total[tree.children[k]];
    }
  }
  return tree;
}

// A tree that grows: equal frames under one parent are one node.
class Growing {
  constructor(rootFrame) {
    this.index = new Map();
    this.frame = [rootFrame];
    this.parent = [0];
    this.self = [0];
    this.hits = [0];
  }

  // Keys are exact up to 2^53: a million nodes times a million frames are fewer.
  child(parent, frame) {
    const key = parent * 0x200000 + frame;
    let node = this.index.get(key);
    if (node === undefined) {
      node = this.append(parent, frame);
      this.index.set(key, node);
    }
    return node;
  }

  append(parent, frame) {
    this.frame.push(frame);
    this.parent.push(parent);
    this.self.push(0);
    this.hits.push(0);
    return this.frame.length - 1;
  }

  add(node, self, hits) {
    this.self[node] += self;
    this.hits[node] += hits;
  }

  finish() {
    const tree = {
      frame: Uint32Array.from(this.frame),
      parent: Uint32Array.from(this.parent),
      self: Float64Array.from(this.self),
      hits: Uint32Array.from(this.hits),
    };
    tree.total = sumUp(tree.parent, tree.self);
    return placeHeavy(linkUp(tree, true));
  }
}

// The merged tree, heaviest first. options: {range: {from, to} or null, treatments}.
// `nodeOf[profile node]` is its node here, NONE when it is not shown; `origin` is the way back.
function merged(capture, options) {
  const { targets, merges } = frameTargets(capture, options.treatments);
  const { frame, parent } = capture.nodes;
  const { self, hits } = weights(capture, options.range);
  const total = sumUp(parent, self);
  const growing = new Growing(frame[0]);
  const nodeOf = new Uint32Array(capture.nodeCount).fill(NONE);
  const origin = [0];
  nodeOf[0] = 0;
  for (let i = 1; i < capture.nodeCount; i++) {
    const above = nodeOf[parent[i]];
    const target = targets[frame[i]];
    if (above === NONE || target === EXCLUDE || total[i] <= 0) {
      continue;
    }
    const folded = target >= capture.frameCount && growing.frame[above] === target;
    if (target === HIDE || folded) {
      nodeOf[i] = above;
    } else {
      nodeOf[i] = merges ? growing.child(above, target) : growing.append(above, target);
    }
    origin[nodeOf[i]] ??= i;
    growing.add(nodeOf[i], self[i], hits[i]);
  }
  const tree = growing.finish();
  tree.nodeOf = nodeOf;
  tree.origin = origin;
  return tree;
}

// The frames from the root to a profile node, as they are shown; false when it is left out.
function shownPath(capture, targets, node, ret) {
  ret.length = 0;
  for (let at = node; at !== 0; at = capture.nodes.parent[at]) {
    const target = targets[capture.nodes.frame[at]];
    if (target === EXCLUDE) {
      ret.length = 0;
      return false;
    }
    const folded = target >= capture.frameCount && ret[ret.length - 1] === target;
    if (target !== HIDE && !folded) {
      ret.push(target);
    }
  }
  ret.reverse();
  return true;
}

// The tree in order of time: a box is a stretch in which a frame stayed on the stack.
function ordered(capture, options) {
  const { targets } = frameTargets(capture, options.treatments);
  const { node, start } = capture.samples;
  const from = options.range?.from ?? 0;
  const to = options.range?.to ?? start[start.length - 1];
  const growing = new Growing(capture.nodes.frame[0]);
  const begin = [from];
  const end = [to];
  const open = [];
  const path = [];
  let last = NONE;
  for (let i = 0; i < node.length && growing.frame.length < BOXES_MAX; i++) {
    const a = Math.max(start[i], from);
    const b = Math.min(start[i + 1], to);
    if (b <= a) {
      continue;
    }
    if (node[i] !== last) {
      last = node[i];
      shownPath(capture, targets, node[i], path);
      let same = 0;
      while (same < open.length && same < path.length && growing.frame[open[same]] === path[same]) {
        same += 1;
      }
      open.length = same;
      for (let k = same; k < path.length; k++) {
        open.push(growing.append(k ? open[k - 1] : 0, path[k]));
        begin.push(a);
        end.push(a);
      }
    }
    for (const box of open) {
      end[box] = b;
    }
    growing.add(open.length ? open[open.length - 1] : 0, b - a, 1);
  }
  const tree = {
    frame: Uint32Array.from(growing.frame),
    parent: Uint32Array.from(growing.parent),
    self: Float64Array.from(growing.self),
    hits: Uint32Array.from(growing.hits),
    start: Float64Array.from(begin),
    total: Float64Array.from(end, (value, i) => value - begin[i]),
  };
  return linkUp(tree, false);
}

// Nodes of a frame that have none of it above them: recursion counts once.
function topmost(tree, matches) {
  const covered = new Uint8Array(tree.count);
  const found = [];
  for (let i = 0; i < tree.count; i++) {
    const own = matches(tree.frame[i]);
    covered[i] = own || (i > 0 && covered[tree.parent[i]]) ? 1 : 0;
    if (own && (i === 0 || !covered[tree.parent[i]])) {
      found.push(i);
    }
  }
  return found;
}

// All that a function calls, merged: its frame is the root.
function callees(tree, frame) {
  const growing = new Growing(frame);
  const copy = new Uint32Array(tree.count).fill(NONE);
  for (const node of topmost(tree, (other) => other === frame)) {
    copy[node] = 0;
  }
  for (let i = 0; i < tree.count; i++) {
    if (copy[i] === NONE && i > 0 && copy[tree.parent[i]] !== NONE) {
      copy[i] = growing.child(copy[tree.parent[i]], tree.frame[i]);
    }
    if (copy[i] !== NONE) {
      growing.add(copy[i], tree.self[i], tree.hits[i]);
    }
  }
  return growing.finish();
}

// All that call a function, merged: its frame is the root, its callers are the children.
function callers(tree, frame) {
  const growing = new Growing(frame);
  for (const node of topmost(tree, (other) => other === frame)) {
    let at = 0;
    for (let above = tree.parent[node]; above !== 0; above = tree.parent[above]) {
      at = growing.child(at, tree.frame[above]);
    }
    growing.add(at, tree.total[node], 0);
  }
  return growing.finish();
}

module.exports = { NONE, callees, callers, merged, ordered, topmost, weights };
