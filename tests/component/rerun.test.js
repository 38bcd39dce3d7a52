// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde rerun`: what a run was made of is carried out once more, on this machine.

const assert = require('node:assert/strict');
const http = require('node:http');
const test = require('node:test');
const { listen } = require('./support/load.js');
const { Sonde, exited, profileRun } = require('./support/sonde.js');
const { load, startTarget } = require('./support/target.js');

test('a profile is taken once more, of another process', async (t) => {
  const sonde = new Sonde(t);
  const file = sonde.document('run.yaml', profileRun('slow', [{ name: 'a', durationSeconds: 1 }]));
  const first = await startTarget(t);
  exited(await sonde.run(['run', file, '--pid', String(first.pid)]), 0);
  const second = await startTarget(t);
  load(t, second.port);
  const again = await sonde.run(['rerun', 'slow', '--pid', String(second.pid), '--name', 'fixed']);
  exited(again, 0);
  assert.match(again.stdout, new RegExp(`process ${second.pid}`));
  const runs = await sonde.runs();
  assert.deepEqual(
    runs.map(({ name }) => name),
    ['fixed', 'slow'],
  );
  const report = await sonde.report('fixed');
  assert.deepEqual(
    report.captures.map(({ name }) => name),
    ['a'],
  );
});

test('a load test of a document is carried out once more, one of options is not', async (t) => {
  let requests = 0;
  const server = http.createServer((_, response) => {
    requests++;
    response.end('hello');
  });
  const url = `http://127.0.0.1:${await listen(t, server)}/`;
  const sonde = new Sonde(t);
  const spec = {
    ...{ target: { url }, connections: 2, arrival: { amount: 100 } },
    scenario: { requests: [{ name: 'one', path: '/' }] },
  };
  const document = { apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest', spec };
  const text = JSON.stringify({ ...document, metadata: { name: 'spike' } });
  await sonde.run(['run', sonde.document('test.json', text)]);
  assert.equal(requests, 100);
  const again = await sonde.run(['rerun', 'spike', '--output', 'json']);
  assert.equal(requests, 200, again.stderr);
  const names = (await sonde.runs()).map(({ name }) => name);
  assert.deepEqual(names, ['spike', 'spike']);
  await sonde.run(['load', url, '-a', '10', '--name', 'typed']);
  const refused = await sonde.run(['rerun', 'typed']);
  exited(refused, 2);
  assert.match(refused.stderr, /typed was made by options/);
  exited(await sonde.run(['rerun', 'nothing']), 3);
  exited(await sonde.run(['rerun', 'spike', '--name', 'no/name']), 2);
});
