// SPDX-License-Identifier: Apache-2.0
'use strict';

// LoadTests as a person sees them, and the service under load.

const assert = require('node:assert/strict');
const { create, get, list, patch, watch } = require('./api.js');
const pods = require('./pods.js');
const { condition, hasEnded, reasons } = require('./run.js');
const { until } = require('./wait.js');

const endSeconds = 120;
const startSeconds = 60;
const eventSeconds = 15;

// A Deployment of pods that count, behind a Service; gives its pods.
async function target(space, { name = 'web', replicas = 1 } = {}) {
  const made = await space.deployment(name, replicas);
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
  await space.create('v1', 'Service', name, { spec: { selector: { app: name }, ports } });
  return made;
}

// How many requests these pods have been sent.
async function loaded(targets) {
  const counts = await Promise.all(targets.map((pod) => pods.answer(pod)));
  return counts.reduce((sum, one) => sum + one.loaded, 0);
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

  async ended(seconds = endSeconds) {
    const test = await this.watch((found) => hasEnded(found) && found, seconds, 'has ended');
    const { reason, message } = condition(test, 'Succeeded');
    assert.ok(reasons.has(reason), `the page of reasons has no ${reason}: ${message}`);
    return test;
  }

  async succeeds(seconds) {
    const test = await this.ended(seconds);
    assert.equal(condition(test, 'Succeeded').reason, 'Completed', JSON.stringify(test.status));
    return test;
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

module.exports = { Load, kill, loaded, target };
