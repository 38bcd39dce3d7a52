// SPDX-License-Identifier: Apache-2.0
'use strict';

// What the kustomizations of manifests/ make, without a cluster.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { before, describe, test } = require('node:test');
const { blocks, copied, serving } = require('./support/manifests.js');
const { rendered, root } = require('./support/kubectl.js');

const overlays = ['cluster', 'namespace', 'test'];
const system = 'sonde-system';

const of = (objects, kind) => objects.filter((object) => object.kind === kind);
const idOf = ({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

function one(objects, kind, name) {
  const found = of(objects, kind).filter((object) => object.metadata.name === name);
  assert.equal(found.length, 1, `${kind} ${name}`);
  return found[0];
}

// Every text in an object, with where it stands.
function* texts(value, place = '') {
  if (typeof value === 'string') {
    yield [place, value];
  } else if (value && typeof value === 'object') {
    for (const [key, inner] of Object.entries(value)) {
      yield* texts(inner, `${place}.${key}`);
    }
  }
}

function checkNoWildcard(object) {
  const parts = [object.rules, object.spec?.matchConstraints?.resourceRules];
  for (const [place, text] of texts(parts)) {
    assert.ok(!text.includes('*'), `${idOf(object)}: ${place} is ${text}`);
  }
}

// As Pod Security restricted asks, and more: nothing of the image can be written.
function checkPod(name, pod) {
  assert.deepEqual(pod.securityContext.seccompProfile, { type: 'RuntimeDefault' }, name);
  assert.equal(pod.securityContext.runAsNonRoot, true, name);
  assert.equal(pod.securityContext.runAsUser, 65532, name);
  for (const host of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers']) {
    assert.equal(pod[host], undefined, `${name}: ${host}`);
  }
  for (const container of pod.containers) {
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
    });
    assert.ok(container.resources.requests.cpu && container.resources.limits.memory, name);
    assert.equal(container.livenessProbe.httpGet.path, '/healthz', name);
    assert.equal(container.readinessProbe.httpGet.path, '/readyz', name);
    for (const probe of [container.livenessProbe, container.readinessProbe]) {
      assert.ok(container.ports.some((port) => port.name === probe.httpGet.port));
    }
  }
  for (const volume of pod.volumes ?? []) {
    const { name: called, ...sources } = volume;
    const [source] = Object.keys(sources);
    assert.ok(
      ['persistentVolumeClaim', 'emptyDir', 'secret', 'projected'].includes(source),
      called,
    );
    // Besides the token for the API server there are only those for one program.
    for (const projected of sources.projected?.sources ?? []) {
      assert.equal(projected.serviceAccountToken?.audience, 'sonde-store', called);
    }
  }
}

// Who is named exists.
function checkReferences(objects) {
  const ids = new Set(objects.map(idOf));
  for (const binding of [...of(objects, 'RoleBinding'), ...of(objects, 'ClusterRoleBinding')]) {
    const { kind, name } = binding.roleRef;
    const namespace = kind === 'Role' ? binding.metadata.namespace : '';
    assert.ok(ids.has(`${kind} ${namespace}/${name}`), `${idOf(binding)} names ${kind} ${name}`);
    for (const subject of binding.subjects.filter((each) => each.kind === 'ServiceAccount')) {
      assert.ok(ids.has(`ServiceAccount ${subject.namespace}/${subject.name}`), idOf(binding));
    }
  }
  for (const part of ['Validating', 'Mutating']) {
    const bindings = of(objects, `${part}AdmissionPolicyBinding`);
    const bound = bindings.map((binding) => binding.spec.policyName).sort();
    const policies = of(objects, `${part}AdmissionPolicy`);
    assert.deepEqual(bound, policies.map((policy) => policy.metadata.name).sort());
  }
}

// Services, network policies and budgets find pods.
function checkSelectors(objects) {
  const pods = of(objects, 'Deployment').map((deployment) => deployment.spec.template);
  const selectors = [
    ...of(objects, 'Service').map((object) => object.spec.selector),
    ...of(objects, 'NetworkPolicy').map((object) => object.spec.podSelector.matchLabels),
    ...of(objects, 'PodDisruptionBudget').map((object) => object.spec.selector.matchLabels),
  ];
  for (const selector of selectors) {
    const found = pods.filter((pod) =>
      Object.entries(selector).every(([key, value]) => pod.metadata.labels[key] === value),
    );
    assert.equal(found.length, 1, JSON.stringify(selector));
  }
  const covered = of(objects, 'NetworkPolicy').map((object) => object.metadata.name);
  assert.deepEqual(covered.sort(), ['sonde-controller', 'sonde-store']);
}

for (const overlay of overlays) {
  describe(`manifests/overlays/${overlay}`, () => {
    let objects;
    before(async () => {
      objects = await rendered(`manifests/overlays/${overlay}`);
    });

    test('no object is there twice, and each is part of Sonde', () => {
      assert.equal(new Set(objects.map(idOf)).size, objects.length);
      for (const object of objects) {
        assert.equal(object.metadata.labels['app.kubernetes.io/part-of'], 'sonde', idOf(object));
      }
    });

    test('no right and no rule has a wildcard', () => {
      objects.forEach(checkNoWildcard);
      assert.throws(() => checkNoWildcard({ metadata: {}, rules: [{ verbs: ['*'] }] }));
    });

    test('all that is named is there', () => {
      checkReferences(objects);
      checkSelectors(objects);
    });

    test('the pods have no privileges', () => {
      for (const deployment of of(objects, 'Deployment')) {
        checkPod(deployment.metadata.name, deployment.spec.template.spec);
      }
      const { labels } = one(objects, 'Namespace', system).metadata;
      assert.equal(labels['pod-security.kubernetes.io/enforce'], 'restricted');
    });

    test('tokens are mounted only where the API is used', () => {
      for (const account of of(objects, 'ServiceAccount')) {
        assert.equal(account.automountServiceAccountToken, false, account.metadata.name);
      }
    });

    test('every kind is defined', () => {
      const defined = of(objects, 'CustomResourceDefinition').map((crd) => crd.metadata.name);
      const files = fs
        .readdirSync(path.join(root, 'manifests/crds'))
        .filter((name) => name.startsWith('sonde.dev_'))
        .map((name) => `${path.basename(name, '.yaml').slice('sonde.dev_'.length)}.sonde.dev`);
      assert.ok(files.length >= 4);
      assert.deepEqual(defined.sort(), files.sort());
    });

    test('the store is reached where the programs look for it', () => {
      const store = one(objects, 'Deployment', 'sonde-store').spec.template.spec.containers[0];
      const service = one(objects, 'Service', 'sonde-store');
      const { args } = one(objects, 'Deployment', 'sonde-controller').spec.template.spec
        .containers[0];
      const [port] = service.spec.ports;
      assert.ok(args.includes(`--store=https://sonde-store.${system}.svc:${port.port}`));
      assert.ok(store.ports.some((each) => each.name === port.targetPort));
      assert.ok(store.args.includes(`--listen=0.0.0.0:${store.ports[0].containerPort}`));
    });
  });
}

test('the test overlay needs no volume and no registry', async () => {
  const objects = await rendered('manifests/overlays/test');
  assert.deepEqual(of(objects, 'PersistentVolumeClaim'), []);
  for (const deployment of of(objects, 'Deployment')) {
    assert.equal(deployment.spec.template.spec.containers[0].imagePullPolicy, 'Never');
  }
  const { volumes } = one(objects, 'Deployment', 'sonde-store').spec.template.spec;
  assert.deepEqual(volumes[0], { name: 'data', emptyDir: {} });
});

test('one setting says which namespace is served', async (t) => {
  const objects = await rendered(serving(t, 'clinic'));
  const bindings = of(objects, 'RoleBinding').filter(
    (binding) => binding.metadata.namespace !== system,
  );
  assert.deepEqual(bindings.map(idOf).sort(), [
    'RoleBinding clinic/sonde-served-controller',
    'RoleBinding clinic/sonde-served-reader',
  ]);
  const controller = one(objects, 'Deployment', 'sonde-controller').spec.template.spec;
  const [{ args, env }] = controller.containers;
  assert.ok(args.includes('--namespace=$(SERVED_NAMESPACE)'));
  const served = env.find((variable) => variable.name === 'SERVED_NAMESPACE');
  assert.equal(served.value, 'clinic');
  const everywhere = of(objects, 'ClusterRoleBinding').map((binding) => binding.metadata.name);
  assert.deepEqual(everywhere, ['sonde-store']);
  assert.deepEqual(of(objects, 'ConfigMap'), []);
});

test('the kustomizations of the installation page', async (t) => {
  const [recording, asking, images] = blocks('kustomization');
  const mine = path.join(copied(t), '../mine');
  fs.mkdirSync(mine);
  const make = (text) => {
    fs.writeFileSync(path.join(mine, 'kustomization.yaml'), text);
    return rendered(mine);
  };
  const recorded = await make(recording);
  one(recorded, 'MutatingAdmissionPolicyBinding', 'sonde-requester');

  const asked = await make(asking);
  const { clientConfig, rules } = one(asked, 'MutatingWebhookConfiguration', 'sonde-requester')
    .webhooks[0];
  assert.deepEqual(clientConfig, {
    service: { name: 'sonde-controller', namespace: system, path: '/requester' },
  });
  const recorder = one(recorded, 'MutatingAdmissionPolicy', 'sonde-requester').spec;
  assert.deepEqual(rules, recorder.matchConstraints.resourceRules);
  const { containers } = one(asked, 'Deployment', 'sonde-controller').spec.template.spec;
  const port = containers[0].ports.find(({ name }) => name === 'webhook').containerPort;
  assert.ok(containers[0].args.includes(`--webhook=:${port}`));
  assert.equal(one(asked, 'Service', 'sonde-controller').spec.ports[0].targetPort, 'webhook');
  assert.ok(
    one(asked, 'NetworkPolicy', 'sonde-controller').spec.ingress.some(
      (rule) => !rule.from && rule.ports[0].port === 'webhook',
    ),
  );
  checkSelectors(asked);
  asked.forEach(checkNoWildcard);

  const changed = await make(images);
  const own = 'registry.example/sonde';
  const [controller] = one(changed, 'Deployment', 'sonde-controller').spec.template.spec.containers;
  assert.equal(controller.image, `${own}/controller:0.1.0`);
  assert.ok(controller.args.includes('--sidecar-image=$(SIDECAR_IMAGE)'));
  const values = Object.fromEntries(controller.env.map(({ name, value }) => [name, value]));
  assert.equal(values.SIDECAR_IMAGE, `${own}/sidecar:0.1.0`);
  assert.ok('POD_NAME' in values);
  const [store] = one(changed, 'Deployment', 'sonde-store').spec.template.spec.containers;
  assert.equal(store.image, `${own}/store:0.1.0`);
});
