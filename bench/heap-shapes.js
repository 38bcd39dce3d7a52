// SPDX-License-Identifier: Apache-2.0
'use strict';

// A process whose heap has a shape: node bench/heap-shapes.js SHAPE COUNT

const [shape, count] = [process.argv[2], Number(process.argv[3])];
const held = [];
globalThis.held = held;

const shapes = {
  objects: (i) => held.push({ id: i, name: Buffer.from(`name ${i}`).toString(), tag: { of: i } }),
  strings: (i) =>
    held.push(Buffer.from(`the text of number ${i} and some more`).toString('latin1')),
  numbers: (i) => held.push([i + 0.5, i * 1.5, i / 3]),
  closures: (i) => {
    const captured = { of: i };
    held.push(() => captured);
  },
  maps: (i) => {
    if (i % 10 === 0) {
      held.push(new Map());
    }
    held.at(-1).set(`key ${i}`, { of: i });
  },
  dictionary: (i) => {
    if (i % 1000 === 0) {
      held.push({});
    }
    held.at(-1)[`key ${i}`] = { of: i };
  },
  references: (i) => {
    if (i % 20 === 0) {
      held.push(Array.from({ length: 100 }, (_, k) => held[k % Math.max(1, held.length)]));
    }
  },
  texts: (i) => {
    if (i % 20 === 0) {
      held.push(Buffer.alloc(4000, `x${i}`).toString('latin1'));
    }
  },
  buffers: (i) => {
    if (i % 20 === 0) {
      held.push(Buffer.allocUnsafeSlow(4000));
    }
  },
};

for (let i = 0; i < count; i++) {
  shapes[shape](i);
}
setTimeout(() => {
  process.stdout.write('ready\n');
  setInterval(() => {}, 1000);
}, 100);
