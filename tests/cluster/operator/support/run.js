// SPDX-License-Identifier: Apache-2.0
'use strict';

// ProfileRuns as a person sees them: conditions, reasons, status.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { create, get, list, patch, remove, watch } = require('./api.js');
const { attachments, succeeded } = require('./audit.js');
const { file } = require('./cluster.js');
const pods = require('./pods.js');
const { until } = require('./wait.js');

const attachSeconds = 40;
const endSeconds = 90;
const tidySeconds = 15;
const controllerUser = 'system:serviceaccount:sonde-system:sonde-controller';
const conditionTypes = ['Accepted', 'Attached', 'ArtifactsStored', 'Analyzed', 'Succeeded'];

// The words that the page of reasons explains.
const reasons = new Set(
  [
    ...fs
      .readFileSync(file('docs', 'reference', 'reasons.md'), 'utf8')
      .matchAll(/^\| `(\w+)` \|/gm),
  ].map(([, word]) => word),
);

const cpu = (durationSeconds = 2, name = 'cpu') => ({ name, type: 'CPUProfile', durationSeconds });

const condition = (run, type) => run?.status?.conditions?.find((one) => one.type === type);
const holds = (run, type) => condition(run, type)?.status === 'True';

function hasEnded(run) {
  return ['True', 'False'].includes(condition(run, 'Succeeded')?.status);
}

// Each of these runs was attached to each of its pods exactly once, as the audit trail tells.
async function attachedOnce(space, pairs) {
  const all = (await attachments(space.name)).filter(succeeded);
  for (const [run, targets] of pairs) {
    const mine = all.filter(({ names }) => names.includes(run.container));
    const expected = targets.map(({ metadata }) => metadata.name).sort();
    assert.deepEqual(mine.map(({ pod }) => pod).sort(), expected, run.name);
    for (const { user } of mine) {
      assert.equal(user, controllerUser);
    }
  }
}

class Run {
  // Applies one: `spec` is put over a target, which is a pod, and a capture of two seconds.
  static async apply(space, { pod, name = 'profile', ...spec }) {
    const target = pod ? { target: { podName: pod.metadata.name } } : {};
    const made = await create({
      apiVersion: 'sonde.dev/v1alpha1',
      kind: 'ProfileRun',
      metadata: { name, namespace: space.name },
      spec: { ...target, captures: [cpu()], ...spec },
    });
    return new Run(space, made);
  }

  constructor(space, { metadata }) {
    this.space = space;
    this.name = metadata.name;
    this.uid = metadata.uid;
    this.container = `sonde-${metadata.uid.replaceAll('-', '')}`;
  }

  get() {
    return get('ProfileRun', this.space.name, this.name);
  }

  watch(done, seconds, what) {
    return watch('ProfileRun', this.space.name, this.name, done, seconds, what);
  }

  // The run as soon as the condition is true. When it ends without that, it is an error.
  async reaches(type, seconds = attachSeconds) {
    const done = (run) => (holds(run, type) || hasEnded(run)) && run;
    const run = await this.watch(done, seconds, `is ${type}`);
    assert.ok(holds(run, type), `it ended before: ${JSON.stringify(run.status)}`);
    return run;
  }

  // As soon as it is attached and the inspector of this pod is open.
  async captures(pod) {
    const run = await this.reaches('Attached');
    await pods.inspectorOpens(pod);
    return run;
  }

  async ended(seconds = endSeconds) {
    const run = await this.watch((found) => hasEnded(found) && found, seconds, 'has ended');
    assert.ok(run.status.completionTime, 'it has no completionTime');
    const { reason, message } = condition(run, 'Succeeded');
    assert.ok(reasons.has(reason), `the page of reasons has no ${reason}: ${message}`);
    return run;
  }

  // It ends well: all conditions are true, and the store has its artifacts.
  async succeeds(seconds) {
    const run = await this.ended(seconds);
    const said = JSON.stringify(run.status);
    for (const type of conditionTypes) {
      assert.ok(holds(run, type), `${type} is not true: ${said}`);
    }
    assert.equal(condition(run, 'Succeeded').reason, 'Completed', said);
    assert.ok(run.status.artifacts?.length > 0, said);
    for (const artifact of run.status.artifacts) {
      assert.ok(artifact.bytes > 0 && /^[0-9a-f]{64}$/.test(artifact.sha256), said);
    }
    for (const target of run.status.targets) {
      assert.equal(target.state, 'Succeeded', said);
    }
    return run;
  }

  // It ends with one of these reasons, and says more than the word.
  async fails(wanted, seconds) {
    const run = await this.ended(seconds);
    const { status, reason, message } = condition(run, 'Succeeded');
    const said = JSON.stringify(run.status);
    assert.equal(status, 'False', said);
    assert.ok([wanted].flat().includes(reason), said);
    assert.match(message, /\S \S/, said);
    return run;
  }

  cancel() {
    return patch('ProfileRun', this.space.name, this.name, { spec: { cancel: true } });
  }

  delete() {
    return remove('ProfileRun', this.space.name, this.name);
  }

  gone(seconds) {
    return this.watch((run) => !run, seconds, 'is gone');
  }

  // An Event of that reason tells of it: {type, note}. They come a moment later than the status.
  async event(reason) {
    const found = async () => {
      const all = await list('Event', this.space.name);
      return all.find((one) => one.regarding.uid === this.uid && one.reason === reason);
    };
    return until(found, tidySeconds, `an Event ${reason} of ${this.name}`);
  }

  // The token that its sidecar in the pod has for the store.
  async token(pod) {
    const { spec } = await pods.again(pod);
    const { env } = spec.ephemeralContainers.find(({ name }) => name === this.container);
    return env.find(({ name }) => name === 'SONDE_TOKEN').value;
  }

  // Nothing of it is left in this pod, which is as it was before.
  async leftNothing(pod) {
    await pods.inspectorCloses(pod, tidySeconds);
    const now = await pods.again(pod);
    assert.equal(now.metadata.uid, pod.metadata.uid);
    for (const { name, restartCount, lastState } of now.status.containerStatuses) {
      assert.equal(restartCount, 0, `${name} was restarted: ${JSON.stringify(lastState)}`);
    }
    const port = pod.spec.containers[0].ports[0].containerPort;
    assert.ok((await pods.answer(pod, port)).pid > 0);
    const terminated = async () => {
      const { status } = await pods.again(pod);
      const all = status.ephemeralContainerStatuses ?? [];
      return all.every(({ state }) => state.terminated);
    };
    await until(terminated, tidySeconds, `no sidecar runs in ${pod.metadata.name}`);
  }

  // It was attached to each of these pods exactly once, as the audit trail tells.
  attachedOnce(...targets) {
    return attachedOnce(this.space, [[this, targets]]);
  }

  // A pod that was never signalled.
  async neverTouched(pod) {
    assert.equal(pods.listens(pod), false);
    for (const { name } of pod.spec.containers) {
      assert.equal(await pods.inspectorEverOpened(pod, name), false, `${name} was signalled`);
    }
  }
}

module.exports = { Run, attachedOnce, condition, cpu, hasEnded, holds, reasons };
