// SPDX-License-Identifier: Apache-2.0
'use strict';

// Burns some time and keeps some memory, so that V8's own files about it are worth reading.

const kept = [];

function burn(milliseconds) {
  const end = Date.now() + milliseconds;
  let sum = 0;
  while (Date.now() < end) {
    sum += Math.sqrt(sum + 1);
  }
  return sum;
}

function keepMuch() {
  for (let i = 0; i < 60000; i++) {
    kept.push({ name: `patient ${i}`, visits: new Array(8).fill(i) });
  }
}

function recurse(depth) {
  return depth === 0 ? keepMuch() : recurse(depth - 1);
}

function never() {
  return kept.length;
}

// Nothing else would hold what was kept, nor, for V8 before Node.js 22, where the functions stand.
globalThis.held = { kept, recurse };

burn(300);
recurse(Number(process.argv[2] ?? 10));
if (kept.length === 0) {
  never();
}
