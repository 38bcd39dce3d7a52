// SPDX-License-Identifier: Apache-2.0
'use strict';

// Squarified treemap (Bruls, Huizing, van Wijk): items side by side with areas as their values.

function worst(row, side, scale) {
  const sum = row.reduce((all, value) => all + value * scale, 0);
  const most = Math.max(...row) * scale;
  const least = Math.min(...row) * scale;
  return Math.max((side * side * most) / (sum * sum), (sum * sum) / (side * side * least));
}

// Puts one row along the shorter side of what is left of the box; returns the rest.
function placeRow(row, first, box, scale, ret) {
  const sum = row.reduce((all, value) => all + value * scale, 0);
  const across = box.width >= box.height;
  const thick = sum / (across ? box.height : box.width);
  let at = across ? box.y : box.x;
  row.forEach((value, i) => {
    const length = (value * scale) / thick;
    ret.push(
      across
        ? { index: first + i, x: box.x, y: at, width: thick, height: length }
        : { index: first + i, x: at, y: box.y, width: length, height: thick },
    );
    at += length;
  });
  return across
    ? { x: box.x + thick, y: box.y, width: box.width - thick, height: box.height }
    : { x: box.x, y: box.y + thick, width: box.width, height: box.height - thick };
}

// values: positive, largest first. [{index, x, y, width, height}] that fill the box.
function squarify(values, box) {
  const sum = values.reduce((all, value) => all + value, 0);
  const ret = [];
  if (sum <= 0 || box.width <= 0 || box.height <= 0) {
    return ret;
  }
  const scale = (box.width * box.height) / sum;
  let left = box;
  let row = [];
  let first = 0;
  for (let i = 0; i < values.length; i++) {
    const side = Math.min(left.width, left.height);
    const longer = [...row, values[i]];
    if (row.length === 0 || worst(longer, side, scale) <= worst(row, side, scale)) {
      row = longer;
      continue;
    }
    left = placeRow(row, first, left, scale, ret);
    first = i;
    row = [values[i]];
  }
  placeRow(row, first, left, scale, ret);
  return ret;
}

module.exports = { squarify };
