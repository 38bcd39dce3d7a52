// SPDX-License-Identifier: Apache-2.0
'use strict';

// What a run takes in a real cluster, in which Sonde is installed: from its creation to the first
// sample and to the end, the memory of the sidecar and of the programs, and many runs at once.

const fs = require('node:fs');
const http = require('node:http');
const { machine, main, memory, parse, quantile } = require('./measure.js');
const {
  again,
  container,
  processOf,
  sidecarProcess,
} = require('../tests/cluster/operator/support/pods.js');
const { Run, condition, cpu } = require('../tests/cluster/operator/support/run.js');
const { Space } = require('../tests/cluster/operator/support/space.js');
const { leader, podsOf } = require('../tests/cluster/operator/support/system.js');

const options = parse({ single: 20, pods: 10, seconds: 5, together: 100, targets: 50 });
const controlGroups = '/sys/fs/cgroup/memory';
const togetherSeconds = 600;
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const milliseconds = (values) =>
  `p50 ${quantile(values, 0.5).toFixed(0)} ms, p90 ${quantile(values, 0.9).toFixed(0)} ms, ` +
  `largest ${Math.max(...values).toFixed(0)} ms`;

// What Space wants of a test.
const cleanUps = [];
const asTest = { after: (action) => cleanUps.push(action), diagnostic: () => {} };

// The largest use of a container's control group, with the pages of its files, and what is not
// backed by a file.
function groupMemory(pid) {
  const line = fs
    .readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .find((one) => one.split(':')[1] === 'memory');
  const directory = `${controlGroups}${line.split(':')[2]}`;
  const read = (name) => fs.readFileSync(`${directory}/${name}`, 'utf8');
  const stat = (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(read('memory.stat'))[1]);
  return {
    all: Number(read('memory.max_usage_in_bytes')),
    anonymous: stat('rss'),
  };
}

// One run on a pod that was left alone for a while.
async function single(space, pod, index) {
  const begin = Date.now();
  const run = await Run.apply(space, {
    pod,
    name: `single-${index}`,
    captures: [cpu(options.seconds)],
  });
  await run.reaches('Attached');
  const pid = await sidecarProcess(pod, run.container);
  const used = { ...groupMemory(pid), ...memory(pid) };
  const ended = await run.succeeds();
  const told = Date.now();
  return {
    attached: Date.parse(condition(ended, 'Attached').lastTransitionTime) - begin,
    extra: told - begin - options.seconds * 1000,
    ...used,
  };
}

async function singles(space, pods) {
  const results = [];
  for (let i = 0; i < options.single; i++) {
    results.push(await single(space, pods[i % pods.length], i));
  }
  const all = (name) => results.map((one) => one[name]);
  console.log(`creation → sampling: ${milliseconds(all('attached'))} (held to p50 ≤ 800 ms)`);
  console.log(
    `creation → Succeeded is seen, without the ${options.seconds} s: ${milliseconds(all('extra'))} ` +
      '(held to 1500 ms)',
  );
  console.log(
    `sidecar while capturing, largest: ${mebibytes(Math.max(...all('peak')))} (VmHWM), control ` +
      `group ${mebibytes(Math.max(...all('all')))} with file pages, ` +
      `${mebibytes(Math.max(...all('anonymous')))} without (held to ≤ 16 MiB)`,
  );
}

// Prometheus's text of a pod, as {name: value}; a name has its labels.
function metrics(pod) {
  return new Promise((resolve, reject) => {
    http
      .get({ host: pod.status.podIP, port: 8080, path: '/metrics', agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => {
          text += part;
        });
        response.on('end', () => {
          const lines = text.split('\n').filter((line) => /^\w+(?:\{\S*\})? [\d.e+-]+$/.test(line));
          resolve(Object.fromEntries(lines.map((line) => line.split(' '))));
        });
      })
      .on('error', reject);
  });
}

// The 99th percentile of what was added to a histogram: between which bounds it lies, in seconds.
function p99(name, before, after) {
  const start = `${name}_bucket{le="`;
  const bounds = Object.keys(after)
    .filter((key) => key.startsWith(start))
    .map((key) => ({ bound: key.slice(start.length, -2), added: after[key] - before[key] }));
  const all = after[`${name}_count`] - before[`${name}_count`];
  const above = bounds.findIndex(({ added }) => added >= 0.99 * all);
  return `${above > 0 ? bounds[above - 1].bound : 0}–${bounds[above].bound} s`;
}

function reasons(runs) {
  const counts = {};
  for (const { reason } of runs.map((run) => condition(run, 'Succeeded'))) {
    counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return Object.entries(counts)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');
}

// As many runs as are asked for at the same moment, over the pods in turn.
async function together(space, pods) {
  const before = await metrics(await leader());
  const begin = Date.now();
  const runs = await Promise.all(
    Array.from({ length: options.together }, (_, i) =>
      Run.apply(space, {
        pod: pods[i % pods.length],
        name: `together-${i}`,
        captures: [cpu(options.seconds)],
      }),
    ),
  );
  const created = Date.now();
  const all = await Promise.all(runs.map((run) => run.ended(togetherSeconds)));
  const ended = Date.now();
  const after = await metrics(await leader());
  const waits = Number(
    after.sonde_queue_wait_seconds_count - before.sonde_queue_wait_seconds_count,
  );
  const sum = Number(after.sonde_queue_wait_seconds_sum - before.sonde_queue_wait_seconds_sum);
  console.log(
    `${options.together} runs at once over ${pods.length} pods: made in ` +
      `${((created - begin) / 1000).toFixed(1)} s, all over after ` +
      `${((ended - begin) / 1000).toFixed(1)} s: ${reasons(all)}`,
  );
  console.log(
    `queue: ${waits} keys waited ${((1000 * sum) / waits).toFixed(2)} ms (mean), p99 ` +
      `${p99('sonde_queue_wait_seconds', before, after)}, longest since ` +
      `the start ${(1000 * Number(after.sonde_queue_wait_seconds_max)).toFixed(0)} ms ` +
      '(held to p99 ≤ 1 s)',
  );
}

async function programs() {
  for (const name of ['sonde-controller', 'sonde-store']) {
    for (const pod of await podsOf(name)) {
      const { rss, peak } = memory(processOf(await again(pod)));
      console.log(`${pod.metadata.name}: ${mebibytes(rss)}, peak ${mebibytes(peak)}`);
    }
  }
}

main(async () => {
  console.log(machine());
  try {
    const space = await Space.make(asTest);
    const few = await space.deployment('few', options.pods);
    await singles(space, few);
    // All nodes are this machine: what is targeted must leave room for what is measured.
    const idle = [container({ env: { BUSY_PERCENT: 0.2 } })];
    const many = await space.deployment('many', options.targets, idle);
    await together(space, many);
    await programs();
  } finally {
    for (const action of cleanUps.reverse()) {
      await action();
    }
  }
});
