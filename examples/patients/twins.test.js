// SPDX-License-Identifier: Apache-2.0
'use strict';

// Needs the running service: PATIENTS_URL=http://127.0.0.1:PORT npm test
const assert = require('node:assert');
const test = require('node:test');

const TWINS = [
  ['/patients/nplus1?page=3', '/patients/joined?page=3'],
  ['/patients/crossed?page=3', '/patients/separate?page=3'],
  ['/visits/loop', '/visits/batch'],
  ['/dashboard/sequence', '/dashboard/together'],
  ['/export/copied', '/export/picked'],
  ['/notes/backtracking', '/notes/linear'],
  ['/notes/backtracking?text=cough%20and%20fever', '/notes/linear?text=cough%20and%20fever'],
  ['/sessions/sync?pin=77', '/sessions/async?pin=77'],
  ['/reports/leaking?patient=7', '/reports/bounded?patient=7'],
];

async function get(path) {
  const response = await fetch(new URL(path, process.env.PATIENTS_URL));
  return { status: response.status, body: await response.json() };
}

for (const [fault, twin] of TWINS) {
  test(`${fault} and ${twin} answer the same`, async () => {
    const slow = await get(fault);
    assert.strictEqual(slow.status, 200);
    assert.deepStrictEqual(slow, await get(twin));
  });
}

test('the bounded reports stay right when some were evicted', async () => {
  const first = await get('/reports/bounded?patient=1');
  for (let id = 2; id <= 120; id += 1) {
    await get(`/reports/bounded?patient=${id}`);
  }
  assert.deepStrictEqual(await get('/reports/bounded?patient=1'), first);
});

test('the pages and single patients are found, and nothing else is', async () => {
  const smiths = await get('/patients?q=smi');
  assert.ok(smiths.body.total > 0);
  assert.ok(smiths.body.patients.every((patient) => patient.lastName === 'Smith'));
  assert.notDeepStrictEqual((await get('/patients?page=2')).body, (await get('/patients')).body);
  assert.strictEqual((await get('/patients?page=-1')).status, 200);
  assert.strictEqual((await get('/patients/2000')).body.id, 2000);
  for (const path of ['/patients/2001', '/patients/0', '/patients/x', '/nothing']) {
    assert.strictEqual((await get(path)).status, 404);
  }
});
