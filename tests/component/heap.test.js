// SPDX-License-Identifier: Apache-2.0
'use strict';

// Heap snapshots as each line of Node.js writes them, of a process that planted what is looked for.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { bin, exited, start, temporary } = require('./support/sonde.js');
const { lines, node } = require('./support/target.js');

const program = path.join(path.dirname(bin), '../tests/heap_analysis');
const app = path.join(__dirname, 'support/heap-app.js');

const SESSIONS = 2000;
const LEAKED = 500;
const NOTES = 3000;
const VALUE_BYTES = 80000; // 10,000 doubles
const BUFFER_BYTES = 3000000;

async function snapshots(t, node) {
  const directory = temporary(t);
  const files = ['before', 'after'].map((name) => path.join(directory, `${name}.heapsnapshot`));
  exited(await start(t, node, [app, ...files]).done, 0);
  return files;
}

async function analyze(t, ...args) {
  const result = await start(t, program, args).done;
  exited(result, 0);
  return result.stdout;
}

// The file itself, taken apart by JSON.parse.
class Snapshot {
  constructor(file) {
    const { snapshot, nodes, edges, strings } = JSON.parse(fs.readFileSync(file, 'utf8'));
    this.strings = strings;
    this.fields = snapshot.meta.node_fields;
    this.types = snapshot.meta.node_types[this.fields.indexOf('type')];
    this.nodes = nodes;
    this.counts = [snapshot.node_count, snapshot.edge_count];
    this.edges = edges;
  }

  *of(type, name) {
    const at = (field) => this.fields.indexOf(field);
    for (let i = 0; i < this.nodes.length; i += this.fields.length) {
      const matches =
        this.types[this.nodes[i + at('type')]] === type &&
        this.strings[this.nodes[i + at('name')]] === name;
      if (matches) {
        yield { id: this.nodes[i + at('id')], size: this.nodes[i + at('self_size')] };
      }
    }
  }

  totalBytes() {
    const at = this.fields.indexOf('self_size');
    return this.nodes.reduce(
      (sum, value, i) => sum + (i % this.fields.length === at ? value : 0),
      0,
    );
  }
}

function checkWhole(report, snapshot) {
  assert.deepEqual([report.nodes, report.edges], snapshot.counts);
  assert.equal(report.totalBytes, snapshot.totalBytes());
  assert.equal(report.tree[0].retainedBytes, report.totalBytes);
  assert.ok(report.tree.every((row) => report.tree[row.parent].retainedBytes >= row.retainedBytes));
}

function checkSessions(report, snapshot) {
  const users = [...snapshot.of('object', 'User')];
  assert.equal(users.length, SESSIONS);
  const [session, server] = ['Session', 'Server'].map((name) =>
    report.classes.find((one) => one.name === name),
  );
  assert.equal(session.count, SESSIONS);
  const own = [...snapshot.of('object', 'Session')].reduce((sum, one) => sum + one.size, 0);
  assert.ok(session.shallowBytes >= own);
  // A session retains its user with a name of its own, and eight numbers.
  assert.ok(session.retainedBytes > SESSIONS * (64 + 24), `${session.retainedBytes}`);
  assert.match(session.path, /^global[\w .()*]*\.server → Server\.routes → Map\[\d+\] → Session$/);
  assert.ok(server.retainedBytes > session.retainedBytes * 0.95);
  const gathering = report.biggest.find((one) => /\.server → Server\.routes → Map$/.test(one.path));
  assert.equal(gathering.class, 'Map');
  assert.ok(gathering.dominated >= SESSIONS);
  assert.ok(gathering.retainedBytes < server.retainedBytes);
  assert.equal(
    report.tree.find((row) => row.id === gathering.id).retainedBytes,
    gathering.retainedBytes,
  );
}

function checkOthers(report) {
  const note = report.classes.find((one) => one.name === 'Note');
  assert.equal(note.count, NOTES);
  assert.match(note.path, /\.handler → onRequest\(\)\{cache\} → Array\[\d+\] → Note$/);
  const key = report.classes.find((one) => one.name === 'Key');
  assert.equal(key.count, 1);
  assert.ok(key.retainedBytes > VALUE_BYTES && key.shallowBytes < 1000);
  const copies = report.duplicateStrings.find((one) =>
    /^the same text in each note/.test(one.text),
  );
  assert.equal(copies.count, NOTES);
  const buffer = report.findings.find((one) => one.kind === 'large-object');
  assert.equal(buffer.evidence.shallow.value, BUFFER_BYTES);
}

function checkGrowth(report) {
  const [suspect] = report.suspects.filter((one) => one.name === 'Session');
  assert.equal(suspect.before, SESSIONS);
  assert.equal(suspect.after, SESSIONS + LEAKED);
  assert.deepEqual([suspect.added, suspect.freed], [LEAKED, 0]);
  assert.ok(suspect.retainedGrowthBytes > LEAKED * (64 + 24));
  assert.match(suspect.path, /\.server → Server\.routes → Map\[\d+\] → Session$/);
  assert.equal(suspect.heldAlike, suspect.sampled);
  assert.equal(
    report.growth.find((one) => one.name === 'Note'),
    undefined,
  );
  const finding = report.findings.find((one) => one.kind === 'growing-class');
  assert.match(finding.title, /^(Session|User|Float64Array) grew by 500 objects to 2500/);
}

for (const line of lines) {
  test(`a snapshot of Node.js ${line}: classes, sizes, paths, growth`, async (t) => {
    const [before, after] = await snapshots(t, node(line));
    const snapshot = new Snapshot(before);
    const report = JSON.parse(await analyze(t, before));
    checkWhole(report, snapshot);
    checkSessions(report, snapshot);
    checkOthers(report);
    checkGrowth(JSON.parse(await analyze(t, before, after)));
    const text = await analyze(t, '--text', before, after);
    assert.match(
      text,
      /where memory gathers\n[\s\S]*Server\.routes → Map\n[\s\S]*\+[^\n]* 500 +0 +Session\n/,
    );
  });
}

test('a file that is cut, and one that is none', async (t) => {
  const [before] = await snapshots(t, process.execPath);
  const bytes = fs.readFileSync(before);
  for (const [text, pattern] of [
    [
      bytes.subarray(0, bytes.length / 2),
      /^heap_analysis: JSON, byte \d+: the text ends too early\n$/,
    ],
    [
      Buffer.from('{"nodes":[]}'),
      /^heap_analysis: heap snapshot: the sections are not in V8's order/,
    ],
    [Buffer.from('PK'), /^heap_analysis: JSON, byte 0: a value is missing\n$/],
  ]) {
    const file = path.join(temporary(t), 'cut.heapsnapshot');
    fs.writeFileSync(file, text);
    const result = await start(t, program, [file]).done;
    exited(result, 1);
    assert.match(result.stderr, pattern);
    assert.equal(result.stdout, '');
  }
});
