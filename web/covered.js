// SPDX-License-Identifier: Apache-2.0
'use strict';

// Coverage of the report → rows for the views.

const { clean, place, shorten } = require('./format.js');
const { cleanLine } = require('./source.js');

// Of a source line: `least` and `most` are how often its code ran; -1: it has none.
function lineState(least, most) {
  if (most < 0) {
    return '';
  }
  return most === 0 ? 'never' : least === 0 ? 'partly' : 'ran';
}

// {first, rows: [{line, text, runs, state}]} of a source with marks.
function markedLines(source) {
  return source.lines.map((text, i) => ({
    line: source.first + i,
    text: cleanLine(text),
    runs: source.most[i],
    state: lineState(source.least[i], source.most[i]),
  }));
}

// Where a row of the report is: through its source map if there was one.
function placed(row, directory, first, last) {
  const file = row.sourceFile ?? row.url;
  const line = row.sourceFile === undefined ? row[first] : (row[last] ?? row.sourceLine);
  return {
    ...row,
    file,
    label: clean(row.function),
    place: line > 0 ? place(file, line, directory) : `${place(file, 0, directory)}, ${row.start}`,
  };
}

// report: the entry of the report's captures; sources: those of the page's data.
function readCoverage(report, sources, directory) {
  const never = (report.neverCalled ?? []).map((row) => placed(row, directory, 'line'));
  const bySource = new Map((sources ?? []).map((source) => [source.file, source]));
  return {
    kind: 'coverage',
    name: clean(report.name),
    functions: report.functionCount,
    called: report.calledCount,
    characters: report.characters,
    executed: report.executedCharacters,
    files: (report.files ?? []).map((row, index) => ({
      index,
      file: row.file,
      label: clean(shorten(row.file, directory)),
      share: row.characters > 0 ? row.executedCharacters / row.characters : 1,
      missed: row.characters - row.executedCharacters,
      functions: row.functionCount,
      called: row.calledCount,
      never: row.functionCount - row.calledCount,
      source: bySource.get(row.file) ?? null,
    })),
    neverCalled: never.map((row) => ({ ...row, characters: row.end - row.start })),
    neverReached: (report.neverReached ?? []).map((row) => ({
      ...placed(row, directory, 'line', 'firstSourceLine'),
      characters: row.end - row.start,
      lines: Math.max(
        1,
        (row.lastSourceLine ?? row.lastLine) - (row.firstSourceLine ?? row.line) + 1,
      ),
    })),
    mostCalled: (report.mostCalled ?? []).map((row) => placed(row, directory, 'line')),
  };
}

// What `sonde compare --format json` says → rows: {functions, stretches, runs: [[word, which one]]}.
function readCoverageChanges(changes) {
  const functions = (changes?.functions ?? []).map((row) => ({
    ...row,
    label: clean(row.function),
    change: row.callsAfter - row.callsBefore,
    status: row.callsBefore === 0 ? 'executed now' : row.callsAfter === 0 ? 'executed no more' : '',
    place: place(row.file, row.lineAfter || row.lineBefore),
  }));
  const stretches = (changes?.stretches ?? []).map((row) => ({
    ...row,
    label: clean(row.function),
    status: row.executed === 'after' ? 'executed now' : 'executed no more',
    place: place(row.file, row.line),
  }));
  const runs = ['before', 'after']
    .filter((side) => changes?.[side])
    .map((side) => [
      side === 'before' ? 'Before' : 'After',
      `${clean(changes[side].name)} (${clean(changes[side].uid.slice(0, 8))})`,
    ]);
  return { functions, stretches, runs };
}

module.exports = { markedLines, readCoverage, readCoverageChanges };
