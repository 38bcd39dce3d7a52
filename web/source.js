// SPDX-License-Identifier: Apache-2.0
'use strict';

const { clean } = require('./format.js');

const AROUND = 2; // lines shown beside one with samples
const ROWS_MAX = 200;

// Tabs stay; what is hidden is shown.
function cleanLine(text) {
  return text.split('\t').map(clean).join('\t');
}

// The lines of a function with their samples, and with their text where it is known:
// {rows: [{line, ticks, share, text}], hasText}.
function sourceRows(capture, frame) {
  const ticks = new Map((capture.lines.get(frame) ?? []).map((row) => [row.line, row.ticks]));
  ticks.delete(0);
  const all = [...ticks.values()].reduce((sum, value) => sum + value, 0);
  const texts = capture.sources.get(capture.file[frame]) ?? new Map();
  const wanted = new Set(ticks.keys());
  if (texts.size > 0) {
    const begin = capture.line[frame];
    for (const line of [begin, ...ticks.keys()]) {
      for (let near = Math.max(1, line - AROUND); near <= line + AROUND; near++) {
        if (texts.has(near)) {
          wanted.add(near);
        }
      }
    }
  }
  const rows = [...wanted]
    .sort((a, b) => a - b)
    .slice(0, ROWS_MAX)
    .map((line) => ({
      line,
      ticks: ticks.get(line) ?? 0,
      share: all > 0 ? (ticks.get(line) ?? 0) / all : 0,
      text: cleanLine(texts.get(line) ?? ''),
    }));
  return { rows, hasText: rows.some((row) => row.text !== '') };
}

module.exports = { cleanLine, sourceRows };
