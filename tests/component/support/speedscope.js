// SPDX-License-Identifier: Apache-2.0
'use strict';

// The importer of the speedscope application, as its package on npm has it: the bundle runs in a
// context whose page is a stub, and hands out the function that its command line calls.

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const directory = path.join(
  path.dirname(require.resolve('speedscope/package.json')),
  'dist/release',
);

// Anything that a page may be asked for.
function stub() {
  return new Proxy(() => {}, {
    get: (_, key) => {
      if (key === Symbol.toPrimitive) {
        return () => '';
      }
      return key === 'length' ? 0 : stub();
    },
    apply: stub,
    construct: stub,
    set: () => true,
  });
}

function page() {
  const nothing = () => {};
  const window = {
    ...{ atob, btoa, Blob, TextDecoder, TextEncoder, URL, performance, setTimeout, clearTimeout },
    console: { ...console, log: nothing },
    document: stub(),
    navigator: { userAgent: '', platform: '' },
    location: { hash: '', protocol: 'file:' },
    localStorage: { getItem: () => null, setItem: nothing },
    matchMedia: () => ({ matches: false, addListener: nothing, addEventListener: nothing }),
    addEventListener: nothing,
    requestAnimationFrame: nothing,
    devicePixelRatio: 1,
  };
  window.window = window;
  window.self = window;
  return vm.createContext(window);
}

let importFile;
function load() {
  const name = fs.readdirSync(directory).find((one) => /^speedscope-.*\.js$/.test(one));
  const bundle = fs.readFileSync(path.join(directory, name), 'utf8');
  const call = /loadFileFromBase64:\((\w+),(\w+)\)=>\{this\.loadProfile\(\(\)=>(\w+)\(\1,\2\)\)\}/;
  const begin = '"use strict";(()=>{';
  if (!call.test(bundle) || !bundle.startsWith(begin)) {
    throw new Error('this speedscope is put together in another way');
  }
  const exported = `globalThis.importFile=(...all)=>${call.exec(bundle)[3]}(...all);`;
  const window = page();
  try {
    vm.runInContext(begin + exported + bundle.slice(begin.length), window);
  } catch {
    // It draws its page last, on what is no page.
  }
  return window.importFile;
}

// What speedscope shows of a file: the unit, the sum, and what each function has of its own.
async function speedscopeReads(file) {
  importFile ??= load();
  const bytes = fs.readFileSync(file);
  const group = await importFile(path.basename(file), bytes.toString('base64'));
  const [profile] = group.profiles;
  const self = new Map();
  profile.forEachFrame((frame) => {
    self.set(frame.name, (self.get(frame.name) ?? 0) + frame.getSelfWeight());
  });
  return { unit: profile.getWeightUnit(), total: profile.getTotalNonIdleWeight(), self };
}

module.exports = { speedscopeReads };
