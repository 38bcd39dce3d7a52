// SPDX-License-Identifier: Apache-2.0
'use strict';

// Sonde installed for one namespace, with a volume: it works there, leaves others alone, and what
// it keeps outlives the store's pod.

const assert = require('node:assert/strict');
const { before, test } = require('node:test');
const { serving } = require('../support/manifests.js');
const { create, get, patch, remove } = require('./support/api.js');
const { cluster, kubectl } = require('./support/cluster.js');
const { Person } = require('./support/people.js');
const { Run } = require('./support/run.js');
const { Space } = require('./support/space.js');
const system = require('./support/system.js');
const { until } = require('./support/wait.js');

const namespace = 'sonde-system';
const directory = '/var/lib/sonde-store-test';
const untouchedSeconds = 5;
const startSeconds = 60;
const ours = ['sonde-controller', 'sonde-reader'];

async function done(args) {
  const { code, stdout, stderr } = await kubectl(args, { seconds: 180 });
  assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

// On the first node alone, so that the store's next pod finds it again. A volume of this kind
// belongs to whom its directory belongs to.
async function volume() {
  await cluster(
    'enter',
    '1',
    'install',
    '-d',
    '-m',
    '700',
    '-o',
    '65532',
    '-g',
    '65532',
    directory,
  );
  const term = { key: 'kubernetes.io/hostname', operator: 'In', values: ['node1'] };
  await create({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'sonde-store-test' },
    spec: {
      capacity: { storage: '10Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: { namespace, name: 'sonde-store' },
      hostPath: { path: directory },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [term] }] } },
    },
  });
}

async function restore(overlay) {
  await done(['delete', '--kustomize', overlay, '--ignore-not-found', '--timeout=120s']);
  await remove('PersistentVolume', undefined, 'sonde-store-test');
  await cluster('enter', '1', 'rm', '-rf', directory);
  await cluster('install');
  await system.recovered();
}

before(() => system.recovered());

test('for one namespace, and with a volume', async (t) => {
  const [space, other] = await Promise.all([Space.make(t), Space.make(t)]);
  const [pod, otherPod] = await Promise.all([space.pod('target'), other.pod('target')]);
  await done(['delete', '--kustomize', 'manifests/overlays/test', '--timeout=120s']);
  await volume();
  let overlay;
  t.after(() => restore(overlay));
  overlay = serving(t, space.name);
  await done(['apply', '--kustomize', overlay]);
  await until(
    async () => (await get('Deployment', namespace, 'sonde-store')) !== undefined,
    startSeconds,
    'the store',
  );
  await system.available('sonde-store');
  await system.available('sonde-controller');
  for (const name of ours) {
    assert.equal(await get('ClusterRoleBinding', undefined, name), undefined);
  }
  const left = await Run.apply(other, { pod: otherPod });
  const run = await Run.apply(space, { pod });
  await run.succeeds();
  await run.attachedOnce(pod);
  await run.leftNothing(pod);
  const since = Date.now();
  await until(
    async () => {
      assert.equal((await left.get()).status?.conditions, undefined);
      return Date.now() - since > untouchedSeconds * 1000;
    },
    untouchedSeconds * 2,
    'nothing happens elsewhere',
  );
  await left.neverTouched(otherPod);

  const person = await Person.make(t, space, 'ann', 'edit');
  const report = async () => (await person.kubectl(['sonde', 'report', 'profile'])).stdout;
  const before = await until(report, startSeconds, 'the report');
  await patch('Deployment', namespace, 'sonde-store', { spec: { replicas: 0 } });
  const gone = async () => (await system.podsOf('sonde-store')).length === 0;
  await until(gone, startSeconds, 'the pod of the store is gone');
  await patch('Deployment', namespace, 'sonde-store', { spec: { replicas: 1 } });
  await system.available('sonde-store');
  assert.equal(await until(report, startSeconds, 'the report'), before);
});
