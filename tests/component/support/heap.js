// SPDX-License-Identifier: Apache-2.0
'use strict';

// What lies in a store, and heap snapshots as another reader sees them.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');

function files(directory) {
  return fs
    .readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
}

// The blobs of a store, uncompressed; and every file as it lies there.
function blobs(store) {
  return files(path.join(store, 'blobs')).map((file) =>
    zlib.zstdDecompressSync(fs.readFileSync(file)),
  );
}

function everything(store) {
  return [...blobs(store), ...files(store).map((file) => fs.readFileSync(file))];
}

// The forms in which a text may hide. What stands before it moves base64 by up to two bytes.
function forms(text) {
  const base64 = [0, 1, 2].map((before) =>
    Buffer.from('x'.repeat(before) + text)
      .toString('base64')
      .slice(before + 2, -4),
  );
  const escaped = [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const wide = Buffer.from(text, 'utf16le');
  return [
    ...[text, ...base64, Buffer.from(text).toString('hex')].map((form) => Buffer.from(form)),
    ...[escaped.join(''), escaped.join('').toUpperCase()].map((form) => Buffer.from(form)),
    ...[wide, wide.swap16()],
  ];
}

class Snapshot {
  constructor(bytes) {
    const json = JSON.parse(bytes.toString());
    const { meta } = json.snapshot;
    this.json = json;
    this.fields = meta.node_fields.length;
    this.nodeTypes = meta.node_types[0];
    this.edgeTypes = meta.edge_types[0];
    this.at = Object.fromEntries(meta.node_fields.map((name, i) => [name, i]));
  }

  // Every index leads somewhere, and there is as much as the head says.
  check() {
    const { nodes, edges, strings, snapshot } = this.json;
    assert.equal(nodes.length, snapshot.node_count * this.fields);
    assert.equal(edges.length, snapshot.edge_count * 3);
    let count = 0;
    for (let i = 0; i < nodes.length; i += this.fields) {
      assert.ok(this.nodeTypes[nodes[i]] !== undefined);
      assert.ok(typeof strings[nodes[i + this.at.name]] === 'string');
      count += nodes[i + this.at.edge_count];
    }
    assert.equal(count, snapshot.edge_count);
    for (let i = 0; i < edges.length; i += 3) {
      const type = this.edgeTypes[edges[i]];
      assert.ok(type !== undefined && edges[i + 2] % this.fields === 0);
      assert.ok(edges[i + 2] < nodes.length);
      if (type !== 'element' && type !== 'hidden') {
        assert.ok(typeof strings[edges[i + 1]] === 'string');
      }
    }
  }

  // {type, name, id, size, edges: [{type, name, to}]} of every node, by id.
  byId() {
    const { nodes, edges, strings } = this.json;
    const found = new Map();
    const ids = [];
    for (let i = 0; i < nodes.length; i += this.fields) {
      ids.push(nodes[i + this.at.id]);
    }
    let edge = 0;
    for (let i = 0; i < nodes.length; i += this.fields) {
      const own = [];
      for (let k = 0; k < nodes[i + this.at.edge_count]; k++, edge += 3) {
        const type = this.edgeTypes[edges[edge]];
        const index = edges[edge + 1];
        const name = type === 'element' || type === 'hidden' ? index : strings[index];
        own.push({ type, name, to: ids[edges[edge + 2] / this.fields] });
      }
      found.set(nodes[i + this.at.id], {
        type: this.nodeTypes[nodes[i]],
        name: strings[nodes[i + this.at.name]],
        id: nodes[i + this.at.id],
        size: nodes[i + this.at.self_size],
        edges: own,
      });
    }
    return found;
  }
}

module.exports = { Snapshot, blobs, everything, files, forms };
