// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde run` with LoadTests: the same as the options of `sonde load`.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const test = require('node:test');
const { listen } = require('./support/load.js');
const { Sonde, exited } = require('./support/sonde.js');
const { startTarget } = require('./support/target.js');

async function serve(t, answer) {
  const requests = [];
  const server = http.createServer((request, response) => {
    requests.push({ url: request.url, headers: request.headers });
    answer(request, response);
  });
  const port = await listen(t, server);
  return { url: `http://127.0.0.1:${port}`, requests };
}

const ok = (_, response) => response.end('{}');

function loadTest(name, spec) {
  return JSON.stringify({
    apiVersion: 'sonde.dev/v1alpha1',
    kind: 'LoadTest',
    metadata: { name },
    spec: { scenario: { requests: [{ name: 'list', path: '/list' }] }, ...spec },
  });
}

async function run(sonde, text, ...words) {
  const file = sonde.document('loadtest.json', text);
  return sonde.run(['run', file, '--output', 'json', ...words]);
}

test('a document is carried out, and kept under its name', async (t) => {
  const { url, requests } = await serve(t, (request, response) => {
    const knows = request.url === '/sign-in' || request.headers.authorization === 'Bearer of-ada';
    response.statusCode = knows ? 200 : 403;
    response.end('{"token": "of-ada"}');
  });
  const sonde = new Sonde(t);
  fs.writeFileSync(path.join(path.dirname(sonde.store), 'users.csv'), 'user\nada\n');
  const text = loadTest('sign-in', {
    target: { url },
    scenario: {
      order: 'Sequence',
      data: { user: { configMapRef: { name: 'users', key: 'users.csv' } } },
      requests: [
        {
          name: 'sign-in',
          method: 'POST',
          path: '/sign-in',
          body: '{"user": "{{user}}"}',
          extract: [{ name: 'token', pointer: '/token' }],
        },
        {
          name: 'visits',
          path: '/visits',
          headers: { Authorization: 'Bearer {{token}}' },
          expect: { status: 200 },
        },
      ],
      headersFrom: [{ name: 'X-Key', secretKeyRef: { name: 'keys', key: 'key' } }],
    },
    http: { timeoutMilliseconds: 5000 },
    arrival: { stages: [{ durationSeconds: 2, rate: 40 }] },
    warmUpSeconds: 1,
    connections: 4,
    thresholds: ['http_req_failed: rate<0.01', 'http_req_failed{name:visits}: rate<0.01'],
  });
  const refused = await run(sonde, text);
  exited(refused, 2);
  assert.match(refused.stderr, /header X-Key is from a Secret, which only a cluster has: give it/);
  const result = await run(sonde, text, '-H', 'X-Key: of-the-options');
  const all = JSON.parse(result.stdout);
  exited(result, all.sonde.valid ? 0 : 99);
  assert.equal(all.sonde.sent, 80);
  assert.equal(all.sonde.warmUp.sent, 40);
  assert.equal(requests.length, 120);
  assert.ok(requests.every((request) => request.headers['x-key'] === 'of-the-options'));
  assert.equal(all.mismatches, 0);
  assert.deepEqual(all.sonde.parts.map((part) => part.name).sort(), ['sign-in', 'visits']);
  assert.equal(all.sonde.thresholds.length, 2);
  const [kept] = await sonde.runs();
  assert.equal(kept.name, 'sign-in');
  assert.equal(kept.kind, 'LoadTest');
});

test('a run may be called otherwise than its document, which may have only a beginning', async (t) => {
  const { url } = await serve(t, ok);
  const sonde = new Sonde(t);
  const named = loadTest('spike', { target: { url }, arrival: { amount: 5 } });
  const generated = named.replace('"name":"spike"', '"generateName":"nightly-"');
  assert.notEqual(generated, named);
  exited(await run(sonde, named, '--name', 'main'), 0);
  exited(await run(sonde, generated), 0);
  const names = (await sonde.runs()).map(({ name }) => name);
  assert.deepEqual(names.sort(), ['main', 'nightly']);
  exited(await run(sonde, `${named}\n---\n${generated}`, '--name', 'main'), 2);
  const wrong = await run(sonde, named.replace('"name":"spike"', '"generateName":"-"'));
  exited(wrong, 2);
  assert.match(wrong.stderr, /metadata\.generateName: must be what a name .* begins with/);
});

test('abortOnFail ends a test, another threshold does not', async (t) => {
  const { url } = await serve(t, (_, response) => {
    response.statusCode = 503;
    response.end();
  });
  const sonde = new Sonde(t);
  const spec = { target: { url }, arrival: { rate: 50, durationSeconds: 3 }, delayAbortSeconds: 1 };
  const never = 'http_req_failed: rate<0.5';
  const goesOn = await run(sonde, loadTest('goes-on', { ...spec, thresholds: [never] }));
  exited(goesOn, 99);
  assert.equal(JSON.parse(goesOn.stdout).sonde.sent, 150);
  const ended = await run(sonde, loadTest('ended', { ...spec, abortOnFail: [never] }));
  exited(ended, 99);
  assert.ok(JSON.parse(ended.stdout).sonde.sent < 140);
});

test('captures of a document are taken from the process meanwhile', async (t) => {
  const target = await startTarget(t);
  const sonde = new Sonde(t);
  const text = loadTest('profiled', {
    target: { url: `http://127.0.0.1:${target.port}` },
    scenario: { requests: [{ name: 'work', path: '/work' }] },
    arrival: { durationSeconds: 8 },
    connections: 2,
    profile: {
      delaySeconds: 1,
      captures: [
        { name: 'where', type: 'CPUProfile', durationSeconds: 2 },
        { name: 'loop', type: 'EventLoop', durationSeconds: 1 },
      ],
    },
  });
  const result = await run(sonde, text, '--pid', String(target.pid));
  exited(result, 0);
  const [taken] = JSON.parse(result.stdout).sonde.profiles;
  assert.equal(taken.failure, undefined);
  assert.equal(taken.type, 'where');
  assert.match(taken.title, /of the busy time is spent in hotSpot/);
  const kept = await sonde.report(taken.run);
  assert.deepEqual(
    kept.captures.map((capture) => capture.type),
    ['CPUProfile', 'EventLoop'],
  );
  await target.isAsBefore();
});

test('interrupted in the first of several, the others are left out, and it has failed', async (t) => {
  const began = Promise.withResolvers();
  const { url, requests } = await serve(t, (request, response) => {
    ok(request, response);
    began.resolve();
  });
  const sonde = new Sonde(t);
  const spec = { target: { url }, arrival: { rate: 50, durationSeconds: 300 } };
  const other = { ...spec, scenario: { requests: [{ name: 'other', path: '/other' }] } };
  const file = sonde.document('all.json', `${loadTest('a', spec)}\n---\n${loadTest('b', other)}`);
  const running = sonde.start(['run', file]);
  await Promise.race([began.promise, running.done]);
  // Once: the second one would end the program as it stands.
  running.child.kill('SIGINT');
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /1 of 2 documents were not begun/);
  assert.ok(requests.every((request) => request.url === '/list'));
});

test('a test that is not over by its deadline is ended, and invalid', async (t) => {
  const { url } = await serve(t, ok);
  const sonde = new Sonde(t);
  const spec = { target: { url }, arrival: { amount: 1000000000000 }, activeDeadlineSeconds: 10 };
  const result = await run(sonde, loadTest('endless', spec));
  exited(result, 1);
  const { sonde: own } = JSON.parse(result.stdout);
  assert.equal(own.invalidReason, 'it was not over after 10 s (activeDeadlineSeconds)');
});

test('the deadline is that of all trials of a search', async (t) => {
  const { url } = await serve(t, ok);
  const search = { startRate: 10, maxRate: 1000, trialSeconds: 5 };
  const spec = { target: { url }, search, thresholds: ['http_req_failed: rate<0.5'] };
  const text = loadTest('endless-search', { ...spec, activeDeadlineSeconds: 10 });
  const result = await run(new Sonde(t), text);
  exited(result, 99);
  const { sonde: own } = JSON.parse(result.stdout);
  assert.equal(own.invalidReason, 'it was not over after 10 s (activeDeadlineSeconds)');
  assert.equal(own.search.end, 'interrupted');
  assert.ok(own.search.trials.length < 3, result.stdout);
});

test('what cannot be carried out from here is said, and nothing is sent', async (t) => {
  const { url, requests } = await serve(t, ok);
  const sonde = new Sonde(t);
  const arrival = { rate: 10, durationSeconds: 1 };
  const tls = { caSecretKeyRef: { name: 'trust', key: 'ca.crt' } };
  const profileRun = {
    apiVersion: 'sonde.dev/v1alpha1',
    kind: 'ProfileRun',
    metadata: { name: 'beside' },
    spec: {
      target: { podName: 'any' },
      captures: [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 1 }],
    },
  };
  for (const [text, says] of [
    [loadTest('a', { target: { url }, arrival, paused: true }), /spec\.paused: it is true/],
    [
      loadTest('a', { target: { url }, arrival, http: { tls } }),
      /spec\.http\.tls\.caSecretKeyRef: is in a Secret.*--ca FILE/,
    ],
    [
      `${loadTest('a', { target: { url }, arrival })}\n---\n${JSON.stringify(profileRun)}`,
      /a ProfileRun beside a LoadTest/,
    ],
    [loadTest('a', { target: { service: { name: 'clinic' } }, arrival }), /clinic\.default\.svc/],
    [
      loadTest('a', { target: { url: 'http://127.0.0.1:1/' }, arrival, http: { pipelining: 0 } }),
      /spec\.http\.pipelining/,
    ],
  ]) {
    const result = await run(sonde, text);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, says);
  }
  assert.equal(requests.length, 0);
});
