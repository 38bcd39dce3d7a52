// SPDX-License-Identifier: Apache-2.0
'use strict';

// Sums by function, search and ranks over a call tree.

const { topmost, weights } = require('./tree.js');

// [{frame, self, total, hits, nodes, top}]: recursion is not counted twice; `top` is its node that
// took most.
function byFunction(tree) {
  const rows = new Map();
  const onPath = new Map();
  const row = (frame) => {
    let found = rows.get(frame);
    if (!found) {
      found = { frame, self: 0, total: 0, hits: 0, nodes: 0, top: 0, largest: -1 };
      rows.set(frame, found);
    }
    return found;
  };
  // Down to a node, then out of it again: out is written as its complement.
  const steps = tree.count ? [0] : [];
  while (steps.length) {
    const step = steps.pop();
    if (step < 0) {
      const frame = tree.frame[~step];
      onPath.set(frame, onPath.get(frame) - 1);
      continue;
    }
    const own = row(tree.frame[step]);
    const above = onPath.get(own.frame) ?? 0;
    onPath.set(own.frame, above + 1);
    own.self += tree.self[step];
    own.hits += tree.hits[step];
    own.total += above === 0 ? tree.total[step] : 0;
    own.nodes += 1;
    if (tree.total[step] > own.largest) {
      own.largest = tree.total[step];
      own.top = step;
    }
    steps.push(~step);
    for (let k = tree.childFrom[step]; k < tree.childFrom[step + 1]; k++) {
      steps.push(tree.children[k]);
    }
  }
  rows.delete(tree.frame[0]);
  return [...rows.values()].sort((a, b) => b.self - a.self || b.total - a.total);
}

// The query as a test of text: /…/ is a regular expression, anything else a part of it.
function matcher(query) {
  const pattern = /^\/(.+)\/([iu]*)$/.exec(query);
  if (pattern) {
    try {
      const expression = new RegExp(pattern[1], pattern[2]);
      return (text) => expression.test(text);
    } catch {
      return null;
    }
  }
  const wanted = query.toLowerCase();
  return (text) => text.toLowerCase().includes(wanted);
}

// By frame 1 or 0; null when the query is no regular expression.
function search(capture, query) {
  const test = matcher(query);
  if (!test) {
    return null;
  }
  return Uint8Array.from(capture.label, (label, i) =>
    test(label) || test(capture.place[i]) || (capture.package[i] && test(capture.package[i]))
      ? 1
      : 0,
  );
}

// How much of the tree lies in or below what was found.
function foundTotal(tree, found) {
  return topmost(tree, (frame) => found[frame] === 1).reduce(
    (sum, node) => sum + tree.total[node],
    0,
  );
}

const COLUMNS = {
  function: (capture, row) => capture.label[row.frame].toLowerCase(),
  self: (_capture, row) => row.self,
  total: (_capture, row) => row.total,
  samples: (_capture, row) => row.hits,
  place: (capture, row) => capture.place[row.frame].toLowerCase(),
  category: (capture, row) => capture.category[row.frame],
  package: (capture, row) => capture.package[row.frame].toLowerCase(),
};

function sortRows(capture, rows, column, descending) {
  const value = COLUMNS[column] ?? COLUMNS.self;
  const sign = descending ? -1 : 1;
  return rows
    .map((row) => [value(capture, row), row])
    .sort(([a, left], [b, right]) => {
      if (a === b) {
        return right.self - left.self || left.frame - right.frame;
      }
      return (a < b ? -1 : 1) * sign;
    })
    .map(([, row]) => row);
}

// filter: {text, category, package}; empty ones let everything through.
function filterRows(capture, rows, filter) {
  const test = filter.text ? matcher(filter.text) : () => true;
  return rows.filter(
    ({ frame }) =>
      (!filter.category || capture.category[frame] === filter.category) &&
      (!filter.package || capture.package[frame] === filter.package) &&
      test &&
      (test(capture.label[frame]) || test(capture.place[frame])),
  );
}

// What each group took itself, whatever is folded or hidden: by key, and by category.
function groupSums(capture, range) {
  const { self } = weights(capture, range);
  const sums = new Map();
  const add = (key, value) => sums.set(key, (sums.get(key) ?? 0) + value);
  for (let i = 1; i < capture.nodeCount; i++) {
    if (self[i] > 0) {
      const group = capture.groups[capture.groupOf[capture.nodes.frame[i]] - capture.frameCount];
      add(group.key, self[i]);
      if (group.key !== group.category) {
        add(group.category, self[i]);
      }
    }
  }
  return sums;
}

// Whom a function is called by, or whom it calls: the first level of callers() or callees().
function neighbours(tree) {
  const rows = [];
  for (let k = tree.childFrom[0]; k < tree.childFrom[1]; k++) {
    const node = tree.children[k];
    rows.push({ frame: tree.frame[node], total: tree.total[node] });
  }
  return rows;
}

module.exports = {
  COLUMNS,
  byFunction,
  filterRows,
  foundTotal,
  groupSums,
  neighbours,
  search,
  sortRows,
};
