// SPDX-License-Identifier: Apache-2.0
'use strict';

// Heap snapshots as each line of Node.js writes them, of a process that planted what is looked for:
// imported, reported and compared.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { pageData } = require('./support/page.js');
const { Sonde, exited, profileRun, start, temporary } = require('./support/sonde.js');
const { lines, node } = require('./support/target.js');
const { until } = require('./support/wait.js');

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

// Each file becomes a run of its name.
async function imported(t, files) {
  const sonde = new Sonde(t);
  for (const file of files) {
    const run = await sonde.json(['import', file, '--output', 'json']);
    assert.deepEqual([run.capture, run.format], ['snapshot', 'heapsnapshot']);
    assert.equal(run.name, path.basename(file, '.heapsnapshot'));
  }
  return sonde;
}

async function printed(sonde, args) {
  const result = await sonde.run(args);
  exited(result, 0);
  return result.stdout;
}

// No line is wider, but for what has no space to break at.
function assertWidth(text) {
  for (const line of text.split('\n')) {
    assert.ok([...line].length <= 100, line);
  }
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
    const files = await snapshots(t, node(line));
    const sonde = await imported(t, files);
    const { target, captures } = await sonde.report('before');
    assert.equal(target, 'imported from before.heapsnapshot');
    const [report] = captures;
    assert.deepEqual([report.name, report.type], ['snapshot', 'HeapSnapshot']);
    checkWhole(report, new Snapshot(files[0]));
    checkSessions(report, new Snapshot(files[0]));
    checkOthers(report);

    const text = await printed(sonde, ['report', 'before']);
    assertWidth(text);
    assert.match(text, /where memory gathers\n[\s\S]*Server\.routes → Map\n/);
    assert.match(text, / 2000 {2}Session\n/);
    const page = pageData(await printed(sonde, ['report', 'before', '--format', 'html']));
    assert.deepEqual(page.report.captures, captures);
    assert.deepEqual(page.parts[0].name, 'snapshot');

    const comparison = await sonde.json(['compare', 'before', 'after', '--format', 'json']);
    checkGrowth(comparison);
    assert.deepEqual([comparison.type, comparison.numberedAnew], ['HeapSnapshot', false]);
    const [{ nodes, totalBytes }] = captures;
    const { before } = comparison;
    assert.deepEqual([before.name, before.nodes, before.totalBytes], ['before', nodes, totalBytes]);
    assert.equal(comparison.after.totalBytes, comparison.totalBytes);
    const grown = await printed(sonde, ['compare', 'before', 'after']);
    assertWidth(grown);
    assert.match(
      grown,
      /^before {2}[0-9a-f]{8} {2}before {2}snapshot: heap of [\d.]+ MB, \d+ objects\n/,
    );
    assert.match(grown, /growth by class\n[\s\S]*\+[^\n]* 500 +0 {2}Session\n/);
    assert.match(grown, /what may leak[\s\S]*\+500 +\d+ of \d+ {2}.*→ Map\[\d+\] → Session\n/);
    const changes = pageData(
      await printed(sonde, ['compare', 'before', 'after', '--format', 'html']),
    );
    assert.equal(changes.before.name, 'before');
    checkGrowth(changes.report.captures[0]);
    assert.deepEqual(changes.report.captures[0].suspects, comparison.suspects);
  });
}

// A process that holds more Sessions each time it is told to.
async function startLeak(t, line) {
  const leak = start(t, node(line), [path.join(__dirname, 'support/leak-app.js')]);
  const held = (count) =>
    until(() => leak.stdout().endsWith(`${count}\n`), 20000, `${count} sessions`);
  await held(1000);
  return {
    pid: leak.pid,
    async grow() {
      leak.child.kill('SIGUSR2');
      await held(1500);
    },
  };
}

test('two snapshots of a running process, and the same imported again', async (t) => {
  const sonde = new Sonde(t);
  const leak = await startLeak(t, 22);
  const take = async (name) => {
    const captures = [{ name: 'heap', type: 'HeapSnapshot', redaction: 'None' }];
    const file = sonde.document(`${name}.yaml`, profileRun(name, captures));
    return printed(sonde, ['run', file, '--pid', String(leak.pid)]);
  };
  const first = await take('first');
  assert.match(first, /\nheap: heap of [\d.]+ MB[\s\S]* 1000 {2}Session\n/);
  assertWidth(first);
  await leak.grow();
  await take('second');
  // Without an inspector V8 forgets which object is which: counts and paths remain.
  const compared = await sonde.json(['compare', 'first', 'second', '--format', 'json']);
  const session = compared.suspects.find((one) => one.name === 'Session');
  assert.equal(compared.numberedAnew, true);
  assert.deepEqual([session.before, session.after, session.added], [1000, 1500, 500]);
  assert.match(session.path, /global[^→]*\.open → Map\[\d+\] → Session$/);
  assert.match(
    await printed(sonde, ['compare', 'first', 'second']),
    /Session grew by 500 objects to 1500, [^;]*; a typical one:\s/,
  );

  // What Node.js itself would have written gets the same report.
  const raw = sonde.document('raw.heapsnapshot', '');
  const words = ['export', 'second', '--capture', 'heap', '--format', 'raw', '-o', raw];
  exited(await sonde.run(words), 0);
  exited(await sonde.run(['import', raw, '--name', 'again']), 0);
  const of = async (run) => {
    const [{ name, ...report }] = (await sonde.report(run)).captures;
    return report;
  };
  assert.deepEqual(await of('again'), await of('second'));
});

test('a snapshot beside a profile is compared by its name', async (t) => {
  const sonde = new Sonde(t);
  const leak = await startLeak(t, 24);
  const captures = [
    { name: 'cpu', durationSeconds: 1 },
    { name: 'heap', type: 'HeapSnapshot' },
  ];
  const take = (name) => {
    const file = sonde.document(`${name}.yaml`, profileRun(name, captures));
    return printed(sonde, ['run', file, '--pid', String(leak.pid)]);
  };
  await take('first');
  await leak.grow();
  await take('second');
  const { captures: reported } = await sonde.report('second');
  assert.deepEqual(
    reported.map(({ name, type }) => [name, type]),
    [
      ['cpu', 'CPUProfile'],
      ['heap', 'HeapSnapshot'],
    ],
  );
  const without = await sonde.run(['compare', 'first', 'second']);
  exited(without, 2);
  assert.match(without.stderr, /profiles and heap snapshots.*give --capture NAME/);
  const heap = await printed(sonde, ['compare', 'first', 'second', '--capture', 'heap']);
  assert.match(heap, /Session grew by 500 objects to 1500/);
  const cpu = ['compare', 'first', 'second', '--capture', 'cpu', '--format', 'json'];
  assert.equal((await sonde.json(cpu)).unit, 'milliseconds per second');
  const none = await sonde.run(['compare', 'first', 'second', '--capture', 'nosuch']);
  exited(none, 3);
  // The page has both.
  const page = pageData(await printed(sonde, ['compare', 'first', 'second', '--format', 'html']));
  assert.equal(page.comparison.pairs.length, 1);
  assert.equal(page.parts.length, 1);
  const part = page.report.captures[page.parts[0].at];
  assert.ok(part.suspects.some((one) => one.name === 'Session'));
});

test('a file that is cut, one that is none, and one that lies', async (t) => {
  const [before] = await snapshots(t, process.execPath);
  const bytes = fs.readFileSync(before);
  const lie = bytes
    .toString()
    .replace(/"node_count":\d+,"edge_count":\d+/, (text) =>
      text.replace(/\d+/, '90000000').replace(/\d+$/, '390000000'),
    );
  for (const [text, pattern] of [
    [bytes.subarray(0, bytes.length / 2), /JSON, byte \d+: the text ends too early\n$/],
    [
      Buffer.from('{"snapshot":{},"nodes":[]}'),
      /heap snapshot: it does not say what its nodes are made of\n$/,
    ],
    [Buffer.from('PK'), /it is no cpuprofile, heapprofile, heapsnapshot/],
    [
      Buffer.from(lie),
      /90000000 (objects with 390000000 references and their names takes up to 8\d\d\d MB|and)/,
    ],
  ]) {
    const sonde = new Sonde(t);
    const file = path.join(temporary(t), 'cut.heapsnapshot');
    fs.writeFileSync(file, text);
    const result = await sonde.run(['import', file]);
    assert.ok(result.code === 1 || result.code === 2, `ended with ${result.code}`);
    assert.match(result.stderr, pattern);
    assert.deepEqual(await sonde.runs(), []);
  }
});
