// SPDX-License-Identifier: Apache-2.0
'use strict';

// Runs that succeed: all kinds of pods, and ways to choose among them.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { kubectl } = require('./support/cluster.js');
const pods = require('./support/pods.js');
const { Run, cpu } = require('./support/run.js');
const { Space } = require('./support/space.js');
const { until } = require('./support/wait.js');

const { container } = pods;
const severalSeconds = 150;
const terminatedSeconds = 15;

// A run on a pod that is made of these containers; gives {space, pod, run, ended}.
async function captured(t, containers, { level, spec } = {}) {
  const space = await Space.make(t, level);
  const pod = await space.pod('target', containers);
  const run = await Run.apply(space, { pod, ...spec });
  const ended = await run.succeeds();
  await run.attachedOnce(pod);
  await run.leftNothing(pod);
  return { space, pod, run, ended };
}

// Times in milliseconds in which sidecars ran. A run may know of their end before the kubelet does.
function sidecarTimes(all, name) {
  return Promise.all(
    all.map(async (pod) => {
      const state = await until(
        async () => {
          const { status } = await pods.again(pod);
          return status.ephemeralContainerStatuses.find((one) => one.name === name).state
            .terminated;
        },
        terminatedSeconds,
        `the sidecar in ${pod.metadata.name} has ended`,
      );
      return { start: Date.parse(state.startedAt), end: Date.parse(state.finishedAt) };
    }),
  );
}

// The sidecar ran as this user, which is the target's.
async function ranAs(pod, run, uid) {
  const { status } = await pods.again(pod);
  assert.equal(status.containerStatuses[0].user.linux.uid, uid);
  const sidecar = status.ephemeralContainerStatuses.find(({ name }) => name === run.container);
  assert.equal(sidecar.user.linux.uid, uid);
}

describe('a pod is captured', { concurrency: 4 }, () => {
  for (const node of ['18', '22', '24']) {
    test(`on Node.js ${node}`, async (t) => {
      const { ended, pod, run } = await captured(t, [container({ node })]);
      const [target] = ended.status.targets;
      assert.equal(ended.status.pods, '1/1');
      assert.equal(target.podName, 'target');
      assert.equal(target.podUID, pod.metadata.uid);
      assert.equal(target.nodeName, pod.spec.nodeName);
      assert.equal(target.containerName, 'app');
      assert.equal(target.pid, 1);
      assert.match(target.nodeVersion, new RegExp(`^v${node}\\.`));
      assert.ok(target.inspectorOpenMilliseconds >= 2000);
      assert.equal((await run.event('Completed')).type, 'Normal');
    });
  }

  test('non-root by runAsUser', async (t) => {
    const { pod, run } = await captured(t, [container({ user: 4242 })]);
    await ranAs(pod, run, 4242);
  });

  test("non-root only by the image's USER, and without a shell", async (t) => {
    const { pod, run, space } = await captured(t, [container()]);
    assert.equal(pod.spec.containers[0].securityContext.runAsUser, undefined);
    await ranAs(pod, run, 1000);
    const shell = ['exec', 'target', '--namespace', space.name, '--', '/bin/sh', '-c', 'true'];
    const { code, stderr } = await kubectl(shell);
    assert.notEqual(code, 0);
    assert.match(stderr, /no such file/);
  });

  test('root, where the namespace allows it', async (t) => {
    const { pod, run } = await captured(t, [container({ user: 'root' })], { level: 'baseline' });
    await ranAs(pod, run, 0);
  });

  test('npm as process 1, with the service as its child', async (t) => {
    const { ended, pod } = await captured(t, [container({ image: 'npm' })]);
    const { pid } = await pods.answer(pod);
    assert.notEqual(pid, 1);
    assert.equal(ended.status.targets[0].pid, pid);
  });

  test('one of two containers that run Node.js, by its name', async (t) => {
    const second = container({ name: 'second', env: { PORT: 8081 } });
    const spec = { target: { podName: 'target', containerName: 'second' } };
    const { ended, pod } = await captured(t, [container(), second], { spec });
    assert.equal(ended.status.targets[0].containerName, 'second');
    assert.equal(await pods.inspectorEverOpened(pod, 'second'), true);
    assert.equal(await pods.inspectorEverOpened(pod, 'app'), false);
  });

  test('one worker of a cluster', async (t) => {
    const process = { match: 'service.js', index: 1 };
    const spec = { target: { podName: 'target', process } };
    const { ended } = await captured(t, [container({ env: { MODE: 'cluster' } })], { spec });
    assert.equal(ended.status.targets.length, 1);
    assert.notEqual(ended.status.targets[0].pid, 1);
  });

  test('all workers of a cluster, each in turn', async (t) => {
    const spec = { target: { podName: 'target', childProcesses: 'Include' } };
    const { ended } = await captured(t, [container({ env: { MODE: 'cluster' } })], { spec });
    // An artifact's id is the run's uid, the pod, the process, the capture and a number.
    const ids = ended.status.artifacts.map(({ id }) => id.split('.'));
    const workers = new Set(ids.map(([, , pid]) => Number(pid)));
    assert.equal(workers.size, 2, JSON.stringify(ended.status.artifacts));
    assert.ok(!workers.has(1));
  });

  test('whose inspector was open before: it is left open', async (t) => {
    const space = await Space.make(t);
    const flags = ['--inspect=127.0.0.1:9229'];
    const pod = await space.pod('target', [container({ flags })]);
    const run = await Run.apply(space, { pod });
    await run.succeeds();
    assert.equal(pods.listens(pod), true);
    await run.attachedOnce(pod);
  });

  test('with several captures in a run', async (t) => {
    const captures = [
      { ...cpu(1, 'fine'), samplingIntervalMicroseconds: 500 },
      { ...cpu(2, 'coarse'), samplingIntervalMicroseconds: 10000, windowSeconds: 1 },
    ];
    const { ended } = await captured(t, [container()], { spec: { captures } });
    const names = new Set(ended.status.artifacts.map(({ capture }) => capture));
    assert.deepEqual([...names].sort(), ['coarse', 'fine']);
    assert.equal(ended.status.captureTypes, 'CPUProfile');
  });

  test('again after a run, and by two runs at the same time, one after the other', async (t) => {
    const { space, pod } = await captured(t, [container()]);
    const both = await Promise.all(
      ['second', 'third'].map((name) => Run.apply(space, { pod, name })),
    );
    for (const run of both) {
      await run.succeeds();
      await run.attachedOnce(pod);
    }
    const times = await Promise.all(both.map((run) => sidecarTimes([pod], run.container)));
    const [[first], [second]] = times.sort(([a], [b]) => a.start - b.start);
    assert.ok(second.start >= first.end, JSON.stringify(times));
    await both[0].leftNothing(pod);
  });
});

describe('pods are chosen', { concurrency: 2 }, () => {
  test('three at once', async (t) => {
    const space = await Space.make(t);
    const all = await space.deployment('web', 3);
    const run = await Run.apply(space, {
      target: { workloadRef: { kind: 'Deployment', name: 'web' } },
      podSelection: { policy: 'All', maxConcurrent: 3 },
      captures: [cpu(5)],
    });
    const ended = await run.succeeds();
    assert.equal(ended.status.pods, '3/3');
    assert.equal(ended.status.target, 'Deployment/web');
    await run.attachedOnce(...all);
    const times = await sidecarTimes(all, run.container);
    const lastStart = Math.max(...times.map(({ start }) => start));
    const firstEnd = Math.min(...times.map(({ end }) => end));
    assert.ok(lastStart < firstEnd, JSON.stringify(times));
    for (const pod of all) {
      await run.leftNothing(pod);
    }
  });

  test('one after the other, by their labels', async (t) => {
    const space = await Space.make(t);
    const all = await space.deployment('web', 2);
    const run = await Run.apply(space, {
      target: { selector: { matchLabels: { app: 'web' } } },
      podSelection: { policy: 'All' },
    });
    const ended = await run.succeeds(severalSeconds);
    assert.equal(ended.status.pods, '2/2');
    await run.attachedOnce(...all);
    const times = await sidecarTimes(all, run.container);
    const [first, second] = times.sort((a, b) => a.start - b.start);
    assert.ok(second.start >= first.end, JSON.stringify(times));
  });

  test('half of four, on different nodes', async (t) => {
    const space = await Space.make(t);
    const all = await space.deployment('web', 4);
    const run = await Run.apply(space, {
      target: { workloadRef: { kind: 'Deployment', name: 'web' } },
      podSelection: { policy: 'Percent', percent: 50, maxConcurrent: 2 },
    });
    const { status } = await run.succeeds();
    assert.equal(status.pods, '2/2');
    assert.equal(new Set(status.targets.map(({ nodeName }) => nodeName)).size, 2);
    const chosen = status.targets.map(({ podName }) => podName);
    await run.attachedOnce(...all.filter(({ metadata }) => chosen.includes(metadata.name)));
  });

  test('one of a StatefulSet', async (t) => {
    const space = await Space.make(t);
    const pod = await space.statefulSet('data');
    const target = { workloadRef: { kind: 'StatefulSet', name: 'data' } };
    const run = await Run.apply(space, { target });
    const { status } = await run.succeeds();
    assert.equal(status.target, 'StatefulSet/data');
    await run.attachedOnce(pod);
    await run.leftNothing(pod);
  });

  test('of a ReplicaSet, a DaemonSet and a Job', async (t) => {
    const space = await Space.make(t);
    const labels = { app: 'web' };
    const template = { metadata: { labels }, spec: pods.podSpec([container()]) };
    const selector = { matchLabels: labels };
    await space.create('apps/v1', 'ReplicaSet', 'set', {
      spec: { replicas: 1, selector, template },
    });
    const other = { matchLabels: { app: 'all' } };
    const everywhere = { ...template, metadata: { labels: other.matchLabels } };
    await space.create('apps/v1', 'DaemonSet', 'all', {
      spec: { selector: other, template: everywhere },
    });
    const once = { ...template, metadata: { labels: { app: 'once' } } };
    await space.create('batch/v1', 'Job', 'once', {
      spec: { template: { ...once, spec: { ...once.spec, restartPolicy: 'Never' } } },
    });
    await Promise.all(
      [
        ['ReplicaSet', 'set'],
        ['DaemonSet', 'all'],
        ['Job', 'once'],
      ].map(async ([kind, name]) => {
        const run = await Run.apply(space, { name, target: { workloadRef: { kind, name } } });
        const { status } = await run.succeeds(severalSeconds);
        assert.equal(status.target, `${kind}/${name}`);
        assert.ok(status.targets[0].podName.startsWith(`${name}-`), status.targets[0].podName);
      }),
    );
  });
});
