// SPDX-License-Identifier: Apache-2.0
'use strict';

// How long a load test takes in a real cluster, in which Sonde is installed, from its creation to
// its first request, as the service sees it. The image is on the nodes.

const { machine, main, parse, quantile } = require('./measure.js');
const { Load, target } = require('../tests/cluster/operator/support/load.js');
const { answer } = require('../tests/cluster/operator/support/pods.js');
const { Space } = require('../tests/cluster/operator/support/space.js');

const options = parse({ tests: 20 });

// What Space wants of a test.
const cleanUps = [];
const asTest = { after: (action) => cleanUps.push(action), diagnostic: () => {} };

// Milliseconds, of one test that the service tells by its URL.
async function startOf(space, pod, number) {
  const path = `/load?test=${number}`;
  const begin = Date.now();
  const load = await Load.apply(space, {
    name: `load-${number}`,
    scenario: { requests: [{ name: 'one', path }] },
    ...{ connections: 1, arrival: { amount: 10 }, activeDeadlineSeconds: 120 },
  });
  await load.ended();
  const { urls } = await answer(pod);
  return urls[path].first - begin;
}

main(async () => {
  console.log(machine());
  try {
    const space = await Space.make(asTest);
    const [pod] = await target(space, { env: { BUSY_PERCENT: 0.2 } });
    const times = [];
    for (let number = 0; number < options.tests; number++) {
      times.push(await startOf(space, pod, number));
    }
    const [p50, p90] = [0.5, 0.9].map((share) => quantile(times, share).toFixed(0));
    console.log(
      `creation → first request of ${times.length} load tests: p50 ${p50} ms, p90 ${p90} ms, ` +
        `largest ${Math.max(...times)} ms (held to 3000 ms)`,
    );
  } finally {
    for (const action of cleanUps.reverse()) {
      await action();
    }
  }
});
