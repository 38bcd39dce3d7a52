// SPDX-License-Identifier: Apache-2.0
'use strict';

// The capture cut into equal stretches of time: how much of each was spent in what.

// {categories, sums: [Float64Array of shares by stretch, one for each category]}: shares of the
// stretch's time; what is missing to 1 was idle.
function timeBins(capture, count) {
  const { node, start } = capture.samples;
  const end = start[start.length - 1];
  const categories = [...new Set(capture.category)].filter((name) => name !== 'idle');
  const column = new Map(categories.map((name, i) => [name, i]));
  const sums = categories.map(() => new Float64Array(count));
  const width = end / count;
  for (let i = 0; i < node.length && width > 0; i++) {
    const row = sums[column.get(capture.category[capture.nodes.frame[node[i]]])];
    if (!row) {
      continue;
    }
    const last = Math.min(count - 1, Math.floor(start[i + 1] / width));
    for (let bin = Math.floor(start[i] / width); bin <= last; bin++) {
      const inside = Math.min(start[i + 1], (bin + 1) * width) - Math.max(start[i], bin * width);
      row[bin] += Math.max(0, inside) / width;
    }
  }
  return { categories, sums, end };
}

module.exports = { timeBins };
