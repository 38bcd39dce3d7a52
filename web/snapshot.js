// SPDX-License-Identifier: Apache-2.0
'use strict';

// A heap snapshot of the report → rows for the views.

const { clean } = require('./format.js');

const TILES_MAX = 80;

// Copies of the rows with their texts cleaned.
function rows(list, texts) {
  return (list ?? []).map((row) => ({
    ...row,
    ...Object.fromEntries(texts.map((key) => [key, clean(row[key] ?? '')])),
  }));
}

// The part of the dominator tree that retains most: each row knows its children, largest first.
function readTree(list) {
  const objects = rows(list, ['class', 'name']);
  objects.forEach((row, index) => {
    row.index = index;
    row.children = [];
    row.label = row.name && row.name !== row.class ? row.name : `${row.class} @${row.id}`;
  });
  objects.slice(1).forEach((row) => {
    objects[row.parent]?.children.push(row);
  });
  for (const row of objects) {
    row.children.sort((a, b) => b.retainedBytes - a.retainedBytes || a.index - b.index);
  }
  return objects;
}

// report: the entry of the report's captures.
function readSnapshot(report, name) {
  return {
    kind: 'snapshot',
    name: clean(name),
    nodes: report.nodes,
    edges: report.edges,
    bytes: report.totalBytes,
    detached: report.detachedBytes ?? 0,
    biggest: rows(report.biggest, ['class', 'path']),
    classes: rows(report.classes, ['name', 'path']),
    objects: readTree(report.tree),
    duplicates: rows(report.duplicateStrings, ['text']),
    growth: rows(report.growth, ['name']),
    numberedAnew: report.numberedAnew ?? false,
    suspects: rows(report.suspects, ['name', 'path']),
  };
}

// What an object retains, as tiles: the objects it dominates, itself, and the rest that is too small
// to be listed: [{label, detail, bytes, row (or null)}], largest first.
function tiles(object) {
  const shown = object.children.slice(0, TILES_MAX);
  const listed = shown.reduce((sum, row) => sum + row.retainedBytes, 0);
  const rest = object.retainedBytes - object.shallowBytes - listed;
  const found = shown.map((row) => ({
    label: row.label,
    detail: row.class,
    bytes: row.retainedBytes,
    row,
  }));
  found.push({ label: 'itself', detail: object.class, bytes: object.shallowBytes, row: null });
  found.push({ label: 'smaller ones', detail: '', bytes: rest, row: null });
  return found.filter((tile) => tile.bytes > 0).sort((a, b) => b.bytes - a.bytes);
}

// From the root to an object.
function dominatorsOf(snapshot, object) {
  const path = [object];
  for (let at = object; at.index !== 0 && path.length <= snapshot.objects.length; ) {
    at = snapshot.objects[at.parent] ?? snapshot.objects[0];
    path.push(at);
  }
  return path.reverse();
}

module.exports = { dominatorsOf, readSnapshot, tiles };
