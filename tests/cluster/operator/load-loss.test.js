// SPDX-License-Identifier: Apache-2.0
'use strict';

// What becomes of a load test whose runner is killed, at three moments and under each policy.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const {
  closed,
  completed,
  gentle,
  kill,
  loaded,
  reached,
  started,
  underLoad,
} = require('./support/load.js');
const pods = require('./support/pods.js');
const { condition } = require('./support/run.js');
const system = require('./support/system.js');

const total = 800;
// What the killed one has sent and nobody was told: a second of its half, and what was on its way.
const unknownMost = 60;

// When it is killed: given the test and its pods under load, until then.
const moments = {
  'before the load': (load) => started(load),
  'in the middle': async (load, targets) => {
    await load.runs();
    await reached(targets, 100);
  },
  'near the end': async (load, targets) => {
    await load.runs();
    await reached(targets, 680);
  },
};

before(() => system.recovered());
after(() => system.leader());

describe('a runner is killed', { concurrency: 1 }, () => {
  // Two runners that send 20 a second each.
  async function killed(t, onRunnerLoss, moment) {
    const { targets, load } = await underLoad(
      t,
      { ...closed(total), parallelism: 2, onRunnerLoss },
      { env: { SLOW_MS: 100 } },
    );
    await moment(load, targets);
    const [first] = await load.runners();
    kill(first);
    const test = await load.ended();
    const count = await loaded(targets);
    t.diagnostic(`${count} arrived; ${JSON.stringify(test.status)}`);
    return { targets, load, first, count, test, word: condition(test, 'Succeeded') };
  }

  // Nothing is told that did not happen, and little is not told.
  function told({ status: { requests = 0 } }, count) {
    assert.ok(requests <= count && requests > count - unknownMost, `${requests} of ${count}`);
  }

  for (const [moment, waiting] of Object.entries(moments)) {
    test(`${moment}, and the test fails`, async (t) => {
      const { count, test: ended, word } = await killed(t, 'Fail', waiting);
      assert.equal(word.reason, 'RunnerLost');
      assert.match(word.message, /137/);
      assert.ok(count < total);
      told(ended, count);
    });

    test(`${moment}, and the other goes on`, async (t) => {
      const { count, test: ended } = await killed(t, 'Continue', waiting);
      completed(ended);
      assert.equal(ended.status.lostRunners, 1);
      assert.ok(count >= total / 2 && count < total, `${count}`);
      told(ended, count);
    });

    test(`${moment}, and another takes its place`, async (t) => {
      const { targets, load, first, count, test: ended } = await killed(t, 'Replace', waiting);
      completed(ended);
      const [now] = await load.runners();
      assert.notEqual(now.metadata.uid, first.metadata.uid, 'nobody took its place');
      const { from } = await pods.answer(targets[0]);
      assert.ok(from[now.status.podIP]?.count > 0, JSON.stringify(from));
      // What was not known of the first one was sent again, but for what was on its way on its
      // connections when it last told of itself: that was sent, and nobody knows its answers.
      const { requests } = ended.status;
      assert.ok(requests <= total && requests >= total - gentle.connections / 2, `${requests}`);
      told(ended, count);
    });
  }

  test('of an open loop: what nobody sent is told, with who was lost', async (t) => {
    const { targets, load } = await underLoad(t, {
      ...gentle,
      ...{ parallelism: 2, onRunnerLoss: 'Replace', arrival: { rate: 20, durationSeconds: 40 } },
    });
    await load.hasten();
    await reached(targets, 200);
    kill((await load.runners())[0]);
    const { message } = condition(await load.fails('Invalid'), 'Succeeded');
    assert.match(message, /^[\d.]+ % of the requests were not sent, and runner-0 was lost/);
  });
});
