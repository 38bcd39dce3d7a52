// SPDX-License-Identifier: Apache-2.0
'use strict';

// Holds 1,000 sessions, and 500 more for each SIGUSR2; says how many it holds.

class Session {
  constructor(number) {
    this.name = `session ${number}`;
    this.numbers = [number, number + 0.5];
  }
}

globalThis.open = new Map();

function add(count) {
  for (let i = 0; i < count; i++) {
    globalThis.open.set(globalThis.open.size, new Session(i));
  }
  process.stdout.write(`${globalThis.open.size}\n`);
}

process.on('SIGUSR2', () => add(500));
setInterval(() => {}, 1000);
add(1000);
