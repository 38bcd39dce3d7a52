// SPDX-License-Identifier: Apache-2.0
'use strict';

// A capture of the page's data (web/README.md) → columns that the views read.

const format = require('./format.js');

const CATEGORIES = {
  app: 'Your code',
  dependency: 'Packages',
  node: 'Node.js',
  native: 'Native',
  v8: 'V8 and GC',
  wasm: 'WebAssembly',
  sonde: 'Probe',
  idle: 'Idle',
  root: 'All',
};

// What is folded stands for all frames of a package, or of a category: a frame of its own, behind
// the real ones.
function addGroups(capture) {
  const found = new Map();
  capture.groups = [];
  for (let i = 0; i < capture.frameCount; i++) {
    const category = capture.category[i];
    const name = category === 'dependency' ? capture.package[i] : '';
    const key = name ? `dependency/${name}` : category;
    let group = found.get(key);
    if (group === undefined) {
      group = capture.groups.length;
      found.set(key, group);
      capture.groups.push({ key, category, package: name, size: 0 });
    }
    capture.groups[group].size += 1;
    capture.groupOf[i] = capture.frameCount + group;
  }
  for (const group of capture.groups) {
    const label = group.package || CATEGORIES[group.category] || group.category;
    capture.label.push(`${label} ⋯`);
    capture.file.push('');
    capture.relative.push('');
    capture.place.push(`${group.size} function${group.size === 1 ? '' : 's'} folded`);
    capture.line.push(0);
    capture.category.push(group.category);
    capture.package.push(group.package);
    capture.version.push('');
  }
}

function readFrames(json, directory) {
  const { strings } = json;
  const { frames } = json;
  const frameCount = frames.name.length;
  const text = (column) => Array.from(column, (index) => format.clean(strings[index] ?? ''));
  const file = Array.from(frames.file, (index) => strings[index] ?? '');
  return {
    frameCount,
    label: text(frames.name).map((name) => name || '(anonymous)'),
    file,
    relative: file.map((name) => format.clean(format.shorten(name, directory))),
    line: Array.from(frames.line),
    place: file.map((name, i) => format.place(name, frames.line[i], directory)),
    category: Array.from(frames.category, (index) => json.categories[index] ?? 'v8'),
    package: text(frames.package),
    version: text(frames.version),
    groupOf: new Uint32Array(frameCount),
  };
}

function readNodes(nodes) {
  const parent = Uint32Array.from(nodes.parent, (back, i) => i - back);
  return {
    frame: Uint32Array.from(nodes.frame),
    parent,
    self: Float64Array.from(nodes.self),
    hits: Uint32Array.from(nodes.samples ?? []),
  };
}

// When each sample begins, since the beginning.
function readSamples(samples) {
  const start = new Float64Array(samples.node.length + 1);
  for (let i = 0; i < samples.node.length; i++) {
    start[i + 1] = start[i] + samples.duration[i];
  }
  return { node: Uint32Array.from(samples.node), start };
}

// Lines by frame: [{line, ticks}], and the text of the lines by file.
function readLines(json, capture) {
  capture.lines = new Map();
  const { frame, line, ticks } = json.lines ?? { frame: [], line: [], ticks: [] };
  for (let i = 0; i < frame.length; i++) {
    const rows = capture.lines.get(frame[i]) ?? [];
    const same = rows.find((row) => row.line === line[i]);
    if (same) {
      same.ticks += ticks[i];
    } else {
      rows.push({ line: line[i], ticks: ticks[i] });
    }
    capture.lines.set(frame[i], rows);
  }
  capture.sources = new Map();
  for (const source of json.sources ?? []) {
    const file = json.strings[source.file];
    const lines = capture.sources.get(file) ?? new Map();
    source.lines.forEach((text, i) => {
      lines.set(source.first + i, text);
    });
    capture.sources.set(file, lines);
  }
}

// A capture with a call tree: of kind cpu (microseconds) or allocation (bytes).
function readTree(json, directory) {
  const capture = {
    name: format.clean(json.name),
    kind: json.kind,
    unit: json.unit,
    ...readFrames(json, directory),
    nodes: readNodes(json.nodes),
    samples: json.samples ? readSamples(json.samples) : null,
  };
  capture.nodeCount = capture.nodes.frame.length;
  if (capture.nodes.hits.length === 0) {
    capture.nodes.hits = new Uint32Array(capture.nodeCount);
  }
  addGroups(capture);
  readLines(json, capture);
  return capture;
}

module.exports = { CATEGORIES, addGroups, readTree };
