// SPDX-License-Identifier: Apache-2.0
'use strict';

// The names of the language that may be read in a redacted heap, lib/heap/language.txt, are those of
// a fresh realm of each line of Node.js: what a new one adds is found here.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { root } = require('./support/sonde.js');
const { lines, node } = require('./support/target.js');

// Runs in that Node.js: every name that can be reached from the global object of a new realm.
function printNames() {
  const vm = require('node:vm');
  const seen = new Set();
  const names = new Set();
  const add = (text) => {
    if (typeof text === 'string' && text !== '' && !/^\d+$/.test(text)) {
      names.add(text);
    }
  };
  const walk = (value) => {
    const walkable = typeof value === 'object' || typeof value === 'function';
    if (!walkable || value === null || seen.has(value)) {
      return;
    }
    seen.add(value);
    for (const key of Reflect.ownKeys(value)) {
      add(typeof key === 'symbol' ? key.description : key);
      const own = Reflect.getOwnPropertyDescriptor(value, key);
      if (key === 'name' || key === Symbol.toStringTag) {
        add(own.value);
      }
      [own.value, own.get, own.set].forEach(walk);
    }
    walk(Object.getPrototypeOf(value));
  };
  walk(vm.runInNewContext('globalThis'));
  const made = `[[][Symbol.iterator](), new Map().keys(), new Set().keys(), ''[Symbol.iterator](),
    'a'.matchAll(/a/g), (function*(){})(), (async function*(){})(), new Error('x'),
    new Intl.Segmenter().segment('a')[Symbol.iterator](), /(?<a>b)/d.exec('b')]`;
  vm.runInNewContext(made).forEach(walk);
  console.log(JSON.stringify([...names]));
}

for (const line of lines) {
  test(`the names of the language on Node.js ${line} are known`, () => {
    const file = path.join(root, 'lib/heap/language.txt');
    const known = new Set(fs.readFileSync(file, 'utf8').split('\n'));
    const script = `(${printNames.toString()})()`;
    const names = JSON.parse(execFileSync(node(line), ['-e', script]).toString());
    assert.ok(names.length > 500);
    assert.deepEqual(
      names.filter((name) => !known.has(name)),
      [],
    );
  });
}
