// SPDX-License-Identifier: Apache-2.0
'use strict';

// The means of the other tests, by themselves: what says that nothing was found must find it.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { attachments, succeeded } = require('./support/audit.js');
const { kubectl, workloadImages } = require('./support/cluster.js');
const pods = require('./support/pods.js');
const { Space } = require('./support/space.js');
const { until } = require('./support/wait.js');

const seconds = 30;

describe('the bench', { concurrency: 4 }, () => {
  for (const node of ['18', '22', '24']) {
    test(`a service on Node.js ${node} runs under "restricted"`, async (t) => {
      const space = await Space.make(t);
      const pod = await space.pod('target', [pods.container({ node })]);
      const { pid, version } = await pods.answer(pod);
      assert.equal(pid, 1);
      assert.match(version, new RegExp(`^v${node}\\.`));
      assert.equal(pod.status.containerStatuses[0].user.linux.uid, 1000);
    });
  }

  test('npm is process 1, and the service its child', async (t) => {
    const space = await Space.make(t);
    const pod = await space.pod('target', [pods.container({ image: 'npm' })]);
    assert.notEqual((await pods.answer(pod)).pid, 1);
  });

  test('an inspector is seen to open and close', async (t) => {
    const space = await Space.make(t);
    const pod = await space.pod();
    assert.equal(pods.listens(pod), false);
    assert.equal(pods.listens(pod, 8080), true);
    assert.equal(await pods.inspectorEverOpened(pod), false);
    process.kill(pods.processOf(pod), 'SIGUSR1');
    await pods.inspectorOpens(pod);
    await until(() => pods.inspectorEverOpened(pod), seconds, 'the log says so');
    await space.deleteAtOnce('target');
    await pods.inspectorCloses(pod, seconds);
  });

  test('a handler of its own keeps the inspector closed', async (t) => {
    const space = await Space.make(t);
    const pod = await space.pod('target', [pods.container({ env: { MODE: 'handler' } })]);
    process.kill(pods.processOf(pod), 'SIGUSR1');
    const handled = async () => (await pods.logOf(pod)).includes('handled SIGUSR1');
    await until(handled, seconds, 'the handler has run');
    assert.equal(pods.listens(pod), false);
    assert.equal(await pods.inspectorEverOpened(pod), false);
  });

  test('the audit trail tells who added an ephemeral container', async (t) => {
    const space = await Space.make(t);
    await space.pod();
    const args = ['debug', 'target', '--namespace', space.name, '--profile=restricted'];
    const image = ['--image', workloadImages().node22, '--container=look', '--target=app'];
    const debug = await kubectl([...args, ...image, '--', '/usr/bin/node', '--version']);
    assert.equal(debug.code, 0, debug.stderr);
    const [found] = await until(
      async () => {
        const all = await attachments(space.name);
        return all.length > 0 && all;
      },
      seconds,
      'it is in the trail',
    );
    assert.deepEqual(
      { ...found, done: succeeded(found) },
      { pod: 'target', user: 'admin', code: 200, names: ['look'], done: true },
    );
  });
});
