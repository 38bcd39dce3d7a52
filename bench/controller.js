// SPDX-License-Identifier: Apache-2.0
'use strict';

// What the controller costs where nothing happens: it is started outside of the test cluster, whose
// API server has been given many pods that no kubelet runs.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');
const measure = require('./measure.js');
const {
  call,
  create,
  get,
  list,
  patch,
  pathOf,
  remove,
} = require('../tests/cluster/operator/support/api.js');
const { until } = require('../tests/cluster/operator/support/wait.js');

const { atEnd, checkProgram, cpuSeconds, machine, main, memory, parse, root, start } = measure;
const options = parse({
  pods: 10000,
  nodes: 100,
  seconds: 60,
  controller: 'build/release/bin/sonde-controller',
});
const namespace = `bench-controller-${process.pid}`;
const leases = 'kube-node-lease';
const beatMilliseconds = 5000;
const label = 'bench.sonde.dev/node';
const atOnce = 64;
const readySeconds = 120;
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

// Runs `action` for 0…count-1, so many at the same time.
async function each(count, action) {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      await action(next++);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const statusOf = (kind, space, name, status) =>
  call('PATCH', `${pathOf(kind, space, name)}/status`, {
    object: { status },
    type: 'application/merge-patch+json',
  });

const nodeName = (index) => `bench-${index % options.nodes}`;

async function makeNode(index) {
  const name = nodeName(index);
  await create({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { [label]: 'yes' } } });
  const conditions = [{ type: 'Ready', status: 'True' }];
  await statusOf('Node', undefined, name, { conditions });
}

// What a kubelet does: without it the nodes, and with them all pods, change after seconds.
async function beat(index) {
  const name = nodeName(index);
  const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTime() };
  const apiVersion = 'coordination.k8s.io/v1';
  const found = await get('Lease', leases, name);
  await (found
    ? patch('Lease', leases, name, { spec })
    : create({ apiVersion, kind: 'Lease', metadata: { name, namespace: leases }, spec }));
}

const microTime = () => new Date().toISOString().replace('Z', '000Z');

// About what a pod of a Deployment has.
async function makePod(index) {
  const name = `web-5d95b4d657-${String(index).padStart(5, '0')}`;
  const labels = { app: 'web', 'pod-template-hash': '5d95b4d657', version: 'v1', team: 'clinic' };
  const image = 'registry.example/clinic/web:1.2.3';
  await create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations: { 'example.com/a': 'x'.repeat(500) } },
    spec: {
      nodeName: nodeName(index),
      automountServiceAccountToken: false,
      containers: [{ name: 'web', image }],
    },
  });
  await statusOf('Pod', namespace, name, {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [
      { name: 'web', image, imageID: image, ready: true, restartCount: 0, state: { running: {} } },
    ],
  });
}

async function cleanUp() {
  // No kubelet will say that they have ended.
  await call('DELETE', `${pathOf('Pod', namespace)}?gracePeriodSeconds=0`).catch(console.error);
  await remove('Namespace', undefined, namespace);
  for (const { metadata } of await list('Node', undefined, `labelSelector=${label}%3Dyes`)) {
    await remove('Node', undefined, metadata.name);
    await remove('Lease', leases, metadata.name);
  }
}

function metrics(port) {
  return new Promise((resolve, reject) => {
    http
      .get({ port, path: '/metrics', agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => {
          text += part;
        });
        response.on('end', () => resolve(text));
      })
      .on('error', reject);
  });
}

const sum = (text, name) =>
  [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
    (all, [, value]) => all + Number(value),
    0,
  );

async function measured() {
  const directory = measure.temporaryDirectory();
  const file = (name) => path.join(directory, name);
  fs.writeFileSync(file('token'), 'none');
  fs.writeFileSync(
    file('ca'),
    fs.readFileSync(path.join(root, 'build/cluster/run/certificates/ca.crt')),
  );
  let log = '';
  const begin = Date.now();
  const job = start(checkProgram(options.controller), [
    ...['--kubeconfig', path.join(root, 'build/cluster/kubeconfig'), '--no-election'],
    ...['--store', 'https://127.0.0.1:1', '--store-token-file', file('token')],
    ...[
      '--store-ca-file',
      file('ca'),
      '--sidecar-image',
      'none',
      '--namespace',
      namespace,
      '--listen',
      '127.0.0.1:0',
    ],
  ]);
  job.child.stderr.on('data', (text) => {
    log += text;
  });
  const port = () => Number(/"port":(\d+)/.exec(log)?.[1]);
  await until(port, readySeconds, 'the controller listens');
  await until(
    async () => sum(await metrics(port()), 'sonde_objects') >= options.pods,
    readySeconds,
    'the caches are filled',
  );
  const filled = Date.now() - begin;
  const first = await metrics(port());
  const cpu = cpuSeconds(job.pid);
  console.log(
    `${options.pods} pods on ${options.nodes} nodes are known after ${filled} ms, with ` +
      `${sum(first, 'sonde_api_requests_total')} requests that were answered in full ` +
      `(${sum(first, 'sonde_lists_total')} lists and ${sum(first, 'sonde_watches_total')} watches ` +
      'begun; held to 100), and ' +
      `${cpu.toFixed(2)} s of CPU`,
  );
  const before = await metrics(port());
  const cpuBefore = cpuSeconds(job.pid);
  await delay(options.seconds * 1000);
  const after = await metrics(port());
  const share = (cpuSeconds(job.pid) - cpuBefore) / options.seconds;
  const requests = (text) => sum(text, 'sonde_api_requests_total');
  const { rss, peak } = memory(job.pid);
  console.log(
    `then in ${options.seconds} s: ${(100 * share).toFixed(2)} % of a core (held to 1 %), ` +
      `${requests(after) - requests(before)} requests (held to none but watches)`,
  );
  console.log(`memory: ${mebibytes(rss)}, peak ${mebibytes(peak)} (held to 32 MiB)`);
}

main(async () => {
  console.log(machine());
  try {
    await create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    const account = () => get('ServiceAccount', namespace, 'default');
    await until(account, readySeconds, 'the namespace has its account');
    await each(options.nodes, makeNode);
    const beats = setInterval(
      () => each(options.nodes, beat).catch(console.error),
      beatMilliseconds,
    );
    atEnd(() => clearInterval(beats));
    await each(options.pods, makePod);
    await measured();
  } finally {
    await cleanUp();
  }
});
