// SPDX-License-Identifier: Apache-2.0
'use strict';

// kubectl for tests: that of the test cluster, or the one that SONDE_KUBECTL names.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const root = path.resolve(__dirname, '../../..');
const named = process.env.SONDE_KUBECTL ?? 'tests/cluster/kubectl';
const program = named.includes('/') ? path.resolve(root, named) : named;
const outputMax = 64 << 20;

// Runs kubectl in the root of the checkout: {code, stdout, stderr}. `as` is who asks, with groups,
// `input` text or an object for its standard input.
function kubectl(args, { as, groups = [], input, seconds = 120 } = {}) {
  const who = groups.map((group) => `--as-group=${group}`);
  const all = as ? [...args, `--as=${as}`, ...who] : args;
  const options = {
    cwd: root,
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: outputMax,
  };
  return new Promise((resolve, reject) => {
    const child = execFile(program, all, options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') {
        reject(new Error(`kubectl ${all.join(' ')}: ${error.message}\n${stderr}`));
      } else {
        resolve({ code: error?.code ?? 0, stdout, stderr });
      }
    });
    child.stdin.on('error', () => {});
    child.stdin.end(typeof input === 'object' ? JSON.stringify(input) : input);
  });
}

// As kubectl, but it must succeed. Gives what it printed.
async function must(args, options) {
  const { code, stdout, stderr } = await kubectl(args, options);
  assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

// As must, but gives the object that it printed.
async function json(args, options) {
  return JSON.parse(await must([...args, '--output=json'], options));
}

// Asks until condition() gives something true, and gives that.
async function until(condition, what, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    assert.ok(Date.now() < end, `waited ${seconds} s in vain for ${what}`);
    await delay(200);
  }
}

// The objects that a kustomization makes, without asking a cluster.
async function rendered(directory) {
  const yaml = await must(['kustomize', directory]);
  const objects = await must(
    ['annotate', '--local', '--filename=-', '--output=json', 'rendered=yes'],
    { input: yaml },
  );
  return objects
    .split(/^(?=\{)/m)
    .filter((text) => text.trim() !== '')
    .map((text) => JSON.parse(text));
}

module.exports = { json, kubectl, must, rendered, root, until };
