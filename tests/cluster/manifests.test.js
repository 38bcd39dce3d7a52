// SPDX-License-Identifier: Apache-2.0
'use strict';

// manifests/ in the cluster: what an installation makes, who may what, whom it refuses, and that
// nothing is left of it. The programs' images need not exist. It installs and removes Sonde several
// times, so it does not begin where Sonde is installed.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { json, kubectl, must, rendered, until } = require('./support/kubectl.js');
const { blocks, commands, rightsOf, serving } = require('./support/manifests.js');

const system = 'sonde-system';
const space = 'clinic'; // the page's
const account = (name) => `system:serviceaccount:${system}:${name}`;
const controller = account('sonde-controller');
const overlay = (name) => `manifests/overlays/${name}`;
const run = '0123456789abcdef0123456789abcdef';
const notHere = ['--ignore-not-found', '--output=name'];

const names = (text) => text.split('\n').filter((line) => line !== '');

// What there is of an overlay, as kind/name. Kinds that are gone have no objects.
async function present(directory) {
  return names(await must(['get', '--kustomize', directory, ...notHere]));
}

async function assertNothingLeft() {
  for (const name of ['cluster', 'namespace', 'test']) {
    assert.deepEqual(await present(overlay(name)), []);
  }
  const kinds = await must(['get', 'customresourcedefinitions', '--output=name']);
  assert.doesNotMatch(kinds, /sonde\.dev/);
}

const create = (object, options) =>
  kubectl(['create', '--filename=-'], { ...options, input: object });
const tryOut = (object, as) =>
  kubectl(['create', '--dry-run=server', '--filename=-'], { as, input: object });

async function assertAllowed(object, as) {
  const { code, stderr } = await tryOut(object, as);
  assert.equal(code, 0, `${as}: ${stderr}`);
}

async function assertRefused(object, as, pattern) {
  const { code, stdout, stderr } = await tryOut(object, as);
  assert.notEqual(code, 0, `${as} was allowed: ${stdout}`);
  assert.match(stderr, pattern);
}

// Objects of each kind.
const sonde = (kind, name, spec, annotations) => ({
  apiVersion: 'sonde.dev/v1alpha1',
  kind,
  metadata: { name, namespace: space, annotations },
  spec,
});
const captures = [{ name: 'cpu', type: 'CPUProfile' }];
const profile = { target: { podName: 'patients-0' }, captures };
const load = (more, scenario) => ({
  target: { service: { name: 'patients', port: 80 } },
  scenario: { requests: [{ name: 'one', path: '/' }], ...scenario },
  arrival: { rate: 10, durationSeconds: 10 },
  ...more,
});
const headersFrom = (...secrets) => ({
  headersFrom: secrets.map((name, index) => ({
    name: `x-${index}`,
    secretKeyRef: { name, key: 'token' },
  })),
});
const profileRun = (name, annotations) => sonde('ProfileRun', name, profile, annotations);
const loadTest = (name, spec) => sonde('LoadTest', name, spec);
const hourly = (template) => ({ schedule: '@hourly', ...template });
const profileSchedule = (name) =>
  sonde('ProfileSchedule', name, hourly({ runTemplate: { spec: profile } }));
const loadTestSchedule = (name, spec) =>
  sonde('LoadTestSchedule', name, hourly({ testTemplate: { spec } }));

// Binds a role, a ClusterRole unless it is `role/NAME`, to a user in the namespace.
async function bind(user, role) {
  const [kind, name] = role.startsWith('role/') ? ['role', role.slice(5)] : ['clusterrole', role];
  const binding = `${user}-${name}`;
  await must([
    '-n',
    space,
    'create',
    'rolebinding',
    binding,
    `--${kind}=${name}`,
    `--user=${user}`,
  ]);
}

// Roles are put together, and rules come into force, a moment after they are made.
async function inForce(user, right) {
  await until(async () => (await rightsOf(user, space)).has(right), `${user} may ${right}`);
}

async function install(directory) {
  await must(['apply', '--kustomize', directory]);
  const kinds = ['customresourcedefinitions', '--selector=sonde.dev/data'];
  await must(['wait', '--for=condition=Established', '--timeout=60s', ...kinds]);
}

async function uninstall(directory) {
  await must(['delete', '--kustomize', directory, '--ignore-not-found', '--timeout=120s'], {
    seconds: 180,
  });
}

const marker = 'sonde-manifests-test';

before(async () => {
  const ours = await must(['get', 'namespace', marker, ...notHere]);
  const found = await must([
    'get',
    'customresourcedefinition',
    'profileruns.sonde.dev',
    ...notHere,
  ]);
  assert.ok(ours !== '' || found === '', 'Sonde is installed: this test would remove it');
  if (ours !== '') {
    await uninstall(overlay('test'));
    await uninstall(overlay('cluster'));
  }
  await must(['delete', 'namespace', space, marker, '--ignore-not-found'], { seconds: 180 });
  await must(['create', 'namespace', marker]);
});

after(async () => {
  await uninstall(overlay('test'));
  await uninstall(overlay('cluster'));
  await must(['delete', 'namespace', space, marker, '--ignore-not-found'], { seconds: 180 });
});

describe('the installation page', () => {
  const tested = blocks('tested');
  const [installing, allowing, outwards, inwards, keeping, removing] = tested;
  const follow = async (block) => {
    for (const args of commands(block)) {
      await must(args, { seconds: 180 });
    }
  };
  const claim = () =>
    must(['-n', system, 'get', 'pvc/sonde-store', '--output=jsonpath={.metadata.uid}']);

  test('its first command installs at once', async () => {
    assert.equal(tested.length, 6);
    await follow(installing);
    const expected = await rendered(overlay('cluster'));
    assert.equal((await present(overlay('cluster'))).length, expected.length);
    await must(['diff', '--kustomize', overlay('cluster')]);
  });

  test('the server accepts every overlay', async () => {
    for (const name of ['cluster', 'namespace', 'test']) {
      await must(['apply', '--dry-run=server', '--kustomize', overlay(name)]);
    }
  });

  test('its commands let a person profile', async () => {
    await follow(allowing);
    await inForce('ann', 'create sonde.dev/profileruns');
    await until(
      async () => (await create(profileRun('kept'), { as: 'ann' })).code === 0,
      'ann may create a run',
    );
  });

  test('without the policy that writes the requester nobody can name another', async () => {
    const as = (requester) => profileRun('named', { 'sonde.dev/requester': requester });
    await assertAllowed(as('ann'), 'ann');
    const refused = 'user "ann" may not name "eve" as the requester';
    await until(async () => (await tryOut(as('eve'), 'ann')).stderr.includes(refused), refused);
  });

  test('its network policies are some', async () => {
    for (const network of [outwards, inwards]) {
      await must(['apply', '--filename=-'], { input: network });
    }
  });

  test('what holds data stays when that is asked for', async () => {
    const uid = await claim();
    await follow(keeping);
    assert.deepEqual((await present(overlay('cluster'))).sort(), [
      'customresourcedefinition.apiextensions.k8s.io/loadtests.sonde.dev',
      'customresourcedefinition.apiextensions.k8s.io/loadtestschedules.sonde.dev',
      'customresourcedefinition.apiextensions.k8s.io/profileruns.sonde.dev',
      'customresourcedefinition.apiextensions.k8s.io/profileschedules.sonde.dev',
      `namespace/${system}`,
      'persistentvolumeclaim/sonde-store',
    ]);
    await follow(installing);
    assert.equal(await claim(), uid);
    await must(['-n', space, 'get', 'profilerun/kept']);
  });

  test('its last command leaves nothing', async () => {
    await follow(removing);
    await assertNothingLeft();
  });
});

describe('in the whole cluster', () => {
  const served = [
    'get sonde.dev/profileruns',
    'list sonde.dev/profileruns',
    'watch sonde.dev/profileruns',
    'create sonde.dev/profileruns',
    'patch sonde.dev/profileruns',
    'delete sonde.dev/profileruns',
    'patch sonde.dev/profileruns/status',
    ...['profileschedules', 'loadtestschedules'].flatMap((kind) => [
      ...['get', 'list', 'watch'].map((verb) => `${verb} sonde.dev/${kind}`),
      `patch sonde.dev/${kind}/status`,
    ]),
    'create authorization.k8s.io/localsubjectaccessreviews',
    'get /pods',
    'list /pods',
    'watch /pods',
    'patch /pods/ephemeralcontainers',
    'get apps/deployments',
    'get apps/statefulsets',
    'get apps/daemonsets',
    'get apps/replicasets',
    'get batch/jobs',
    'create events.k8s.io/events',
    'patch events.k8s.io/events',
    'create batch/jobs',
    'create sonde.dev/loadtests',
    'patch sonde.dev/loadtests',
    'delete batch/jobs',
    'delete sonde.dev/loadtests',
    'get /namespaces',
    'get /services',
    'get sonde.dev/loadtests',
    'list discovery.k8s.io/endpointslices',
    'list sonde.dev/loadtests',
    'patch sonde.dev/loadtests/status',
    'watch sonde.dev/loadtests',
  ];
  const own = [
    'create /secrets',
    'get /secrets sonde-store-ca',
    'get /secrets sonde-store-tls',
    'update /secrets sonde-store-ca',
    'update /secrets sonde-store-tls',
    'patch /secrets sonde-store-ca',
    'patch /secrets sonde-store-tls',
    'create coordination.k8s.io/leases',
    'get coordination.k8s.io/leases sonde-controller',
    'update coordination.k8s.io/leases sonde-controller',
  ];
  const reviews = [
    'create authentication.k8s.io/tokenreviews',
    'create authorization.k8s.io/subjectaccessreviews',
  ];
  const reads = [
    'get sonde.dev/profileruns',
    'list sonde.dev/profileruns',
    'get sonde.dev/profileruns/report',
    'get sonde.dev/profileruns/artifacts',
  ];

  // Exactly these rights, besides those that every account of the namespace has.
  async function assertRights(user, namespace, expected) {
    const common = await rightsOf(account('nobody'), namespace);
    const rights = [...(await rightsOf(user, namespace))].filter((right) => !common.has(right));
    assert.deepEqual(rights.sort(), [...new Set(expected)].sort());
  }

  // The API server takes each rule into account a moment after it was made. These two are the last
  // ones of their kinds.
  async function rulesInForce() {
    const sending = loadTest('first', load({}, headersFrom('other')));
    await until(
      async () => (await tryOut(sending, 'cora')).stderr.includes('user "cora" may not send'),
      'the rules',
    );
    const output = "--output=jsonpath={.metadata.annotations['sonde\\.dev/requester']}";
    const args = ['create', '--dry-run=server', '--filename=-', output];
    await until(
      async () => (await kubectl(args, { as: 'ann', input: profileRun('first') })).stdout === 'ann',
      'the requester',
    );
  }

  before(async () => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: space } };
    await must(['apply', '--filename=-'], { input: namespace });
    await install(overlay('test'));
    for (const [user, role] of [
      ['ann', 'edit'],
      ['ann', 'sonde-requester'],
      ['bob', 'edit'],
      ['cora', 'sonde-requester'],
      ['vera', 'view'],
      ['ada', 'admin'],
    ]) {
      await must(['-n', space, 'delete', 'rolebinding', `${user}-${role}`, '--ignore-not-found']);
      await bind(user, role);
    }
    await must(['-n', space, 'delete', 'rolebinding/profilers', '--ignore-not-found']);
    for (const user of ['ann', 'bob']) {
      await inForce(user, 'create sonde.dev/profileruns');
    }
    await rulesInForce();
  });

  after(() => uninstall(overlay('test')));

  test('the programs have the rights that they need, and no other', async () => {
    await assertRights(controller, space, served);
    await assertRights(controller, 'default', served);
    await assertRights(controller, system, [...served, ...own]);
    for (const namespace of [space, system]) {
      await assertRights(account('sonde-store'), namespace, reviews);
      await assertRights(account('sonde-reader'), namespace, reads);
    }
  });

  test('the controller opens no shell and reads no Secret', async () => {
    const questions = [
      ['yes', 'patch', 'pods', '--subresource=ephemeralcontainers'],
      ['no', 'create', 'pods', '--subresource=exec'],
      ['no', 'get', 'pods', '--subresource=log'],
      ['no', 'get', 'secrets'],
      ['no', 'list', 'secrets'],
      ['no', 'create', 'secrets'],
      ['no', 'delete', 'secrets'],
      ['no', 'create', 'pods'],
      ['no', 'create', 'serviceaccounts', '--subresource=token'],
      ['no', 'create', 'clusterrolebindings'],
    ];
    for (const [answer, ...question] of questions) {
      const { stdout } = await kubectl(['-n', space, 'auth', 'can-i', ...question], {
        as: controller,
      });
      assert.equal(stdout.trim(), answer, question.join(' '));
    }
  });

  test('the roles of every cluster include the kinds', async () => {
    const kinds = ['profileruns', 'profileschedules', 'loadtests', 'loadtestschedules'];
    const on = (...verbs) =>
      verbs.flatMap((verb) => kinds.map((kind) => `${verb} sonde.dev/${kind}`));
    const view = [...on('get', 'list', 'watch'), 'get sonde.dev/profileruns/report'];
    const edit = [
      ...view,
      ...on('create', 'delete', 'patch'),
      'get sonde.dev/profileruns/artifacts',
    ];
    const admin = [...edit, 'get sonde.dev/profileruns/heap'];
    await inForce('vera', 'get sonde.dev/profileruns');
    await inForce('ada', 'get sonde.dev/profileruns/heap');
    for (const [user, expected] of [
      ['vera', view],
      ['bob', edit],
      ['ada', admin],
    ]) {
      const rights = await rightsOf(user, space);
      const found = [...rights].filter((right) => right.includes('sonde.dev/'));
      assert.deepEqual(found.sort(), expected.sort());
      assert.ok(!rights.has('patch /pods/ephemeralcontainers'), user);
    }
  });

  test('everybody may knock at the store, at nothing else', async () => {
    const rights = await rightsOf('vera', system);
    assert.deepEqual([...rights].filter((right) => right.includes('proxy')).sort(), [
      'create /services/proxy https:sonde-store:8443',
      'delete /services/proxy https:sonde-store:8443',
      'get /services/proxy https:sonde-store:8443',
    ]);
  });

  test('the pods pass Pod Security restricted', async () => {
    const pods = await until(async () => {
      const { items } = await json(['-n', system, 'get', 'pods']);
      return items.length >= 3 && items;
    }, 'the pods');
    const owners = pods.map((pod) => pod.metadata.labels['app.kubernetes.io/name']);
    assert.deepEqual(owners.sort(), ['sonde-controller', 'sonde-controller', 'sonde-store']);
    const root = structuredClone(pods[0]);
    root.metadata = { name: 'planted', namespace: system };
    root.spec.containers[0].securityContext.allowPrivilegeEscalation = true;
    await assertRefused(root, undefined, /violates PodSecurity "restricted/);
  });

  test('who may not attach is refused, and told why', async () => {
    const refused = new RegExp(
      `user "bob" may not profile the pods of namespace "${space}": .*the right to patch ` +
        `pods/ephemeralcontainers there\\. Ask .* ClusterRole sonde-requester to you`,
    );
    const profiled = load({ profile: { captures } });
    const taking = [
      profileRun('taking'),
      profileSchedule('taking'),
      loadTest('taking', profiled),
      loadTestSchedule('taking', profiled),
    ];
    for (const object of taking) {
      await assertRefused(object, 'bob', refused);
      await assertAllowed(object, 'ann');
    }
    await assertAllowed(loadTest('sending', load()), 'bob');
    await assertAllowed(loadTestSchedule('sending', load()), 'bob');
    await assertRefused(profileRun('seeing'), 'vera', /cannot create resource "profileruns"/);
  });

  test('nor may they change what a schedule takes', async () => {
    await must(['create', '--filename=-'], { as: 'ann', input: profileSchedule('nightly') });
    const patch = (as, document) =>
      kubectl(
        [
          '-n',
          space,
          'patch',
          'profileschedule/nightly',
          '--type=merge',
          '-p',
          JSON.stringify(document),
        ],
        { as },
      );
    const deeper = { spec: { runTemplate: { spec: { target: { podName: 'records-0' } } } } };
    const { code, stderr } = await patch('bob', deeper);
    assert.notEqual(code, 0);
    assert.match(stderr, /user "bob" may not profile/);
    assert.equal((await patch('bob', { metadata: { labels: { team: 'a' } } })).code, 0);
    assert.equal((await patch('ann', deeper)).code, 0);
  });

  test("a load test sends only its author's Secrets", async () => {
    await must([
      '-n',
      space,
      'create',
      'role',
      'one',
      '--verb=get',
      '--resource=secrets',
      '--resource-name=one',
    ]);
    await bind('cora', 'role/one');
    await inForce('cora', 'get /secrets one');
    const sending = (...secrets) => [
      loadTest('sending', load({}, headersFrom(...secrets))),
      loadTestSchedule('sending', load({}, headersFrom(...secrets))),
    ];
    for (const object of [...sending('one'), ...sending('one', 'one', 'one', 'one')]) {
      await assertAllowed(object, 'cora');
    }
    for (const object of [...sending('other'), ...sending('one', 'other')]) {
      await assertRefused(object, 'cora', /user "cora" may not send the Secrets .* get them/);
    }
    const tls = (...secrets) => {
      const [clientCertificateSecretName, name] = secrets;
      const own = { clientCertificateSecretName, caSecretKeyRef: { name, key: 'ca.crt' } };
      const spec = load({ http: { tls: own } });
      return [loadTest('sending', spec), loadTestSchedule('sending', spec)];
    };
    for (const object of tls('one', 'one')) {
      await assertAllowed(object, 'cora');
    }
    for (const object of [...tls('other', 'one'), ...tls('one', 'other')]) {
      await assertRefused(object, 'cora', /user "cora" may not send the Secrets .* get them/);
    }
    for (const object of sending('one', 'two', 'three')) {
      await assertRefused(object, 'cora', /may not send more than two Secrets .* one Secret/);
      await assertAllowed(object, 'ann');
    }
  });

  test('who made it is written down, and stays', async () => {
    const forged = { 'sonde.dev/requester': 'eve', team: 'a' };
    await must(['create', '--filename=-'], { as: 'ann', input: profileRun('forged', forged) });
    const requester = async () =>
      (await json(['-n', space, 'get', 'profilerun/forged'])).metadata.annotations;
    assert.deepEqual(await requester(), { 'sonde.dev/requester': 'ann', team: 'a' });
    for (const change of ['sonde.dev/requester=eve', 'sonde.dev/requester-']) {
      const { code, stderr } = await kubectl(
        ['-n', space, 'annotate', 'profilerun/forged', '--overwrite', change],
        { as: 'ann' },
      );
      assert.notEqual(code, 0);
      assert.match(stderr, /sonde\.dev\/requester cannot be changed: it is "ann"/);
    }
    await must(['-n', space, 'annotate', 'profilerun/forged', 'team=b', '--overwrite'], {
      as: 'ann',
    });
    assert.deepEqual(await requester(), { 'sonde.dev/requester': 'ann', team: 'b' });

    const others = [profileSchedule('p'), loadTest('l', load()), loadTestSchedule('s', load())];
    for (const object of others) {
      const args = ['create', '--dry-run=server', '--filename=-'];
      const made = await json(args, { as: 'ann', input: object });
      const groups = { 'sonde.dev/requester-groups': 'system:authenticated' };
      assert.deepEqual(made.metadata.annotations, {
        'sonde.dev/requester': 'ann',
        ...(object.kind.endsWith('Schedule') && groups),
      });
      assert.deepEqual(made.spec.schedule, object.spec.schedule);
    }
  });

  test('of a schedule it is who changed the spec last', async () => {
    const on = (args, as) => kubectl(['-n', space, ...args], as);
    const change = (as, document) =>
      on(['patch', 'profileschedule/shared', '--type=merge', '-p', JSON.stringify(document)], as);
    const annotations = async () =>
      (await json(['-n', space, 'get', 'profileschedule/shared'])).metadata.annotations;
    await must(['create', '--filename=-'], { as: 'ann', input: profileSchedule('shared') });
    const cora = { as: 'cora', groups: ['night', 'system:authenticated'] };
    assert.equal((await change(cora, { metadata: { labels: { team: 'b' } } })).code, 0);
    assert.equal((await annotations())['sonde.dev/requester'], 'ann');
    assert.equal((await change(cora, { spec: { schedule: '@daily' } })).code, 0);
    assert.deepEqual(await annotations(), {
      'sonde.dev/requester': 'cora',
      'sonde.dev/requester-groups': 'night\nsystem:authenticated',
    });
    for (const forged of ['sonde.dev/requester-groups=all', 'sonde.dev/requester-groups-']) {
      const args = ['annotate', 'profileschedule/shared', '--overwrite', forged];
      const { code, stderr } = await on(args, { as: 'cora' });
      assert.notEqual(code, 0, forged);
      assert.match(stderr, /cannot be changed/);
    }
    // With a change of the spec, what is forged is written over.
    const both = {
      metadata: { annotations: { 'sonde.dev/requester-groups': 'all' } },
      spec: { schedule: '@weekly' },
    };
    assert.equal((await change({ as: 'ann' }, both)).code, 0);
    assert.deepEqual(await annotations(), {
      'sonde.dev/requester': 'ann',
      'sonde.dev/requester-groups': 'system:authenticated',
    });
  });

  test('what the controller makes for a schedule has the name of its requester', async () => {
    const owner = { apiVersion: 'sonde.dev/v1alpha1', kind: 'ProfileSchedule', uid: 'u-1' };
    const made = profileRun('made', { 'sonde.dev/requester': 'ann' });
    const owned = structuredClone(made);
    owned.metadata.ownerReferences = [{ ...owner, name: 'nightly', controller: true }];
    const args = ['create', '--dry-run=server', '--filename=-'];
    const kept = await json(args, { as: controller, input: owned });
    assert.deepEqual(kept.metadata.annotations, { 'sonde.dev/requester': 'ann' });
    await assertRefused(made, controller, /may not name "ann" as the requester/);
    const own = await json(args, { as: 'cora', input: owned });
    assert.deepEqual(own.metadata.annotations, { 'sonde.dev/requester': 'cora' });
  });

  test('what is cancelled stays cancelled', async () => {
    for (const object of [profileRun('ended'), loadTest('ended', load())]) {
      await must(['create', '--filename=-'], { as: 'ann', input: object });
      const cancel = (value) =>
        kubectl(
          [
            '-n',
            space,
            'patch',
            object.kind,
            'ended',
            '--type=merge',
            '-p',
            `{"spec":{"cancel":${value}}}`,
          ],
          { as: 'ann' },
        );
      assert.equal((await cancel(true)).code, 0);
      const { code, stderr } = await cancel(false);
      assert.notEqual(code, 0);
      assert.match(stderr, /spec\.cancel cannot be taken back/);
    }
  });

  test('a heap leaves a process as it is only where the namespace allows it', async () => {
    const snapshot = (more) => ({ name: 'snapshot', type: 'HeapSnapshot', ...more });
    const takes = (...captures) => {
      const run = { ...profile, captures };
      return [
        sonde('ProfileRun', 'raw', run),
        sonde('ProfileSchedule', 'raw', hourly({ runTemplate: { spec: run } })),
        loadTest('raw', load({ profile: { captures } })),
        loadTestSchedule('raw', load({ profile: { captures } })),
      ];
    };
    const raw = [
      ...takes(snapshot(), { ...snapshot({ redaction: 'None' }), name: 'second' }),
      ...takes(snapshot({ exposeNumericValues: true })),
    ];
    const redacted = takes(snapshot(), { ...snapshot({ redaction: 'Strings' }), name: 'second' });
    for (const object of redacted) {
      await assertAllowed(object, 'ann');
    }
    const refused = /does not allow captures with redaction None .* sonde\.dev\/heap-data=allowed/;
    for (const object of raw) {
      await assertRefused(object, 'ann', refused);
    }
    await must(['label', `namespace/${space}`, 'sonde.dev/heap-data=allowed']);
    try {
      for (const object of raw) {
        await assertAllowed(object, 'ann');
      }
    } finally {
      await must(['label', `namespace/${space}`, 'sonde.dev/heap-data-']);
    }
  });

  test('hosts outside of the cluster are loaded where the namespace names them', async () => {
    const at = (url) => [
      loadTest('far', load({ target: { url } })),
      loadTestSchedule('far', load({ target: { url } })),
    ];
    const near = ['http://web.other.svc:8080/a', 'http://patients/', 'http://127.0.0.1:3000'];
    const named = ['https://api.example.com/v1', 'https://a.example.org', 'https://A.example.org'];
    const numbers = ['http://134744072/', 'http://0x08080808/', 'http://01002004010/'];
    const others = [
      ...['https://example.org', 'https://b.a.example.org', 'https://10.1.2.3'],
      ...numbers,
    ];
    const refused = /namespace "clinic" does not allow load on .* sonde\.dev\/load-hosts/;
    for (const object of near.flatMap(at)) {
      await assertAllowed(object, 'bob');
    }
    for (const object of [...named, ...others, 'https://[2001:db8::7]/'].flatMap(at)) {
      await assertRefused(object, 'bob', refused);
    }
    const hosts = 'sonde.dev/load-hosts=api.example.com, *.example.org';
    await must(['annotate', `namespace/${space}`, hosts]);
    try {
      for (const object of named.flatMap(at)) {
        await assertAllowed(object, 'bob');
      }
      for (const object of others.flatMap(at)) {
        await assertRefused(object, 'bob', refused);
      }
      await must(['create', '--filename=-'], { as: 'bob', input: at(named[0])[0] });
    } finally {
      await must(['annotate', `namespace/${space}`, 'sonde.dev/load-hosts-']);
    }
    const cancel = ['patch', 'loadtest/far', '--type=merge', '-p', '{"spec":{"cancel":true}}'];
    await must(['-n', space, ...cancel], { as: 'bob' });
  });

  test('the namespace bounds the rate of load tests', async () => {
    const of = (more) => [loadTest('fast', load(more)), loadTestSchedule('fast', load(more))];
    const stages = (...rates) => rates.map((rate) => ({ rate, durationSeconds: 10 }));
    const search = (maxRate) => ({
      ...{ arrival: undefined, search: { maxRate } },
      thresholds: ['http_req_failed: rate<0.1'],
    });
    const slow = [{ arrival: { rate: 20, durationSeconds: 10 } }, search(20)];
    const fast = [{ arrival: { rate: 21, durationSeconds: 10 } }, search(21)];
    slow.push({ arrival: { stages: stages(10, 20) } });
    fast.push({ arrival: { stages: stages(21, 10) } });
    const refused = /namespace "clinic" allows at most 20 requests a second .*load-max-rate/;
    for (const object of [...slow, ...fast].flatMap(of)) {
      await assertAllowed(object, 'bob');
    }
    await must(['annotate', `namespace/${space}`, 'sonde.dev/load-max-rate=20']);
    try {
      for (const object of slow.flatMap(of)) {
        await assertAllowed(object, 'bob');
      }
      for (const object of [...fast, { arrival: { durationSeconds: 10 } }].flatMap(of)) {
        await assertRefused(object, 'bob', refused);
      }
      await must(['annotate', '--overwrite', `namespace/${space}`, 'sonde.dev/load-max-rate=no']);
      await assertRefused(loadTest('fast', load()), 'bob', /at most 0 requests a second/);
    } finally {
      await must(['annotate', `namespace/${space}`, 'sonde.dev/load-max-rate-']);
    }
  });

  test('the controller makes no Jobs but those of runners', async () => {
    const context = {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    };
    const owner = { apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest', name: 'a', uid: 'u' };
    const job = (pod, container, metadata) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'runners', namespace: space, ownerReferences: [owner], ...metadata },
      spec: {
        activeDeadlineSeconds: 60,
        template: {
          spec: {
            ...{ automountServiceAccountToken: false, restartPolicy: 'Never' },
            securityContext: { runAsNonRoot: true },
            containers: [
              {
                ...{ name: 'runner', image: 'a', command: ['/usr/bin/sonde-runner'] },
                ...{ securityContext: context, ...container },
              },
            ],
            ...pod,
          },
        },
      },
    });
    await assertAllowed(job(), controller);
    const bad = [
      [job({}, {}, { ownerReferences: [] }), /only Jobs that a LoadTest owns/],
      [job({}, { command: ['/bin/sh'] }), /run sonde-runner alone/],
      [job({ serviceAccountName: 'other' }), /have no account/],
      [job({ automountServiceAccountToken: true }), /have no account/],
      [job({ hostNetwork: true }), /no privileges/],
      [job({}, { securityContext: { ...context, privileged: true } }), /no privileges|cannot set/],
      [job({ volumes: [{ name: 'a', hostPath: { path: '/' } }] }), /no volumes but/],
    ];
    for (const [object, pattern] of bad) {
      await assertRefused(object, controller, pattern);
    }
  });

  test('the controller makes no Secrets but its own', async () => {
    const secret = (name, type = 'Opaque', namespace = system) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name,
        namespace,
        annotations: { 'kubernetes.io/service-account.name': 'default' },
      },
      data: { 'tls.crt': '', 'tls.key': '' },
      type,
    });
    const refused = /makes no Secrets but the store's certificates/;
    // (Where the programs' images are on the nodes, the controller has made them.)
    for (const [name, type] of [
      ['sonde-store-ca', 'Opaque'],
      ['sonde-store-tls', 'kubernetes.io/tls'],
    ]) {
      const { code, stderr } = await tryOut(secret(name, type), controller);
      assert.ok(code === 0 || stderr.includes('already exists'), stderr);
    }
    await assertRefused(secret('database'), controller, refused);
    const stolen = secret('sonde-store-ca', 'kubernetes.io/service-account-token');
    await assertRefused(stolen, controller, /makes no Secrets of other types/);
    const elsewhere = secret('sonde-store-tls', 'kubernetes.io/tls', space);
    await assertRefused(elsewhere, controller, /cannot create resource "secrets"/);
    await assertAllowed(secret('database'), undefined);
  });

  test('the controller adds only containers without privileges', async (t) => {
    const securityContext = {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'target', namespace: space },
      spec: {
        automountServiceAccountToken: false,
        containers: [{ name: 'app', image: 'sonde.dev/none:1', imagePullPolicy: 'Never' }],
        volumes: [{ name: 'records', emptyDir: {} }],
      },
    };
    assert.equal((await create(pod)).code, 0);
    let number = 0;
    // Adds a container: {code, stderr}. Without a name of its own it gets that of another run.
    const add = (custom, { name, as = controller } = {}) => {
      number++;
      const called = name ?? `sonde-${number.toString(16).padStart(32, '0')}`;
      const container = path.join(directory, `${number}.json`);
      fs.writeFileSync(container, JSON.stringify({ securityContext, ...custom }));
      const args = ['debug', 'pod/target', '--image=sonde.dev/none:1', `--container=${called}`];
      const shape = ['--profile=baseline', `--custom=${container}`, '--target=app'];
      return kubectl(['-n', space, ...args, ...shape], { as });
    };
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sonde-containers-'));
    t.after(() => fs.rmSync(directory, { recursive: true }));
    const from = (name) => [{ name: 'T', valueFrom: { secretKeyRef: { name, key: 'token' } } }];
    const privileges = /only containers without privileges and capabilities/;
    const sees = /see no volumes, Secrets and ConfigMaps/;

    const first = await add({ env: [{ name: 'A', value: 'b' }] });
    assert.equal(first.code, 0, first.stderr);
    assert.equal((await add({}, { name: `sonde-${run}-look` })).code, 0);
    const refused = [
      [{ env: from('database') }, sees],
      [{ env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'a', key: 'b' } } }] }, sees],
      [{ envFrom: [{ secretRef: { name: 'database' } }] }, sees],
      [{ volumeMounts: [{ name: 'records', mountPath: '/records' }] }, sees],
      [{ securityContext: { ...securityContext, capabilities: { drop: ['KILL'] } } }, privileges],
      [{ securityContext: { ...securityContext, allowPrivilegeEscalation: true } }, privileges],
      [{ securityContext: { privileged: true } }, privileges],
      [
        { securityContext: { ...securityContext, capabilities: { drop: ['ALL'], add: ['KILL'] } } },
        privileges,
      ],
    ];
    for (const [custom, pattern] of refused) {
      const { code, stderr } = await add(custom);
      assert.notEqual(code, 0, JSON.stringify(custom));
      assert.match(stderr, pattern);
    }
    assert.match((await add({}, { name: 'other' })).stderr, /named after a run/);
    // The rules are about the controller alone, and about what it adds.
    assert.equal((await add({ env: from('database') }, { name: 'other', as: null })).code, 0);
    assert.equal((await add({})).code, 0);
  });

  test('the rules are understood by the API server', async () => {
    const { items } = await json(['get', 'validatingadmissionpolicies']);
    const ours = items.filter((policy) => policy.metadata.name.startsWith('sonde-'));
    assert.equal(ours.length, 10);
    for (const { metadata, status } of ours) {
      assert.deepEqual(status.typeChecking, {}, metadata.name);
    }
  });

  test('nothing is left of it', async () => {
    await uninstall(overlay('test'));
    await assertNothingLeft();
  });
});

describe('in one namespace', () => {
  test('the controller has no rights in others', async (t) => {
    const directory = serving(t, space);
    await install(directory);
    const attaching = 'patch /pods/ephemeralcontainers';
    assert.ok((await rightsOf(controller, space)).has(attaching));
    assert.ok((await rightsOf(account('sonde-reader'), space)).has('list sonde.dev/profileruns'));
    for (const user of [controller, account('sonde-reader')]) {
      const common = await rightsOf(account('nobody'), 'default');
      assert.deepEqual(await rightsOf(user, 'default'), common);
    }
    const own = await rightsOf(controller, system);
    assert.ok(own.has('update /secrets sonde-store-tls') && !own.has('delete /secrets'));

    await uninstall(directory);
    await assertNothingLeft();
    assert.deepEqual(await present(directory), []);
  });
});
