// SPDX-License-Identifier: Apache-2.0
'use strict';

// Plants objects whose numbers are known, and writes a heap snapshot before and after it leaks some:
// node heap-app.js BEFORE AFTER

const v8 = require('node:v8');

const SESSIONS = 2000;
const LEAKED = 500;
const NOTES = 3000;
const VALUE_NUMBERS = 10000;
const BUFFER_BYTES = 3000000;

class User {
  constructor(number) {
    this.name = `user ${number} of the test`;
    this.number = number;
  }
}

class Session {
  constructor(number) {
    this.user = new User(number);
    this.numbers = new Float64Array(8);
  }
}

class Server {
  constructor() {
    this.routes = new Map();
  }
}

class Note {
  constructor(number) {
    this.text = JSON.parse(`"the same text in each note, read anew each time"`);
    this.number = number;
  }
}

class Key {}
class Value {
  constructor() {
    this.numbers = Array.from({ length: VALUE_NUMBERS }, (_, i) => i + 0.5);
  }
}

globalThis.server = new Server();
for (let i = 0; i < SESSIONS; i++) {
  globalThis.server.routes.set(`session ${i}`, new Session(i));
}

// Only a variable of a closure holds the notes.
function makeHandler() {
  const cache = Array.from({ length: NOTES }, (_, i) => new Note(i));
  return function onRequest() {
    return cache.length;
  };
}
globalThis.handler = makeHandler();

// The value of a WeakMap is the key's, and the table's no more.
globalThis.weak = new WeakMap();
globalThis.key = new Key();
globalThis.weak.set(globalThis.key, new Value());

globalThis.buffer = Buffer.alloc(BUFFER_BYTES, 1);

const [before, after] = process.argv.slice(2);
v8.writeHeapSnapshot(before);
for (let i = 0; i < LEAKED; i++) {
  globalThis.server.routes.set(`leaked ${i}`, new Session(SESSIONS + i));
}
globalThis.handler();
v8.writeHeapSnapshot(after);
