// SPDX-License-Identifier: Apache-2.0
'use strict';

// Sonde's own Deployments: which controller leads, what ends them, and that they are well.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { get, list, patch, remove, watch } = require('./api.js');
const { cluster } = require('./cluster.js');
const { processOf } = require('./pods.js');
const { until } = require('./wait.js');

const namespace = 'sonde-system';
const controller = 'sonde-controller';
const store = 'sonde-store';
const readySeconds = 120;

async function podsOf(name) {
  const { spec } = await get('Deployment', namespace, name);
  const labels = Object.entries(spec.selector.matchLabels).map(([key, value]) => `${key}=${value}`);
  return list('Pod', namespace, `labelSelector=${encodeURIComponent(labels.join(','))}`);
}

const alive = ({ metadata, status }) => !metadata.deletionTimestamp && status.phase === 'Running';

const holder = async () => (await get('Lease', namespace, controller))?.spec.holderIdentity ?? '';

// The pod of the controller that leads: the Lease names it, and its process is there.
function leader(seconds = readySeconds) {
  return until(
    async () => {
      const name = await holder();
      const all = (await podsOf(controller)).filter(alive);
      const found = all.find(({ metadata }) => name.startsWith(metadata.name));
      return found && processOf(found) && found;
    },
    seconds,
    'a controller leads',
  );
}

// SIGKILL, to the process itself.
function kill(pod) {
  process.kill(processOf(pod), 'SIGKILL');
}

function available(name) {
  const done = ({ spec, status, metadata } = { spec: {}, status: {}, metadata: {} }) =>
    status.observedGeneration === metadata.generation &&
    status.updatedReplicas === spec.replicas &&
    status.replicas === spec.replicas &&
    status.availableReplicas === spec.replicas;
  return watch('Deployment', namespace, name, done, readySeconds, 'is available');
}

// Both are as they should be. What has crashed is made anew: the longer its pod crashes, the longer
// it is kept waiting.
async function recovered() {
  for (const pod of [...(await podsOf(controller)), ...(await podsOf(store))]) {
    if (pod.status.containerStatuses?.some(({ restartCount }) => restartCount > 0)) {
      await remove('Pod', namespace, pod.metadata.name, { gracePeriodSeconds: 0 });
    }
  }
  await available(controller);
  await available(store);
  return leader();
}

async function scaleStore(replicas) {
  await patch('Deployment', namespace, store, { spec: { replicas } });
  if (replicas > 0) {
    return available(store);
  }
  return until(async () => (await podsOf(store)).length === 0, readySeconds, 'the store is gone');
}

// The image of the sidecars, as the controllers are told it.
async function sidecarImage() {
  const { spec } = await get('Deployment', namespace, controller);
  const { args, env = [] } = spec.template.spec.containers[0];
  const words = args.flatMap((word) => word.split('='));
  const told = words[words.indexOf('--sidecar-image') + 1];
  return told.replace(/\$\((\w+)\)/g, (_, name) => env.find((one) => one.name === name).value);
}

// The image of the sidecars and runners, which the node of this number does not have until the test
// ends.
async function withoutImage(t, number) {
  const image = await sidecarImage();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sonde-image-'));
  const kept = path.join(directory, 'sidecar.tar');
  const ctr = (...args) =>
    cluster('enter', number, 'ctr', '--namespace', 'k8s.io', 'images', ...args);
  await ctr('export', kept, image);
  t.after(async () => {
    await ctr('import', kept);
    fs.rmSync(directory, { recursive: true });
  });
  await ctr('rm', '--sync', image);
  return image;
}

module.exports = {
  available,
  holder,
  kill,
  leader,
  podsOf,
  recovered,
  scaleStore,
  sidecarImage,
  withoutImage,
};
