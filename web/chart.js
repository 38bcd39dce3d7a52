// SPDX-License-Identifier: Apache-2.0
'use strict';

// Where values stand in a chart, and which marks an axis has.

// Digits of a share: 0 → 0, 90 % → 1, 99 % → 2. Of all it has no end.
const nines = (share) => -Math.log10(1 - share);

// Maps a range to another one, in a straight line.
function linear([low, high], [from, to]) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

// The same of orders of magnitude. What is not above 0 stands at the low end.
function logarithmic([low, high], place) {
  const scale = linear([Math.log10(low), Math.log10(high)], place);
  return (value) => scale(Math.log10(Math.max(value, low)));
}

// A range of orders of magnitude around the values that are above 0: from a mark of the axis to one.
function logarithmicRange(values) {
  const real = values.filter((value) => value > 0);
  if (real.length === 0) {
    return [1, 10];
  }
  const low = decadeMark(
    real.reduce((a, b) => Math.min(a, b)),
    Math.floor,
  );
  const high = decadeMark(
    real.reduce((a, b) => Math.max(a, b)),
    Math.ceil,
  );
  return [low, high > low ? high : low * 10];
}

// The mark 1, 2 or 5 × 10ⁿ at a value, or beside it.
function decadeMark(value, round) {
  const decade = 10 ** Math.floor(Math.log10(value));
  const marks = [1, 2, 5, 10].map((step) => step * decade);
  return round === Math.floor
    ? marks.filter((mark) => mark <= value * (1 + 1e-9)).at(-1)
    : marks.find((mark) => mark >= value * (1 - 1e-9));
}

// Marks of an axis of orders of magnitude: 1, 2 and 5 of each while there is room for them.
function logarithmicMarks([low, high], most = 12) {
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const marks = [];
    for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
      marks.push(...steps.map((step) => step * decade));
    }
    const shown = marks.filter((mark) => mark >= low * 0.999 && mark <= high * 1.001);
    if (shown.length <= most) {
      return shown;
    }
  }
  return [low, high];
}

// Marks from 0 to at least the highest value, at 1, 2 or 5 × 10ⁿ.
function linearMarks(high, most = 5) {
  if (!(high > 0)) {
    return [0, 1];
  }
  const step = decadeMark(high / most, Math.ceil);
  const count = Math.ceil(high / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

// An SVG path through the points; null: a gap.
function path(points) {
  let text = '';
  let gap = true;
  for (const point of points) {
    if (point) {
      text += `${gap ? 'M' : 'L'}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    }
    gap = !point;
  }
  return text;
}

// The index of the value that is nearest, of ascending ones.
function nearest(values, wanted) {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low > 0 && wanted - values[low - 1] <= values[low] - wanted ? low - 1 : low;
}

module.exports = {
  linear,
  linearMarks,
  logarithmic,
  logarithmicMarks,
  logarithmicRange,
  nearest,
  nines,
  path,
};
