// SPDX-License-Identifier: Apache-2.0
'use strict';

// The certificates that a controller makes, for the store and for its own webhook.

const assert = require('node:assert/strict');
const { X509Certificate } = require('node:crypto');
const https = require('node:https');
const { test } = require('node:test');
const { makePair, split } = require('./support/certificates.js');
const { conditionWords, open, until } = require('./support/cluster.js');
const { temporary } = require('./support/sonde.js');

// Asks a controller's webhook as the API server does: {status, json}.
async function review(controller, authority, text) {
  await controller.says(/"the webhook listens"/);
  const port = Number(/"the webhook listens".*?"port":(\d+)/.exec(controller.stderr())[1]);
  const servername = 'sonde-controller.sonde-system.svc';
  const options = { method: 'POST', port, path: '/requester', ca: authority, servername };
  return new Promise((resolve, reject) => {
    const request = https.request({ ...options, agent: false }, async (response) => {
      const parts = await response.toArray();
      resolve({ status: response.statusCode, json: JSON.parse(Buffer.concat(parts)) });
    });
    request.on('error', reject);
    request.end(text);
  });
}

const question = (more) =>
  JSON.stringify({
    ...{ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' },
    request: {
      ...{ uid: 'u-1', operation: 'CREATE', object: { metadata: { name: 'slow' } } },
      userInfo: { username: 'ann' },
      ...more,
    },
  });

test('every replica tells the API server who makes a run, trusted by one authority', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const system = 'sonde-system';
  let denied = true;
  cluster.answer = ({ method, kind, inside }, response) => {
    const refused = denied && method === 'POST' && kind === 'secrets' && inside === system;
    if (refused) {
      cluster.status(response, 403, 'Forbidden', 'not today');
    }
    return refused;
  };
  const both = [0, 1].map(() => clinic.controller(['--webhook', '127.0.0.1:0']));
  const health = async (controller) =>
    (await fetch(`http://127.0.0.1:${await controller.port()}/readyz`)).status;
  await until(() => cluster.asked('POST', `/${system}/secrets`).length, 20000, 'an authority');
  assert.deepEqual(await Promise.all(both.map(health)), [503, 503]);
  denied = false;
  for (const controller of both) {
    await until(async () => (await health(controller)) === 200, 20000, 'readiness');
    const secret = cluster.get('secrets', 'sonde-store-ca', system);
    const authority = Buffer.from(secret.data['tls.crt'], 'base64').toString();
    const { status, json } = await review(controller, authority, question());
    assert.equal(status, 200);
    assert.equal(json.response.uid, 'u-1');
    assert.deepEqual(JSON.parse(Buffer.from(json.response.patch, 'base64')), [
      { op: 'add', path: '/metadata/annotations', value: { 'sonde.dev/requester': 'ann' } },
    ]);
    const changed = await review(controller, authority, question({ operation: 'UPDATE' }));
    assert.deepEqual(changed.json.response, { uid: 'u-1', allowed: true });
    assert.equal((await review(controller, authority, '{}')).status, 400);
    await assert.rejects(review(controller, clinic.store.authority, question()), /certificate/);
  }
});

const system = 'sonde-system';
const storeNames = ['', '.svc', '.svc.cluster.local']
  .map((end) => `sonde-store.${system}${end}`)
  .concat('sonde-store');
const encode = (text) => Buffer.from(text).toString('base64');

// The Secrets as they are, decoded: {authority, server, trusted}.
function secretsOf(cluster) {
  const entry = (name, key) =>
    Buffer.from(cluster.get('secrets', name, system)?.data[key] ?? '', 'base64').toString();
  return {
    authority: entry('sonde-store-ca', 'tls.crt'),
    server: entry('sonde-store-tls', 'tls.crt'),
    trusted: entry('sonde-store-tls', 'ca.crt'),
  };
}

// A controller that finds these two in its Secrets.
async function withSecrets(t, { authority, server, labels = ours, more = [] }) {
  const clinic = await open(t);
  const { cluster } = clinic;
  const make = (name, pair, marks, rest) =>
    cluster.make(
      'secrets',
      { name, namespace: system, labels: marks },
      { data: { 'tls.crt': encode(pair.certificate), 'tls.key': encode(pair.key), ...rest } },
    );
  make('sonde-store-ca', authority, ours);
  make('sonde-store-tls', server, labels, { 'ca.crt': encode(authority.certificate) });
  const controller = clinic.controller(['--no-election', ...more], { authority: false });
  return { clinic, cluster, controller };
}

const ours = { 'app.kubernetes.io/managed-by': 'sonde' };
const young = { begins: -1, ends: 1000 };
const old = { begins: -1000, ends: 100 };

test('the store’s certificate is renewed before it ends, and when its names are others', async (t) => {
  const directory = temporary(t);
  const authority = makePair(directory, 'authority', young);
  const issue = (life, names) =>
    makePair(directory, 'store', { issuer: authority, names, ...life });
  for (const server of [issue(old, storeNames), issue(young, storeNames.slice(1))]) {
    const { cluster } = await withSecrets(t, { authority, server });
    const isNew = () => secretsOf(cluster).server !== server.certificate;
    await until(isNew, 15000, 'a new certificate');
    const now = secretsOf(cluster);
    const certificate = new X509Certificate(now.server);
    assert.ok(certificate.verify(new X509Certificate(authority.certificate).publicKey));
    assert.deepEqual(
      storeNames.filter((name) => !certificate.checkHost(name)),
      [],
    );
    assert.ok(Date.parse(certificate.validTo) > Date.now() + 80 * 86400000);
    assert.equal(now.authority, authority.certificate);
    assert.deepEqual(split(now.trusted), [authority.certificate]);
  }
});

test('a certificate of somebody else is left alone, whatever it is', async (t) => {
  const directory = temporary(t);
  const authority = makePair(directory, 'authority', young);
  const server = makePair(directory, 'store', { issuer: authority, names: ['other'], ...old });
  const { cluster } = await withSecrets(t, { authority, server, labels: {} });
  cluster.run('slow');
  // It trusts what the Secret says, and asks the store, which has another certificate.
  assert.equal(conditionWords(await cluster.ends('slow', 40000)), 'False StoreUnreachable');
  assert.equal(secretsOf(cluster).server, server.certificate);
  assert.deepEqual(cluster.asked('PATCH', '/secrets'), []);
});

test('while an authority is replaced, the one before is trusted too', async (t) => {
  const directory = temporary(t);
  const authority = makePair(directory, 'authority', old);
  const server = makePair(directory, 'store', { issuer: authority, names: storeNames, ...old });
  const { cluster, controller } = await withSecrets(t, {
    ...{ authority, server },
    more: ['--webhook', '127.0.0.1:0'],
  });
  await until(() => secretsOf(cluster).server !== server.certificate, 15000, 'a new certificate');
  const now = secretsOf(cluster);
  assert.notEqual(now.authority, authority.certificate);
  assert.deepEqual(split(now.trusted), [now.authority, authority.certificate]);
  const { publicKey } = new X509Certificate(now.authority);
  assert.ok(new X509Certificate(now.server).verify(publicKey));
  const { status } = await review(controller, now.authority, question());
  assert.equal(status, 200);
  await assert.rejects(review(controller, authority.certificate, question()), /certificate/);
});

test('the webhook has a certificate of a new authority while it serves', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const both = [0, 1].map(() => clinic.controller(['--webhook', '127.0.0.1:0']));
  const leads = (one) => one.stderr().includes('"leading"');
  const leader = await until(() => both.find(leads), 20000, 'a leader');
  const other = both.find((one) => one !== leader);
  await until(() => secretsOf(cluster).authority, 20000, 'an authority');
  const first = secretsOf(cluster).authority;
  assert.equal((await review(other, first, question())).status, 200);
  const next = makePair(temporary(t), 'authority', young);
  const secret = structuredClone(cluster.get('secrets', 'sonde-store-ca', system));
  secret.data = { 'tls.crt': encode(next.certificate), 'tls.key': encode(next.key) };
  cluster.put('secrets', secret);
  // Who begins to lead looks at the Secrets at once.
  leader.child.kill('SIGKILL');
  await leader.done;
  const isTrusted = (authority) =>
    review(other, authority, question()).then(
      ({ status }) => status === 200,
      () => false,
    );
  await until(() => isTrusted(next.certificate), 40000, 'a certificate of the new authority');
  await assert.rejects(review(other, first, question()), /certificate/);
});
