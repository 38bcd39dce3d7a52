// SPDX-License-Identifier: Apache-2.0
'use strict';

// Runs that end before their time, whoever ends them: no inspector stays open.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { get, watch } = require('./support/api.js');
const pods = require('./support/pods.js');
const { Run, condition, cpu } = require('./support/run.js');
const { Space } = require('./support/space.js');

const long = 120;
const closedSeconds = 10;
const goneSeconds = 60;

// A run whose capture of two minutes has begun: {space, pod, run}.
async function capturing(t, spec = {}) {
  const space = await Space.make(t);
  const pod = await space.pod();
  const run = await Run.apply(space, { pod, captures: [cpu(long)], ...spec });
  await run.captures(pod);
  return { space, pod, run };
}

describe('a run ends before its time', { concurrency: 4 }, () => {
  test('it is cancelled: what was captured by then is kept', async (t) => {
    const { pod, run } = await capturing(t);
    await run.cancel();
    await pods.inspectorCloses(pod, closedSeconds);
    await run.fails('Cancelled');
    await run.leftNothing(pod);
    await run.attachedOnce(pod);
  });

  test('it is cancelled before anything was done', async (t) => {
    const space = await Space.make(t);
    const pod = await space.pod();
    const run = await Run.apply(space, { pod, cancel: true });
    await run.fails('Cancelled');
    await run.neverTouched(pod);
    await run.attachedOnce();
  });

  test('it is deleted: the inspector is closed within 10 s', async (t) => {
    const { pod, run } = await capturing(t);
    await run.delete();
    await pods.inspectorCloses(pod, closedSeconds);
    await run.gone(goneSeconds);
    await run.leftNothing(pod);
  });

  test('its deadline passes: the pods that were done are kept', async (t) => {
    const space = await Space.make(t);
    const all = await space.deployment('web', 3);
    const run = await Run.apply(space, {
      target: { workloadRef: { name: 'web' } },
      podSelection: { policy: 'All', maxConcurrent: 1 },
      captures: [cpu(5)],
      activeDeadlineSeconds: 14,
    });
    const { status } = await run.fails('DeadlineExceeded');
    const took = Date.parse(status.completionTime) - Date.parse(status.startTime);
    assert.ok(took >= 13000 && took < 30000, `${took} ms`);
    const states = status.targets.map(({ state }) => state);
    assert.ok(states.includes('Succeeded'), JSON.stringify(status.targets));
    assert.ok(status.artifacts.length > 0);
    for (const pod of all) {
      await run.leftNothing(pod);
    }
  });

  test('ttlSecondsAfterFinished: the object goes', async (t) => {
    const space = await Space.make(t);
    const pod = await space.pod();
    const run = await Run.apply(space, { pod, ttlSecondsAfterFinished: 3 });
    const { status } = await run.succeeds();
    await run.gone(goneSeconds);
    assert.ok(Date.now() - Date.parse(status.completionTime) >= 3000);
  });

  test('the pod of a StatefulSet is made anew under its name', async (t) => {
    const space = await Space.make(t);
    const pod = await space.statefulSet('data');
    const run = await Run.apply(space, { pod, captures: [cpu(long)] });
    await run.captures(pod);
    await space.delete('Pod', 'data-0');
    const isOther = (found) => found && found.metadata.uid !== pod.metadata.uid;
    await watch('Pod', space.name, 'data-0', isOther, goneSeconds, 'is another one');
    const { status } = await run.fails('TargetExited');
    assert.equal(status.targets[0].podUID, pod.metadata.uid);
    const other = await pods.podReady(space.name, 'data-0');
    assert.equal(other.spec.ephemeralContainers, undefined);
    await run.neverTouched(other);
    await run.leftNothing(other);
    await run.attachedOnce(pod);
  });

  test('the process ends during the capture: TargetExited', async (t) => {
    const { pod, run } = await capturing(t);
    process.kill(pods.processOf(pod), 'SIGKILL');
    await run.fails('TargetExited');
    await run.attachedOnce(pod);
    const back = await pods.podReady(pod.metadata.namespace, 'target');
    assert.equal(back.metadata.uid, pod.metadata.uid);
    await pods.inspectorCloses(back, closedSeconds);
  });

  test('the sidecar is killed: the target closes its inspector by itself', async (t) => {
    const { pod, run } = await capturing(t);
    process.kill(await pods.sidecarProcess(pod, run.container), 'SIGKILL');
    await pods.inspectorCloses(pod, closedSeconds);
    const ended = await run.ended();
    assert.equal(condition(ended, 'Succeeded').status, 'False');
    await run.leftNothing(pod);
    await run.attachedOnce(pod);
  });

  test('its namespace is deleted', async (t) => {
    const { space, pod } = await capturing(t);
    await space.remove();
    await pods.inspectorCloses(pod, closedSeconds);
    const gone = (found) => !found;
    await watch('Namespace', undefined, space.name, gone, goneSeconds, 'is gone');
    assert.equal(await get('ProfileRun', space.name, 'profile'), undefined);
  });
});
