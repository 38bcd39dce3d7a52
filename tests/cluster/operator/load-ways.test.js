// SPDX-License-Identifier: Apache-2.0
'use strict';

// The ways of a person to load tests, from the document to the verdict, and what the requests are
// made of: Secrets, certificates, ConfigMaps, recordings and descriptions.

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { makePair } = require('../../component/support/certificates.js');
const { get, list } = require('./support/api.js');
const { Load, closed, loaded, reached, target } = require('./support/load.js');
const { Person } = require('./support/people.js');
const pods = require('./support/pods.js');
const { condition } = require('./support/run.js');
const { Space } = require('./support/space.js');
const system = require('./support/system.js');

const requester = 'sonde-requester';
const tokenBytes = 16;
const amount = 120;

before(() => system.recovered());
after(() => system.leader());

// A test of so many requests, each answered after 50 ms.
const document = (name, spec) => ({
  ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest', metadata: { name } },
  spec: {
    target: { service: { name: 'web' } },
    scenario: { requests: [{ name: 'one', path: '/load' }] },
    ...closed(amount),
    ...spec,
  },
});

// Ann, who may make load tests, and a service for her.
async function begun(t) {
  const space = await Space.make(t);
  const targets = await target(space, { env: { SLOW_MS: 50, BUSY_PERCENT: 0.2 } });
  const ann = await Person.make(t, space, 'ann', requester);
  const write = (object) => {
    const file = path.join(ann.directory, `${object.metadata.name}.json`);
    fs.writeFileSync(file, JSON.stringify(object));
    return file;
  };
  const sonde = async (code, ...args) => {
    const result = await ann.kubectl(['sonde', ...args]);
    assert.equal(result.code, code, `${args.join(' ')}: ${result.stderr}${result.stdout}`);
    return result;
  };
  return { space, targets, ann, write, sonde };
}

describe('kubectl sonde', { concurrency: 1 }, () => {
  test('run waits, reports, and ends with the code of the verdict', async (t) => {
    const { targets, write, sonde } = await begun(t);
    const good = await sonde(0, 'run', write(document('good')), '--wait');
    assert.match(good.stderr, /loadtest\/good created/);
    assert.match(good.stdout, new RegExp(`${amount} answered, 0 failed`));
    assert.equal(await loaded(targets), amount);
    const slow = { thresholds: ['http_req_duration: p(50)<20'] };
    const broken = await sonde(99, 'run', write(document('broken', slow)), '--wait');
    assert.match(broken.stderr, /ThresholdBroken/);
    const json = await sonde(0, 'run', write(document('said')), '--output', 'json');
    assert.equal(JSON.parse(json.stdout).runs[0].name, 'said');
  });

  test('watch draws it while it goes on, rerun makes it again', async (t) => {
    const { space, targets, write, sonde } = await begun(t);
    const long = document('long', closed(800));
    await sonde(0, 'run', write(long), '--no-wait');
    await reached(targets, 20);
    const watched = await sonde(0, 'watch', 'long');
    const seconds = watched.stdout.match(/^\d+ s .*\/s .*p50 .*p99 .* active$/gm) ?? [];
    assert.ok(seconds.length >= 3, watched.stdout);
    await sonde(0, 'rerun', 'long', '--name', 'long-again');
    const again = await get('LoadTest', space.name, 'long-again');
    assert.equal(again.metadata.annotations['sonde.dev/rerun-of'], 'long');
    assert.equal(again.status.requests, 800);
  });

  test('check holds one against another, for CI servers; report and export tell of it', async (t) => {
    const { ann, write, sonde } = await begun(t);
    // (Of a baseline there must be ten seconds.)
    for (const name of ['main', 'pull']) {
      await sonde(0, 'run', write(document(name, closed(1000))), '--wait');
    }
    // Where the machine was busier the second time, that is told.
    const check = ['sonde', 'check', 'pull', '--baseline', 'main', '--format'];
    const { code, stdout } = await ann.kubectl([...check, 'json']);
    const said = JSON.parse(stdout);
    const { state } = said.checks.find(({ kind }) => kind === 'baseline');
    const verdicts = { 0: ['Passed', 'passed'], 98: ['Regression', 'failed'] };
    assert.deepEqual([said.verdict, state], verdicts[code], stdout);
    const junit = await ann.kubectl([...check, 'junit']);
    assert.equal(junit.code, code);
    assert.match(junit.stdout, /<testsuite/);
    assert.match((await sonde(0, 'compare', 'main', 'pull')).stdout, /may be chance|slower|faster/);
    const report = JSON.parse((await sonde(0, 'report', 'pull', '--format', 'json')).stdout);
    assert.equal(report.name, 'pull');
    const page = await sonde(0, 'report', 'pull', '--format', 'html');
    assert.match(page.stdout, /^<!doctype html>/i);
    assert.match((await sonde(0, 'export', 'pull', '--format', 'csv')).stdout, /^[a-z_]+,/m);
    assert.match((await sonde(0, 'runs')).stdout, /pull +LoadTest +Succeeded/);
  });

  test('run-now does not wait for the night', async (t) => {
    const { space, ann, sonde } = await begun(t);
    const { spec } = document('nightly');
    const object = {
      ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTestSchedule' },
      ...{ metadata: { name: 'nightly' }, spec: { schedule: '@yearly', testTemplate: { spec } } },
    };
    assert.equal((await ann.apply(JSON.stringify(object))).code, 0);
    await sonde(0, 'run-now', 'nightly');
    const [made] = await list('LoadTest', space.name);
    assert.match(made.metadata.name, /^nightly-now-[a-z0-9]{5}$/);
    assert.equal(made.metadata.ownerReferences[0].name, 'nightly');
    assert.equal(made.status.requests, amount);
  });
});

test('a token in a Secret reaches the service, and nobody else', async (t) => {
  const token = randomBytes(tokenBytes).toString('hex');
  const space = await Space.make(t);
  const [pod] = await target(space, { env: { TOKEN: token } });
  const stringData = { authorization: `Bearer ${token}` };
  await space.create('v1', 'Secret', 'entry', { stringData });
  const secretKeyRef = { name: 'entry', key: 'authorization' };
  const load = await Load.apply(space, {
    ...closed(amount),
    scenario: {
      requests: [{ name: 'one', path: '/load', expect: { status: 200 } }],
      headersFrom: [{ name: 'Authorization', secretKeyRef }],
    },
    thresholds: ['http_req_failed: rate<0.001'],
  });
  await load.succeeds();
  const { loaded: count, refused } = await pods.answer(pod);
  assert.deepEqual({ count, refused }, { count: amount, refused: 0 });

  const person = await Person.administrator(t, space);
  const places = { status: JSON.stringify(await load.get()) };
  places.events = JSON.stringify(await list('Event', space.name));
  places.job = JSON.stringify(await list('Job', space.name));
  for (const format of ['text', 'json', 'html']) {
    const args = ['sonde', 'report', load.name, '--format', format];
    places[`report as ${format}`] = (await person.kubectl(args)).stdout;
  }
  const raw = ['sonde', 'export', load.name, '--format', 'raw'];
  places.result = (await person.kubectl(raw)).stdout;
  const programs = ['sonde-controller', 'sonde-store'].map((name) => system.podsOf(name));
  for (const one of [...(await Promise.all(programs)).flat(), ...(await load.runners())]) {
    places[`the log of ${one.metadata.name}`] = await pods.logOf(one);
    places[`the pod ${one.metadata.name}`] = JSON.stringify(await pods.again(one));
  }
  for (const [place, text] of Object.entries(places)) {
    assert.ok(!text.includes(token), `${place} has the token`);
  }
  for (const place of ['status', 'report as text', 'result']) {
    assert.ok(places[place].length > 100, `${place}: ${places[place]}`);
  }

  // Without it the service refuses: so it was looked at.
  const without = await Load.apply(space, {
    ...closed(amount),
    name: 'without',
    thresholds: ['http_req_failed: rate<0.001'],
  });
  await without.fails('ThresholdBroken');
});

test('a certificate in a Secret opens a service that asks for one', async (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sonde-certificates-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const space = await Space.make(t);
  const valid = { begins: -1, ends: 1 };
  const issuer = makePair(directory, 'authority', valid);
  const names = [`web.${space.name}.svc`];
  const server = makePair(directory, 'server', { issuer, names, ...valid });
  const client = makePair(directory, 'client', { issuer, names: ['runner'], ...valid });
  const env = {
    TLS_CERTIFICATE: server.certificate,
    TLS_KEY: server.key,
    TLS_AUTHORITY: issuer.certificate,
  };
  const targets = await target(space, { env });
  await space.create('v1', 'Secret', 'trust', { stringData: { authority: issuer.certificate } });
  await space.create('v1', 'Secret', 'runner', {
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': client.certificate, 'tls.key': client.key },
  });
  const tls = { caSecretKeyRef: { name: 'trust', key: 'authority' } };
  const spec = {
    ...closed(amount),
    target: { service: { name: 'web', port: 443, scheme: 'HTTPS' } },
  };
  const http = { tls: { ...tls, clientCertificateSecretName: 'runner' } };
  await (await Load.apply(space, { ...spec, http })).succeeds();
  assert.equal(await loaded(targets), amount);
  const without = await Load.apply(space, { ...spec, name: 'without', http: { tls } });
  const ended = await without.ended();
  assert.equal(condition(ended, 'Succeeded').reason, 'Invalid', JSON.stringify(ended.status));
  assert.match(condition(ended, 'Succeeded').message, /tlsClient/);
  assert.equal(await loaded(targets), amount);
});

describe('requests are made of a ConfigMap', { concurrency: 1 }, () => {
  // How often each URL was asked for.
  async function asked(t, data, scenario) {
    const space = await Space.make(t);
    const [pod] = await target(space);
    await space.create('v1', 'ConfigMap', 'files', { data: data(space) });
    await (await Load.apply(space, { ...closed(amount), connections: 1, scenario })).succeeds();
    const { urls } = await pods.answer(pod);
    return Object.fromEntries(Object.entries(urls).map(([url, { count }]) => [url, count]));
  }

  const fileOf = (key) => ({ name: 'files', key });

  test('values of a column', async (t) => {
    const id = { configMapRef: fileOf('ids.csv'), order: 'Sequential' };
    const requests = [{ name: 'one', path: '/load?id={{id}}' }];
    const csv = () => ({ 'ids.csv': 'id,name\n1,ada\n2,grace\n3,mary\n' });
    const each = amount / 3;
    const wanted = { '/load?id=1': each, '/load?id=2': each, '/load?id=3': each };
    assert.deepEqual(await asked(t, csv, { data: { id }, requests }), wanted);
  });

  test("a browser's recording", async (t) => {
    const har = ({ name }) => {
      const entry = (url) => ({ request: { method: 'GET', url, headers: [] } });
      const here = `http://web.${name}.svc`;
      const urls = [`${here}/load/a`, `${here}/load/b`, 'http://elsewhere.example/load/c'];
      return { 'visit.har': JSON.stringify({ log: { entries: urls.map(entry) } }) };
    };
    const scenario = { configMapRef: { ...fileOf('visit.har'), format: 'HAR' }, order: 'Sequence' };
    const half = amount / 2;
    assert.deepEqual(await asked(t, har, scenario), { '/load/a': half, '/load/b': half });
  });

  test("a description of the service's API", async (t) => {
    const openapi = () => ({
      'api.yaml': `openapi: 3.1.0
info: {title: loads, version: "1"}
paths:
  /load/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}, example: 7}]
      responses: {"200": {description: it}}
`,
    });
    const scenario = { configMapRef: { ...fileOf('api.yaml'), format: 'OpenAPI' } };
    assert.deepEqual(await asked(t, openapi, scenario), { '/load/7': amount });
  });
});
