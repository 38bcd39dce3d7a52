// SPDX-License-Identifier: Apache-2.0
'use strict';

// A process with secrets of every kind in its heap, made at run time. It writes them, and what is to
// be seen of it, to the file that is its argument.

const { AsyncLocalStorage, AsyncResource } = require('node:async_hooks');
const crypto = require('node:crypto');
const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const { Readable } = require('node:stream');
const vm = require('node:vm');

const held = [];
globalThis.held = held;
const made = {};

// A secret that is one flat string, as what is read from a socket is.
function secret(kind) {
  const text = Buffer.from(`zq${crypto.randomBytes(12).toString('hex')}`).toString('latin1');
  made[kind] = text;
  return text;
}

class Patient {
  #diagnosis = secret('private field');

  constructor() {
    this.medicalRecord = secret('field');
    this.status = 'medicalRecord'; // a value that reads like a name of the code
    this['visit-id'] = secret('quoted field');
  }

  diagnose() {
    return this.#diagnosis;
  }
}

function values() {
  held.push(secret('value'), [secret('array element')], new String(secret('wrapped string')));
  held.push(new Map([[secret('map key'), secret('map value')]]));
  held.push(new Map([[{ of: secret('map key object') }, 1]]));
  held.push(new Set([secret('set member')]));
  held.push(new WeakMap([[held, secret('weak map value')]]));
  held.push(new WeakMap([[{ [Symbol.toStringTag]: secret('weak map key tag') }, {}]]));
  held.push(new WeakRef({ of: secret('weak reference') }), Promise.resolve(secret('promise')));
  held.push(Promise.reject(new Error(secret('rejection'))));
  held.at(-1).catch(() => {});
  held.push(new Date(), new URL(`http://${secret('url host')}/${secret('url path')}`));
  held.push(new Error(secret('error message'), { cause: secret('error cause') }));
  held.push(BigInt(`0x${Buffer.from(secret('bigint')).toString('hex')}`));
  held.push(new Proxy({ [secret('proxy key')]: secret('proxy value') }, {}));
  held.push(structuredClone({ [secret('clone key')]: secret('clone value') }));
  held.push(new Intl.DateTimeFormat('en', { timeZone: 'UTC' }), new Intl.NumberFormat('de'));
}

function texts() {
  held.push(`text ${secret('template part')} text`);
  const first = secret('cons left');
  held.push(first.repeat(2) + secret('cons right'));
  const long = `${'a'.repeat(50)}${secret('sliced')}${'b'.repeat(50)}`;
  held.push(Buffer.from(long).toString('latin1').slice(10, 120));
  held.push(Buffer.from(`日本${secret('two bytes')}ü`).toString());
  held.push(Buffer.from(`é${secret('latin')}`, 'latin1').toString('latin1'));
  held.push(Buffer.alloc(2_000_000, secret('external')).toString('latin1'));
  held.push(Buffer.alloc(3000, secret('beyond the limit')).toString('latin1'));
  held.push(
    JSON.parse(`{"${secret('json key')}":{"${secret('json inner key')}":"${made.value}"}}`),
  );
  held.push(`"quoted"\n${secret('escaped')}\\\t`);
  held.push(
    new RegExp(secret('expression')),
    new RegExp(`(?<${secret('named group')}>a)`).exec('a'),
  );
  const used = new RegExp(`${secret('used expression')}(.*)`, 'gi');
  used.exec(`${made['used expression']}${secret('match')}`);
  held.push(used);
  held.push(Buffer.from(secret('buffer')), Buffer.from(secret('wide buffer'), 'utf16le'));
  held.push(
    new Uint8Array(Buffer.from(secret('typed array'))),
    new TextEncoder().encode(made.buffer),
  );
  held.push(new DataView(new ArrayBuffer(8)), new SharedArrayBuffer(16));
}

function keys() {
  held.push({ [secret('key')]: 1, [secret('key of an object')]: {} });
  held.push(Object.assign(Object.create(null), { [secret('key without prototype')]: {} }));
  const dictionary = {};
  for (let i = 0; i < 3000; i++) {
    dictionary[`${secret(`dictionary key ${i % 3}`)}${i}`] = { a: 1 };
  }
  dictionary[secret('dictionary key')] = { of: secret('dictionary value') };
  delete dictionary[Object.keys(dictionary)[1]];
  held.push(dictionary);
  held.push({ [secret('two byte key ключ')]: {}, [`ключ${secret('two byte key')}`]: {} });
  held.push({ 423456789: { of: 1 }, 4155551234567: { of: 2 } });
  const sparse = [];
  sparse[687654321] = { of: 3 };
  held.push(sparse);
  globalThis[secret('global')] = { of: 1 };
  process.env.OF_THE_TEST = secret('environment');
  held.push(new Headers({ [`x-${secret('header')}`]: secret('header value') }));
  held.push(new EventEmitter().on(secret('event'), () => {}));
}

function names() {
  held.push(Symbol(secret('symbol')), Symbol.for(secret('registered symbol')));
  held.push({ [Symbol(secret('symbol key'))]: {}, [Symbol.for(secret('registered key'))]: {} });
  held.push({ [secret('method')]() {}, async [secret('async method')]() {} });
  const accessors = {
    get [secret('getter')]() {
      return 1;
    },
    set [secret('setter')](value) {
      held.push(value);
    },
  };
  held.push(accessors, Object.getOwnPropertyDescriptors(accessors));
  const named = {
    [secret('class name')]: class {},
    [secret('function name')]: function () {
      this.made = true;
    },
  };
  for (const one of Object.values(named)) {
    held.push(one, new one());
  }
  class Titled {
    static name = secret('static name');
    made = true;
  }
  function Defined() {}
  Object.defineProperty(Defined, 'name', { value: secret('defined name') });
  held.push(Titled, new Titled(), Defined, new Defined(), Defined.bind(null));
  held.push({ [Symbol.toStringTag]: secret('tag') });
  held.push(Object.create({ constructor: { name: secret('constructor name') } }));
  held.push(
    { [secret('stack function')]: () => new Error('of a stack') }[made['stack function']](),
  );
  held.at(-1).stack.toString();
}

function code() {
  const evaluate = Reflect.get(globalThis, 'eval');
  const name = secret('evaluated function');
  const variable = secret('evaluated variable');
  const text = `(function ${name}() { const ${variable} = {}; return () => ${variable}; })`;
  held.push(evaluate(text)());
  held.push(new Function(secret('parameter'), `return a.${secret('property of a new function')}`));
  held.push(vm.runInNewContext('(function inner() {})', {}, { filename: secret('file name') }));
  // In the forms of names that the engine gives.
  for (const form of ['', '_info', '_cache', ' / Lopez']) {
    held.push(new vm.Script('0', { filename: `${secret(`file name ${form}`)}${form}` }));
  }
  held.push(vm.createContext({ [secret('global of a context')]: {} }, { name: secret('context') }));
  const captured = secret('closure');
  held.push(() => captured);
  const walked = (function* () {
    const own = secret('generator');
    yield own;
    yield own;
  })();
  walked.next();
  held.push(walked);
  held.push(
    (async () => {
      const own = secret('async function');
      await new Promise(() => {});
      return own;
    })(),
  );
  held.push(
    setTimeout(() => {}, 1e6, secret('timer argument')),
    new AsyncResource(secret('resource')),
  );
  new AsyncLocalStorage().run(secret('local storage'), () => held.push(new Promise(() => {})));
  held.push(Readable.from([secret('stream')]), crypto.createHash('sha256').update(secret('hash')));
  held.push(new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])));
  performance.mark(secret('mark'));
}

held.push(new Patient());
globalThis.plants = [values, texts, keys, names, code];
for (const plant of globalThis.plants) {
  plant();
}
fs.writeFileSync(process.argv[2], JSON.stringify(made));
setInterval(() => {}, 1000);
