// SPDX-License-Identifier: Apache-2.0
'use strict';

// A process with OBJECTS small objects in its heap, which counts how often its loop comes round, and
// stops at a debugger statement each time, were it let.

const objects = Number(process.env.OBJECTS ?? 1000);
const held = [];
globalThis.held = held;
for (let i = 0; i < objects; i++) {
  held.push({ id: i, name: `the name of ${i}`, next: { of: i } });
}
let rounds = 0;
setInterval(() => {
  // biome-ignore lint/suspicious/noDebugger: it must not stop
  debugger;
  rounds += 1;
  process.stdout.write(`${rounds}\n`);
}, 20);
