// SPDX-License-Identifier: Apache-2.0
'use strict';

// Which boxes of a tree are seen at a width, row by row.

// The boxes below and at `focus` that are at least `least` pixels wide: {nodes, rows, from, scale},
// those of row r (0: that of the focus) at nodes[rows[r]] to nodes[rows[r + 1]], left to right.
function visible(tree, focus, width, least) {
  const scale = tree.total[focus] > 0 ? width / tree.total[focus] : 0;
  const smallest = scale > 0 ? least / scale : Number.POSITIVE_INFINITY;
  const nodes = [focus];
  const rows = [0];
  let end = 1;
  for (let i = 0; i < nodes.length; i++) {
    if (i === end) {
      rows.push(i);
      end = nodes.length;
    }
    const node = nodes[i];
    for (let k = tree.childFrom[node]; k < tree.childFrom[node + 1]; k++) {
      if (tree.total[tree.children[k]] >= smallest) {
        nodes.push(tree.children[k]);
      }
    }
  }
  rows.push(nodes.length);
  return { nodes: Uint32Array.from(nodes), rows, from: tree.start[focus], scale };
}

// The box of a row at a pixel, or -1.
function boxAt(tree, shown, row, x) {
  if (row < 0 || row + 1 >= shown.rows.length || shown.scale === 0) {
    return -1;
  }
  const value = shown.from + x / shown.scale;
  let low = shown.rows[row];
  let high = shown.rows[row + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tree.start[shown.nodes[middle]] <= value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const node = low > shown.rows[row] ? shown.nodes[low - 1] : -1;
  return node >= 0 && value < tree.start[node] + tree.total[node] ? node : -1;
}

// From the root to a node.
function pathTo(tree, node) {
  const path = [node];
  for (let at = node; at !== 0; at = tree.parent[at]) {
    path.push(tree.parent[at]);
  }
  return path.reverse();
}

// Where an arrow key leads from a node; itself when there is nothing.
function neighbour(tree, node, key) {
  if (key === 'ArrowUp') {
    return tree.parent[node];
  }
  if (key === 'ArrowDown') {
    let best = node;
    for (let k = tree.childFrom[node]; k < tree.childFrom[node + 1]; k++) {
      const child = tree.children[k];
      best = best === node || tree.total[child] > tree.total[best] ? child : best;
    }
    return best;
  }
  const above = tree.parent[node];
  const from = tree.childFrom[above];
  const at = tree.children.indexOf(node, from);
  const next = at + (key === 'ArrowRight' ? 1 : -1);
  return node !== 0 && next >= from && next < tree.childFrom[above + 1]
    ? tree.children[next]
    : node;
}

module.exports = { boxAt, neighbour, pathTo, visible };
