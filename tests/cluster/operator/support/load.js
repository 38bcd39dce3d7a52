// SPDX-License-Identifier: Apache-2.0
'use strict';

// LoadTests as a person sees them, and the service under load.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { create, get, list, patch, watch } = require('./api.js');
const pods = require('./pods.js');
const { condition, hasEnded, reasons } = require('./run.js');
const { Space } = require('./space.js');
const { until } = require('./wait.js');

const endSeconds = 120;
const reachSeconds = 60;
const startSeconds = 60;
const eventSeconds = 15;
const controlGroups = '/sys/fs/cgroup/cpu';
// Of each second: the cluster's, a node's, all pods', those of a class, a pod's, a container's.
const hasteMicroseconds = [850_000, 400_000, 390_000, 380_000, 40_000, 40_000];

// A Deployment of pods that count, behind a Service; gives its pods. `env` is the service's, `more`
// is put over the pods' spec.
async function target(space, { name = 'web', replicas = 1, env, more } = {}) {
  const made = await space.deployment(name, replicas, [pods.container({ env })], more);
  const ports = [
    { name: 'http', port: 80, targetPort: 8080 },
    { name: 'https', port: 443, targetPort: 8443 },
  ];
  await space.create('v1', 'Service', name, { spec: { selector: { app: name }, ports } });
  return made;
}

// A namespace with a target, and a test of it.
async function underLoad(t, spec, more) {
  const space = await Space.make(t);
  const targets = await target(space, more);
  const load = await Load.apply(space, spec);
  return { space, targets, load };
}

// How many requests these pods have been sent.
async function loaded(targets) {
  const counts = await Promise.all(targets.map((pod) => pods.answer(pod)));
  return counts.reduce((sum, one) => sum + one.loaded, 0);
}

// Until the target has had so many requests.
const reached = (targets, count) =>
  until(async () => (await loaded(targets)) >= count, reachSeconds, `${count} requests`);

// Until the program of the first runner has been started: it may have a part of its way to the
// load behind it, or all.
const started = (load) =>
  until(
    async () => (await load.runners())[0]?.status.containerStatuses?.[0].started,
    reachSeconds,
    'the first runner has started',
  );

// Little, with bounds that hold on any machine: what comes of it is a verdict. In the warm-up the
// runners are hastened.
const gentle = {
  connections: 4,
  warmUpSeconds: 3,
  arrival: { rate: 20, durationSeconds: 20 },
  thresholds: ['http_req_failed: rate<0.5', 'http_req_duration: p(50)<2000'],
  activeDeadlineSeconds: 240,
};
// What the results have of it, and what the service has been sent.
const gentleTotal = gentle.arrival.rate * gentle.arrival.durationSeconds;
const gentleSent = gentleTotal + gentle.arrival.rate * gentle.warmUpSeconds;

// Each connection sends when it has its answer, so none is sent late, whatever the machine does.
// Answered after SLOW_MS, it takes amount × SLOW_MS ÷ connections.
const closed = (amount) => ({
  ...gentle,
  warmUpSeconds: 0,
  arrival: { amount },
  thresholds: ['http_req_failed: rate<0.5'],
});

// That the machine was too busy to measure on is no verdict about what is tested: then it is tried
// again. `attempt` gives the test when it has ended; this gives the last one.
async function believed(t, attempt, tries = 3) {
  for (let i = 1; ; i++) {
    const ended = await attempt();
    const { reason, message } = condition(ended, 'Succeeded');
    const busy = reason === 'Invalid' && /ms late, though a connection was free/.test(message);
    if (!busy || i === tries) {
      return ended;
    }
    t.diagnostic(`try ${i}: ${message}`);
  }
}

function completed(test) {
  assert.equal(condition(test, 'Succeeded').reason, 'Completed', JSON.stringify(test.status));
  return test;
}

// On a machine that others use too a process that wakes is late, and a test that cannot be believed
// says nothing of what is tested. So it is scheduled before others (SCHED_RR), for which its control
// groups must have time of that kind, each no more than the one above it (Linux,
// sched-rt-group.rst).
function hasten(pid) {
  const groups = fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const group = groups.map((line) => line.split(':')).find(([, names]) => names === 'cpu');
  let directory = controlGroups;
  for (const [depth, name] of group[2].split('/').slice(1).entries()) {
    directory = `${directory}/${name}`;
    const file = `${directory}/cpu.rt_runtime_us`;
    if (!fs.existsSync(file)) {
      break;
    }
    if (Number(fs.readFileSync(file, 'utf8')) < hasteMicroseconds[depth]) {
      fs.writeFileSync(file, String(hasteMicroseconds[depth]));
    }
  }
  execFileSync('chrt', ['--all-tasks', '--rr', '--pid', '10', String(pid)]);
}

class Load {
  // Applies one: ten seconds of a hundred requests each, and `spec` over it.
  static async apply(space, { name = 'peak', ...spec } = {}) {
    const made = await create({
      apiVersion: 'sonde.dev/v1alpha1',
      kind: 'LoadTest',
      metadata: { name, namespace: space.name },
      spec: {
        target: { service: { name: 'web' } },
        scenario: { requests: [{ name: 'one', path: '/load' }] },
        arrival: { rate: 100, durationSeconds: 10 },
        ...spec,
      },
    });
    return new Load(space, made);
  }

  constructor(space, { metadata }) {
    Object.assign(this, { space, name: metadata.name, uid: metadata.uid });
  }

  get() {
    return get('LoadTest', this.space.name, this.name);
  }

  watch(done, seconds, what) {
    return watch('LoadTest', this.space.name, this.name, done, seconds, what);
  }

  change(spec) {
    return patch('LoadTest', this.space.name, this.name, { spec });
  }

  // The test as soon as requests are sent.
  async runs(seconds = startSeconds) {
    const done = (test) =>
      (condition(test, 'Running')?.status === 'True' || hasEnded(test)) && test;
    const test = await this.watch(done, seconds, 'runs');
    assert.ok(!hasEnded(test), `it ended before: ${JSON.stringify(test.status)}`);
    return test;
  }

  // As soon as requests are sent, its runners go before all else that the machine does.
  async hasten() {
    await this.runs();
    // The kubelet tells of a container a moment after its program has begun.
    const told = async () => {
      const all = await this.runners();
      return all.every(({ status }) => status.containerStatuses?.[0].containerID) && all;
    };
    for (const runner of await until(told, startSeconds, 'the runners are known')) {
      hasten(pods.processOf(runner));
    }
  }

  async ended(seconds = endSeconds) {
    const test = await this.watch((found) => hasEnded(found) && found, seconds, 'has ended');
    const { reason, message } = condition(test, 'Succeeded');
    assert.ok(reasons.has(reason), `the page of reasons has no ${reason}: ${message}`);
    return test;
  }

  async succeeds(seconds) {
    return completed(await this.ended(seconds));
  }

  async fails(wanted, seconds) {
    const test = await this.ended(seconds);
    const { status, reason, message } = condition(test, 'Succeeded');
    const said = JSON.stringify(test.status);
    assert.equal(status, 'False', said);
    assert.ok([wanted].flat().includes(reason), said);
    assert.match(message, /\S \S/, said);
    return test;
  }

  // The pods of its runners, by their numbers; of a runner that was replaced the newest.
  async runners() {
    const labels = `labelSelector=${encodeURIComponent(`sonde.dev/load-test=${this.uid}`)}`;
    const all = await list('Pod', this.space.name, labels);
    const age = (pod) => Date.parse(pod.metadata.creationTimestamp);
    const found = [];
    for (const pod of all.sort((a, b) => age(a) - age(b))) {
      found[pod.metadata.annotations['batch.kubernetes.io/job-completion-index']] = pod;
    }
    return found;
  }

  async event(reason) {
    const found = async () => {
      const all = await list('Event', this.space.name);
      return all.find((one) => one.regarding.uid === this.uid && one.reason === reason);
    };
    return until(found, eventSeconds, `an Event ${reason} of ${this.name}`);
  }
}

// SIGKILL, to the process of a runner.
function kill(runner) {
  process.kill(pods.processOf(runner), 'SIGKILL');
}

module.exports = {
  Load,
  believed,
  closed,
  completed,
  gentle,
  gentleSent,
  gentleTotal,
  kill,
  loaded,
  reached,
  started,
  target,
  underLoad,
};
