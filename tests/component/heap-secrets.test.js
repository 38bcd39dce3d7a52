// SPDX-License-Identifier: Apache-2.0
'use strict';

// Secrets of every kind are in the heap of a process, and none of them in what was stored of it,
// while its graph and the names of its code are. On each line of Node.js.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Snapshot, blobs, everything, forms } = require('./support/heap.js');
const { Sonde, exited, profileRun, start, temporary } = require('./support/sonde.js');
const { alive, inspectorPort, lines, listens, node } = require('./support/target.js');
const { until } = require('./support/wait.js');

const app = path.join(__dirname, 'support/secrets-app.js');
const redacted = /^string:\d+:[0-9a-f]{16}$/;
// Numbers that are keys of the fixture.
const numbers = ['423456789', '4155551234567', '687654321'];

async function startApp(t, line) {
  const file = path.join(temporary(t), 'secrets.json');
  const target = start(t, node(line), [app, file]);
  await until(() => fs.existsSync(file) && fs.statSync(file).size > 0, 10000, 'the secrets');
  return { target, secrets: JSON.parse(fs.readFileSync(file, 'utf8')) };
}

async function snapshot(t, target, capture = {}) {
  const sonde = new Sonde(t);
  const captures = [{ name: 'heap', type: 'HeapSnapshot', ...capture }];
  const file = sonde.document('run.yaml', profileRun('heap', captures));
  exited(await sonde.run(['run', file, '--pid', String(target.pid)]), 0);
  const end = await Promise.race([target.done, null]);
  assert.ok(alive(target.pid), `the target ended: ${JSON.stringify(end)}`);
  assert.equal(await listens(inspectorPort), false);
  const found = blobs(sonde.store);
  assert.equal(found.length, 1);
  return { sonde, bytes: found[0] };
}

function assertNothingLeaks(store, secrets) {
  const places = everything(store);
  for (const [kind, text] of Object.entries(secrets)) {
    for (const form of forms(text)) {
      assert.ok(!places.some((place) => place.includes(form)), `${kind}: ${form} was stored`);
    }
  }
}

function totals(nodes) {
  const found = {};
  for (const one of nodes.values()) {
    found[one.type] ??= { count: 0, size: 0, edges: 0 };
    const type = found[one.type];
    type.count++;
    type.size += one.size;
    type.edges += one.edges.length;
  }
  return found;
}

// Both are of the same process, one after the other: as many of each type, as large, in as many
// places. (That each number stays is what the unit test says; the engine's own things change when
// the words of the program are read.)
function assertSameGraph(before, after) {
  const was = totals(before);
  const is = totals(after);
  for (const type of ['object', 'closure', 'regexp', 'symbol']) {
    const total = was[type];
    for (const [what, number] of Object.entries(total)) {
      const now = is[type]?.[what] ?? 0;
      const apart = Math.abs(now - number);
      assert.ok(apart <= 0.1 * number + 200, `${type}: ${what} was ${number} and is ${now}`);
    }
  }
}

// What is data is hashed, and what is alike stays alike: a thousand texts are a thousand hashes.
function assertValuesAreHashed(nodes) {
  const values = [...nodes.values()].filter(
    (one) => one.type === 'string' || one.type === 'regexp',
  );
  assert.ok(values.length > 1000);
  for (const one of values) {
    assert.match(one.name, redacted);
  }
  assert.ok(new Set(values.map((one) => one.name)).size > 1000);
}

function find(nodes, type, name) {
  return [...nodes.values()].filter((one) => one.type === type && one.name === name);
}

function assertCodeIsSeen(nodes) {
  const patients = find(nodes, 'object', 'Patient').filter((one) =>
    one.edges.some((edge) => edge.type === 'property' && edge.name === 'medicalRecord'),
  );
  assert.equal(patients.length, 1);
  const [patient] = patients;
  const properties = patient.edges.filter((edge) => edge.type === 'property').map((e) => e.name);
  for (const name of ['medicalRecord', 'status', 'visit-id', '#diagnosis', '__proto__']) {
    assert.ok(properties.includes(name), `${name} is missing: ${properties}`);
  }
  const status = patient.edges.find((edge) => edge.name === 'status');
  assert.match(nodes.get(status.to).name, redacted, 'a value that reads like a name of the code');
  for (const name of ['values', 'texts', 'keys', 'names', 'code', 'secret', 'Patient']) {
    assert.ok(find(nodes, 'closure', name).length >= 1, `the function ${name} is missing`);
  }
  assert.equal(find(nodes, 'synthetic', '(GC roots)').length, 1);
  assert.ok(find(nodes, 'object', 'Map').length > 0 && find(nodes, 'object', 'Set').length > 0);
}

// Of classes, functions and properties nearly all must be readable, or nobody could use it.
function assertMostNamesStay(nodes) {
  let names = 0;
  let lost = 0;
  for (const one of nodes.values()) {
    const own = one.edges.filter((edge) => edge.type === 'property' || edge.type === 'context');
    for (const name of [one.type === 'object' ? one.name : '', ...own.map((edge) => edge.name)]) {
      names++;
      lost += redacted.test(name) ? 1 : 0;
    }
  }
  // The fixture has thousands of keys that are data.
  assert.ok(lost < 0.05 * names, `${lost} of ${names} names are redacted`);
}

for (const line of lines) {
  test(`no secret is in what is stored of a heap on Node.js ${line}`, async (t) => {
    const { target, secrets } = await startApp(t, line);
    const plain = await snapshot(t, target, { redaction: 'None' });
    const whole = new Snapshot(plain.bytes);
    whole.check();
    // What is not there at all cannot be missed: most of the secrets are readable in it.
    const seen = Object.values(secrets).filter((text) => plain.bytes.includes(text));
    assert.ok(seen.length > 40, `only ${seen.length} of them`);

    const { sonde, bytes } = await snapshot(t, target);
    assertNothingLeaks(sonde.store, secrets);
    const after = new Snapshot(bytes);
    after.check();
    const nodes = after.byId();
    for (const one of nodes.values()) {
      for (const edge of one.edges) {
        assert.ok(!numbers.includes(String(edge.name)), `the key ${edge.name} was stored`);
      }
    }
    assertSameGraph(whole.byId(), nodes);
    assertValuesAreHashed(nodes);
    assertCodeIsSeen(nodes);
    assertMostNamesStay(nodes);
  });
}

test('numbers are stored only when they were asked for', async (t) => {
  const { target, secrets } = await startApp(t, 22);
  const without = new Snapshot((await snapshot(t, target)).bytes).byId();
  const kinds = new Set(
    [...without.values()].filter((n) => n.type === 'number').map((n) => n.name),
  );
  assert.deepEqual([...kinds], ['heap number']);
  const { sonde, bytes } = await snapshot(t, target, { exposeNumericValues: true });
  assertNothingLeaks(sonde.store, secrets);
  const shown = new Snapshot(bytes).byId();
  const kept = [...shown.values()].filter((one) => one.type === 'number' && one.edges.length > 1);
  const texts = kept.map(
    (one) => shown.get(one.edges.find((edge) => edge.name === 'value').to).name,
  );
  assert.ok(
    texts.length > 50 &&
      texts.every((text) => Number.isFinite(Number(text)) || /NaN|Infinity/.test(text)),
  );
});
