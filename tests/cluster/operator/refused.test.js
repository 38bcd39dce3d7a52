// SPDX-License-Identifier: Apache-2.0
'use strict';

// Pods that cannot be captured: a reason to act on, and they are left alone.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { patch } = require('./support/api.js');
const { kubectl } = require('./support/cluster.js');
const pods = require('./support/pods.js');
const { Run, condition, cpu } = require('./support/run.js');
const { Space } = require('./support/space.js');

const { container, restricted } = pods;
// Every node has it: a program that is not Node.js.
const otherImage = 'sonde.dev/pause:1';
// ATTACH_ENTRIES_MAX of the controller.
const sidecarsMax = 20;

// A run on a pod of these containers that fails for this reason.
async function refused(t, containers, reason, { spec } = {}) {
  const space = await Space.make(t);
  const pod = await space.pod('target', containers);
  const run = await Run.apply(space, { pod, ...spec });
  const ended = await run.fails(reason);
  return { space, pod, run, ended };
}

// Applies a document as a person does: what kubectl said when it was refused.
async function refusedAtApply(space, spec) {
  const document = {
    apiVersion: 'sonde.dev/v1alpha1',
    kind: 'ProfileRun',
    metadata: { name: 'profile', namespace: space.name },
    spec,
  };
  const input = JSON.stringify(document);
  const { code, stderr } = await kubectl(['apply', '--filename', '-'], { input });
  assert.notEqual(code, 0);
  return stderr;
}

describe('a pod is refused', { concurrency: 4 }, () => {
  const unsignalled = [
    ['22', ['--disable-sigusr1']],
    ['24', ['--disable-sigusr1']],
    ['22', ['--permission', '--allow-fs-read=*']],
    ['24', ['--permission', '--allow-fs-read=*']],
  ];
  for (const [node, flags] of unsignalled) {
    test(`Node.js ${node} with ${flags[0]}: SignalNotHandled`, async (t) => {
      const { pod, run, ended } = await refused(
        t,
        [container({ node, flags })],
        'SignalNotHandled',
      );
      assert.match(condition(ended, 'Succeeded').message, /SIGUSR1/);
      assert.equal(ended.status.targets[0].reason, 'SignalNotHandled');
      assert.equal((await run.event('SignalNotHandled')).type, 'Warning');
      await run.neverTouched(pod);
      await run.leftNothing(pod);
    });
  }

  test('a SIGUSR1 handler of its own: InspectorDidNotOpen', async (t) => {
    const containers = [container({ env: { MODE: 'handler' } })];
    const { pod, run } = await refused(t, containers, 'InspectorDidNotOpen');
    assert.match(await pods.logOf(pod), /handled SIGUSR1/);
    assert.equal(await pods.inspectorEverOpened(pod), false);
    await run.leftNothing(pod);
  });

  test('two containers, and none is named: TargetAmbiguous', async (t) => {
    const second = container({ name: 'second', env: { PORT: 8081 } });
    const { pod, run, ended } = await refused(t, [container(), second], 'TargetAmbiguous');
    assert.match(condition(ended, 'Succeeded').message, /app.*second|second.*app/);
    await run.neverTouched(pod);
  });

  test('two workers of a cluster, and none is named: TargetAmbiguous', async (t) => {
    const containers = [container({ env: { MODE: 'cluster' } })];
    const { pod, run } = await refused(t, containers, 'TargetAmbiguous');
    await run.neverTouched(pod);
    await run.leftNothing(pod);
  });

  test('it had its sidecars already: TooManySidecars', async (t) => {
    const space = await Space.make(t);
    const pod = await space.pod();
    // They never start, and Kubernetes never removes them.
    const ephemeralContainers = Array.from({ length: sidecarsMax }, (_, i) => ({
      name: `sonde-before-${i}`,
      image: 'sonde.dev/nothing:none',
      imagePullPolicy: 'Never',
      securityContext: restricted,
    }));
    const part = '/ephemeralcontainers';
    await patch('Pod', space.name, 'target', { spec: { ephemeralContainers } }, part);
    const run = await Run.apply(space, { pod });
    const ended = await run.fails('TooManySidecars');
    assert.match(condition(ended, 'Succeeded').message, new RegExp(`${sidecarsMax} sidecars`));
    await run.leftNothing(pod);
    const after = await pods.again(pod);
    assert.equal(after.spec.ephemeralContainers.length, sidecarsMax);
  });

  const risks = {
    'its memory limit': [
      { limits: { memory: '100Mi' } },
      /MB are free below its cgroup's memory limit/,
    ],
    'its CPU limit': [
      { limits: { cpu: '200m' } },
      /stop the process for \d+\.\d s with the 0\.20 CPUs that its limit allows, and safety\.max/,
    ],
    'its liveness probe': [
      {
        limits: { cpu: '200m' },
        livenessProbe: { periodSeconds: 2, failureThreshold: 1, timeoutSeconds: 10 },
      },
      /and the container's liveness probe allows 2\.0 s/,
    ],
  };
  for (const [name, [more, numbers]] of Object.entries(risks)) {
    test(`a heap snapshot that goes beyond ${name}: SnapshotTooRisky`, async (t) => {
      const maxPauseSeconds = more.livenessProbe ? 60 : 3;
      const { pod, run, ended } = await refused(t, [container(more)], 'SnapshotTooRisky', {
        spec: { captures: [{ name: 'heap', type: 'HeapSnapshot' }], safety: { maxPauseSeconds } },
      });
      assert.match(condition(ended, 'Succeeded').message, numbers);
      await run.leftNothing(pod);
    });
  }

  test('no Node.js in it', async (t) => {
    const other = { name: 'app', image: otherImage, imagePullPolicy: 'Never' };
    const containers = [{ ...other, securityContext: restricted }];
    const { pod } = await refused(t, containers, ['TargetNotNode', 'TargetNotFound']);
    assert.equal((await pods.again(pod)).status.containerStatuses[0].restartCount, 0);
  });

  test('it does not exist: TargetNotFound', async (t) => {
    const space = await Space.make(t);
    const run = await Run.apply(space, { target: { podName: 'nobody' } });
    const ended = await run.fails('TargetNotFound');
    assert.match(condition(ended, 'Succeeded').message, /nobody/);
    assert.equal(condition(ended, 'Accepted').status, 'False');
  });

  test('the policy of its namespace was tightened: PodSecurityDenied', async (t) => {
    const space = await Space.make(t, 'privileged');
    const pod = await space.pod('target', [container({ securityContext: {} })]);
    await space.enforce('restricted');
    const run = await Run.apply(space, { pod });
    const ended = await run.fails('PodSecurityDenied');
    assert.match(condition(ended, 'Succeeded').message, /restricted/);
    await run.neverTouched(pod);
    await run.leftNothing(pod);
    await run.attachedOnce();
  });
});

describe('a document is refused at apply', { concurrency: 2 }, () => {
  test('no target, and two', async (t) => {
    const space = await Space.make(t);
    assert.match(await refusedAtApply(space, { target: {}, captures: [cpu()] }), /target/);
    const both = { podName: 'a', workloadRef: { name: 'b' } };
    assert.match(await refusedAtApply(space, { target: both, captures: [cpu()] }), /exactly one/);
  });

  test('captures that are longer than the deadline', async (t) => {
    const space = await Space.make(t);
    const spec = { target: { podName: 'a' }, captures: [cpu(10)], activeDeadlineSeconds: 10 };
    assert.match(await refusedAtApply(space, spec), /activeDeadlineSeconds/);
  });

  test('a change of what runs already', async (t) => {
    const space = await Space.make(t);
    const pod = await space.pod();
    const run = await Run.apply(space, { pod });
    const spec = { target: { podName: 'target' }, captures: [cpu(3)] };
    assert.match(await refusedAtApply(space, spec), /captures|immutable|cannot be changed/);
    await run.succeeds();
  });
});
