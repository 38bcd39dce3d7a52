// SPDX-License-Identifier: Apache-2.0
'use strict';

// Records what the API server says into tests/fuzz/corpus/kube_watch, where fuzz/kube_watch and
// unit/kube_watch read it: the pages of a list, the life of a pod and of a ProfileRun with bookmarks,
// and a version that is too old. The cluster is up, Sonde is installed in it, and SONDE_WORKLOADS is
// what tests/cluster/workloads/build printed last.

const fs = require('node:fs');
const { ask, call, pathOf, remove } = require('./operator/support/api.js');
const { cluster, file } = require('./operator/support/cluster.js');
const { Run } = require('./operator/support/run.js');
const { Space } = require('./operator/support/space.js');

const largest = 1 << 16; // as fuzz/kube_watch takes them
const watchSeconds = 20;

function keep(name, text) {
  if (text.length === 0 || Buffer.byteLength(text) > largest) {
    throw new Error(`recorded-${name} has ${Buffer.byteLength(text)} bytes`);
  }
  fs.writeFileSync(file('tests', 'fuzz', 'corpus', 'kube_watch', `recorded-${name}`), text);
}

// The text of an answer, whatever its status.
const textOf = async (path) => (await ask('GET', path)).text;

async function recordLists(space) {
  const path = pathOf('ServiceAccount', space.name);
  for (const name of ['a', 'b', 'c']) {
    await space.account(name);
  }
  const first = await ask('GET', `${path}?limit=2`);
  keep('list-first-page', first.text);
  const token = encodeURIComponent(first.json.metadata.continue);
  keep('list-last-page', await textOf(`${path}?limit=2&continue=${token}`));
  keep('list-empty', await textOf(pathOf('Secret', space.name)));
  keep('list-refused', await textOf(`${path}?limit=2&continue=none`));
}

// A watch of a kind from its beginning on, with bookmarks, while `meanwhile` goes on.
async function recordWatch(name, kind, space, meanwhile) {
  const query =
    `watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersion=` +
    `&resourceVersionMatch=NotOlderThan&timeoutSeconds=${watchSeconds}`;
  const [text] = await Promise.all([textOf(`${pathOf(kind, space.name)}?${query}`), meanwhile()]);
  keep(name, text);
}

async function main() {
  const cleanUps = [];
  const space = await Space.make({ after: (action) => cleanUps.push(action), diagnostic() {} });
  try {
    await recordLists(space);
    // What it knew before it started is too old for it.
    await cluster('disturb', 'restart', 'apiserver');
    const old = `watch=true&resourceVersion=1&timeoutSeconds=${watchSeconds}`;
    keep('watch-too-old', await textOf(`${pathOf('Pod')}?${old}`));
    await recordWatch('watch-pod', 'Pod', space, async () => {
      await space.pod();
      await remove('Pod', space.name, 'target');
    });
    const pod = await space.pod();
    await recordWatch('watch-run', 'ProfileRun', space, async () => {
      const run = await Run.apply(space, { pod });
      await run.succeeds();
      await call('DELETE', pathOf('ProfileRun', space.name, run.name));
    });
  } finally {
    for (const action of cleanUps) {
      await action();
    }
  }
}

main();
