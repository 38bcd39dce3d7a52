// SPDX-License-Identifier: Apache-2.0
'use strict';

// tests/cluster/install, in the cluster that is up.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { before, test } = require('node:test');

const root = path.join(__dirname, '../..');
const cluster = process.env.SONDE_CLUSTER ?? __dirname;

function run(command, ...args) {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
}

function must(command, ...args) {
  const done = run(command, ...args);
  assert.equal(done.status, 0, `${command} ${args.join(' ')}: ${done.stderr}${done.stdout}`);
  return done.stdout;
}

const kubectl = (...args) => must(path.join(cluster, 'kubectl'), ...args);

// {name: [reference, digest]} of what was installed.
function install() {
  const said = must(path.join(__dirname, 'install'));
  const images = [...said.matchAll(/^(\S+\/(\w+):\S+) +(sha256:\w{64}) /gm)];
  return Object.fromEntries(
    images.map(([, reference, name, digest]) => [name, [reference, digest]]),
  );
}

// The Deployments that the overlay has, as they are in the cluster, with their pods.
function deployments() {
  const rendered = kubectl('get', '--output=json', '--kustomize', 'build/images/install');
  const found = JSON.parse(rendered).items.filter(({ kind }) => kind === 'Deployment');
  return found.map((deployment) => {
    const { matchLabels } = deployment.spec.selector;
    const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
    const pods = ['get', 'pods', '--output=json', `--selector=${labels.join(',')}`];
    const listed = JSON.parse(kubectl(...pods, '--namespace', deployment.metadata.namespace));
    const names = listed.items
      .filter(({ metadata }) => !metadata.deletionTimestamp)
      .map(({ metadata }) => metadata.name);
    return { deployment, pods: names.sort() };
  });
}

let images;

before(() => {
  images = install();
});

test('every Deployment is available, with the image that was built', () => {
  const all = deployments();
  const names = all.map(({ deployment }) => deployment.metadata.name).sort();
  assert.deepEqual(names, ['sonde-controller', 'sonde-store']);
  for (const { deployment, pods } of all) {
    const { metadata, spec, status } = deployment;
    assert.equal(status.availableReplicas, spec.replicas, metadata.name);
    assert.equal(pods.length, spec.replicas, metadata.name);
    const [reference, digest] = images[metadata.name.replace('sonde-', '')];
    assert.equal(spec.template.spec.containers[0].image, reference);
    assert.equal(spec.template.metadata.annotations['sonde.dev/image-digest'], digest);
  }
});

test('every node has every image', () => {
  const nodes = JSON.parse(kubectl('get', 'nodes', '--output=json')).items.length;
  const [settings, enter] = ['settings.sh', 'enter'].map((name) => path.join(cluster, name));
  for (let node = 1; node <= nodes; node++) {
    const script = '. "$1"; "$2" "$3" "$bin/ctr" --namespace k8s.io images list';
    const list = must('bash', '-c', script, 'list', settings, enter, String(node));
    for (const [reference, digest] of Object.values(images)) {
      const line = list.split('\n').find((one) => one.startsWith(`${reference} `));
      assert.ok(line?.includes(` ${digest} `), `node ${node} has ${reference} as ${line}`);
    }
  }
});

test('installing again changes nothing', () => {
  const state = () =>
    deployments().map(({ deployment: { metadata }, pods }) => [
      metadata.uid,
      metadata.generation,
      pods,
    ]);
  const old = state();
  assert.deepEqual(install(), images);
  assert.deepEqual(state(), old);
});

test('an overlay that does not exist is refused', () => {
  const done = run(path.join(__dirname, 'install'), '--overlay', 'nothing');
  assert.equal(done.status, 1);
  assert.match(done.stderr, /there is no overlay nothing/);
});
