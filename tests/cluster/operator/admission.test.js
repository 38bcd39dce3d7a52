// SPDX-License-Identifier: Apache-2.0
'use strict';

// Who made a run, where the cluster does not serve MutatingAdmissionPolicy: the rule is taken away,
// and the API server asks the controllers, as the installation page says.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { blocks } = require('../support/manifests.js');
const { patch } = require('./support/api.js');
const { cluster, file, kubectl, must } = require('./support/cluster.js');
const { Person } = require('./support/people.js');
const { Run } = require('./support/run.js');
const { Space } = require('./support/space.js');
const system = require('./support/system.js');
const { until } = require('./support/wait.js');

const namespace = 'sonde-system';
const forceSeconds = 30;

const document = (name, requester) =>
  JSON.stringify({
    apiVersion: 'sonde.dev/v1alpha1',
    kind: 'ProfileRun',
    metadata: { name, annotations: requester && { 'sonde.dev/requester': requester } },
    spec: {
      target: { podName: 'target' },
      captures: [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 1 }],
    },
  });

async function done(args) {
  const { code, stdout, stderr } = await kubectl(args);
  assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

// The overlay of the tests with the webhook in the place of the rule.
function kustomization(t) {
  const directory = fs.mkdtempSync(file('build/sonde-webhook-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const kinds = ['MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding'];
  const without = kinds.map((kind) => ({
    target: { kind, name: 'sonde-requester' },
    patch: JSON.stringify({ $patch: 'delete', kind, metadata: { name: 'sonde-requester' } }),
  }));
  const made = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: ['../../manifests/overlays/test'],
    components: ['../../manifests/components/requester-webhook'],
    patches: without,
  };
  fs.writeFileSync(path.join(directory, 'kustomization.yaml'), JSON.stringify(made));
  return directory;
}

// The page's command, with the cluster's kubectl as `kubectl`.
async function trustTheControllers() {
  const [block] = blocks('webhook');
  const command = block.trimEnd().replace(/^\$ /, '');
  const kubectlHere = path.join(process.env.SONDE_CLUSTER ?? file('tests/cluster'), 'kubectl');
  const script = `set -o pipefail; kubectl() { "$0" "$@"; }; ${command}`;
  await must('bash', ['-c', script, kubectlHere]);
}

before(() => system.recovered());
after(async () => {
  await done(['delete', 'mutatingwebhookconfiguration/sonde-requester', '--ignore-not-found']);
  await done(['-n', namespace, 'delete', 'service/sonde-controller', '--ignore-not-found']);
  await cluster('install');
  await system.recovered();
});

test('the API server asks the controllers who makes a run', async (t) => {
  const space = await Space.make(t);
  const person = await Person.make(t, space, 'ann', 'sonde-requester');
  const create = (name, requester) =>
    person.kubectl(['create', '--filename=-'], { input: document(name, requester) });
  await space.pod('target');
  const directory = kustomization(t);
  for (const kind of ['mutatingadmissionpolicybinding', 'mutatingadmissionpolicy']) {
    await done(['delete', `${kind}/sonde-requester`, '--ignore-not-found']);
  }
  await done(['apply', '--kustomize', directory]);
  await done(['-n', namespace, 'rollout', 'status', 'deployment/sonde-controller']);
  const before = await until(
    async () => {
      const { code, stderr } = await create('untrusted');
      return code !== 0 && stderr.includes('requester.sonde.dev') && stderr;
    },
    forceSeconds,
    'a run is refused before the controllers are trusted',
  );
  assert.match(before, /certificate/);

  await trustTheControllers();
  const made = await until(
    async () => (await create('made', 'eve')).code === 0,
    forceSeconds,
    'a run is made once they are',
  );
  assert.ok(made);
  const object = JSON.parse(await done(['-n', space.name, 'get', 'prun/made', '-o', 'json']));
  assert.deepEqual(object.metadata.annotations['sonde.dev/requester'], person.user);
  assert.equal((await new Run(space, object).succeeds()).status.requester, person.user);

  await patch('Deployment', namespace, 'sonde-controller', { spec: { replicas: 0 } });
  const alone = async () => (await system.podsOf('sonde-controller')).length === 0;
  await until(alone, forceSeconds, 'the controllers are gone');
  const refused = await create('unasked');
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /requester\.sonde\.dev/);
});
