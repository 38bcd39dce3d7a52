// SPDX-License-Identifier: Apache-2.0
'use strict';

// Fills a heap of a shape and writes its snapshot: node heap.js SHAPE COUNT FILE

const v8 = require('node:v8');

class Address {
  constructor(number) {
    this.street = `street ${number}`;
    this.number = number;
  }
}

class Patient {
  constructor(number) {
    this.name = `patient ${number}`;
    this.address = new Address(number);
    this.notes = [`note ${number}`, number % 7];
  }
}

class Link {
  constructor(next) {
    this.next = next;
  }
}

class Vertex {
  constructor(number) {
    this.number = number;
    this.others = [];
  }
}

const shapes = {
  // What a service holds: a cache of small objects with texts.
  objects(count) {
    const all = new Map();
    for (let i = 0; i < count; i++) {
      all.set(`key ${i}`, new Patient(i));
    }
    return all;
  },
  // A path as long as the heap is large.
  list(count) {
    let last = null;
    for (let i = 0; i < count; i++) {
      last = new Link(last);
    }
    return last;
  },
  // References in every direction, so that nearly nothing dominates anything.
  mesh(count) {
    const all = Array.from({ length: count }, (_, i) => new Vertex(i));
    let state = 7;
    for (const vertex of all) {
      for (let k = 0; k < 6; k++) {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
        vertex.others.push(all[state % count]);
      }
    }
    return all[0];
  },
  // Functions, each with variables of its own.
  closures(count) {
    const make = (number) => {
      const text = `text ${number}`;
      return () => text;
    };
    return Array.from({ length: count }, (_, i) => make(i));
  },
};

const [shape, count, file] = process.argv.slice(2);
globalThis.held = shapes[shape](Number(count));
v8.writeHeapSnapshot(file);
