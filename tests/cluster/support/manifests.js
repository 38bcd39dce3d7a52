// SPDX-License-Identifier: Apache-2.0
'use strict';

// The installation page, copies of manifests/ in which a test changes something, and who may what.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { json, root } = require('./kubectl.js');

// A copy of manifests/ that goes when the test ends.
function copied(t) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sonde-manifests-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const copy = path.join(directory, 'manifests');
  fs.cpSync(path.join(root, 'manifests'), copy, { recursive: true });
  return copy;
}

// The overlay of a copy that serves the namespace.
function serving(t, namespace) {
  const overlay = path.join(copied(t), 'overlays/namespace');
  const settings = path.join(overlay, 'settings.yaml');
  const before = fs.readFileSync(settings, 'utf8');
  const after = before.replace('\n  namespace: default\n', `\n  namespace: ${namespace}\n`);
  assert.notEqual(after, before);
  fs.writeFileSync(settings, after);
  return overlay;
}

// The blocks of docs/install.md that stand after a line <!-- mark -->, each as one text.
function blocks(mark) {
  const page = fs.readFileSync(path.join(root, 'docs/install.md'), 'utf8');
  const fenced = new RegExp(`^<!-- ${mark} -->\\n\`\`\`\\w+\\n(.*?)^\`\`\`$`, 'gms');
  return [...page.matchAll(fenced)].map(([, text]) => text);
}

// The arguments of kubectl in each line of a block of commands.
function commands(block) {
  return block
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, words] = line.match(/^\$ kubectl (.*)$/) ?? assert.fail(line);
      return words.split(' ').map((word) => word.replace(/^'(.*)'$/, '$1'));
    });
}

// One line for each verb on each resource: `get apps/deployments`, `get /secrets name`.
function* lines({ verbs, apiGroups, resources, resourceNames }) {
  for (const verb of verbs) {
    for (const group of apiGroups) {
      for (const resource of resources) {
        for (const name of resourceNames ?? ['']) {
          yield `${verb} ${group}/${resource} ${name}`.trimEnd();
        }
      }
    }
  }
}

// All that somebody may do in a namespace, as lines.
async function rightsOf(as, namespace) {
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    spec: { namespace },
  };
  // (To validate it, kubectl would list definitions as that user.)
  const args = ['create', '--validate=false', '--filename=-'];
  const { status } = await json(args, { as, input: review });
  assert.equal(status.incomplete, false, status.evaluationError);
  return new Set(status.resourceRules.flatMap((rule) => [...lines(rule)]));
}

module.exports = { blocks, commands, copied, rightsOf, serving };
