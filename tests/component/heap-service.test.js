// SPDX-License-Identifier: Apache-2.0
'use strict';

// Heap snapshots in sonde-store: what it says of them, and that none takes more memory than it has.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { pageData } = require('./support/page.js');
const { Service } = require('./support/store-service.js');
const { exited, isSanitized, start, temporary } = require('./support/sonde.js');
const { node } = require('./support/target.js');

const PEAK_MAX = 200 << 20;
const headers = { 'Sonde-Capture': 'heap', 'Sonde-Type': 'HeapSnapshot' };

async function snapshots(t) {
  const directory = temporary(t);
  const files = ['before', 'after'].map((name) => path.join(directory, name));
  exited(await start(t, node(22), [path.join(__dirname, 'support/heap-app.js'), ...files]).done, 0);
  return files.map((file) => fs.readFileSync(file));
}

// A run that has the snapshot, as {sidecar, answer: of its conclusion}.
async function concluded(service, name, bytes) {
  const sidecar = await service.run({ name });
  assert.equal((await sidecar.store('heap.0', bytes, { headers })).status, 201);
  const { status, json } = await sidecar.conclude();
  assert.equal(status, 200);
  return { sidecar, answer: json };
}

const asked = (service, where) => service.person('GET', `${where}namespace=clinic`);

function peak(service) {
  const text = fs.readFileSync(`/proc/${service.running.child.pid}/status`, 'latin1');
  return Number(/VmHWM:\s+(\d+) kB/.exec(text)[1]) * 1024;
}

test('a snapshot is in the summary, the report and the comparison', async (t) => {
  const service = await Service.start(t);
  const [before, after] = await snapshots(t);
  const { answer } = await concluded(service, 'first', before);
  assert.match(answer.summary.top, /^\d\d% ArrayBuffer$/);
  assert.ok(answer.summary.findings > 0);
  await concluded(service, 'second', after);

  const text = await asked(service, 'runs/first/report?');
  assert.match(text.text, /heap of [\d.]+ MB.*\n[\s\S]* 2000 {2}Session\n/);
  const { json } = await asked(service, 'runs/first/report?format=json&');
  assert.equal(json.captures[0].type, 'HeapSnapshot');
  const page = await asked(service, 'runs/first/report?format=html&');
  assert.deepEqual(pageData(page.text).report.captures, json.captures);
  const findings = await asked(service, 'runs/first/findings?');
  assert.equal(findings.json.captures[0].findings.length, answer.summary.findings);

  const compare = (format) => asked(service, `compare?before=first&after=second&format=${format}&`);
  assert.match((await compare('text')).text, /Session grew by 500 objects to 2500/);
  const comparison = (await compare('json')).json;
  const session = comparison.suspects.find((one) => one.name === 'Session');
  assert.match(session.path, /\.server → Server\.routes → Map\[\d+\] → Session$/);
  const changes = pageData((await compare('html')).text);
  assert.deepEqual(changes.report.captures[0].suspects, comparison.suspects);
});

// Nodes, edges and strings by hand.
const head = () =>
  '{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],' +
  '"node_types":[["object","string"]],"edge_fields":["type","name_or_index","to_node"],' +
  '"edge_types":[["element","property"]]}},"nodes":[';
const repeat = (count, of) => Array.from({ length: count }, (_, i) => of(i)).join(',');

const hostile = {
  'more objects': () => `${head()}${repeat(3_500_000, () => '0,0,1,16,0')}],`,
  'more references': () => `${head()}0,0,1,16,12000000],"edges":[${repeat(9, () => '0,1,0')}`,
  'names far apart': () => `${head()}0,100000000,1,16,0],"edges":[`,
  'long names': () => {
    const count = 600_000;
    const names = repeat(count, (i) => `"${i}${'x'.repeat(240)}"`);
    return `${head()}${repeat(count, (i) => `0,${i},1,16,0`)}],"edges":[],"strings":[${names}]}`;
  },
};

for (const [what, make] of Object.entries(hostile)) {
  test(`${what}: refused with numbers, and the store goes on`, async (t) => {
    const service = await Service.start(t);
    const { answer } = await concluded(service, 'huge', Buffer.from(make()));
    const refusal =
      /analysing \d+ objects with \d+ references and their names takes up to \d+ MB of memory, and it may take 134 MB: export it/;
    assert.equal(answer.summary, null);
    assert.match(answer.problem, refusal);
    const report = await asked(service, 'runs/huge/report?');
    assert.equal(report.status, 200);
    assert.match(
      report.text.replaceAll(/\n */g, ' '),
      /pod-a\.7\.heap: not analysed: heap snapshot: .*export it/,
    );
    const { json } = await asked(service, 'runs/huge/report?format=json&');
    assert.match(json.captures[0].problem, refusal);
    const compared = await asked(service, 'compare?before=huge&after=huge&');
    assert.deepEqual([compared.status, compared.json.code], [413, 'TooLarge']);
    t.diagnostic(`${peak(service) >> 20} MiB`);
    assert.ok(peak(service) < PEAK_MAX || (await isSanitized()), `${peak(service)} bytes`);
  });
}

// A tree of different classes, whose objects refer to each other; each has a text of its own.
function manyClasses(count) {
  const nodes = repeat(count, (i) => `0,${i % 90_000},${2 * i + 1},64,${i ? 2 : count - 1}`);
  const edges = [
    repeat(count - 1, (i) => `0,${i},${5 * (i + 1)}`),
    repeat(count - 1, (i) => `1,1,${5 * ((i * 7919) % count)},1,2,${5 * ((i * 31) % count)}`),
  ];
  const names = repeat(90_000, (i) => `"Class${i}${'\u0001é'.repeat(20)}"`);
  return Buffer.from(
    `${head()}${nodes}],"edges":[${edges.join(',')}],"strings":[${names.replaceAll('\u0001', '\\u0001')}]}`,
  );
}

test('what may just be analysed stays within the bound, also when it is compared', async (t) => {
  const service = await Service.start(t);
  for (const [name, count, ask] of [
    ['analysed', 1_100_000, 'runs/analysed/report?'],
    ['compared', 800_000, 'compare?before=compared&after=compared&'],
  ]) {
    const { answer } = await concluded(service, name, manyClasses(count));
    assert.equal(answer.problem, undefined);
    for (const format of ['text', 'json', 'html']) {
      const { status, text } = await asked(service, `${ask}format=${format}&`);
      assert.equal(status, 200, text.slice(0, 500));
    }
  }
  const beyond = await asked(service, 'compare?before=analysed&after=analysed&');
  assert.deepEqual([beyond.status, beyond.json.code], [413, 'TooLarge']);
  t.diagnostic(`${peak(service) >> 20} MiB`);
  assert.ok(peak(service) < PEAK_MAX || (await isSanitized()), `${peak(service)} bytes`);
});

test('the bound is an option of the store', async (t) => {
  const service = await Service.start(t, ['--heap-memory', String(33 << 20)]);
  const count = 500_000;
  const bytes = Buffer.from(
    `${head()}${repeat(count, () => '0,0,1,16,0')}],"edges":[],"strings":["x"]}`,
  );
  const { answer } = await concluded(service, 'small', bytes);
  assert.match(answer.problem, /may take 34 MB/);
  const larger = await Service.start(t, ['--heap-memory', String(64 << 20)]);
  assert.equal((await concluded(larger, 'small', bytes)).answer.summary.bytes, bytes.length);
});
