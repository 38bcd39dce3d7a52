// SPDX-License-Identifier: Apache-2.0
'use strict';

// How fast this core is just now: a small piece of work like a service's, many times a second, by
// its own CPU time, so that waiting for the core does not count. Each line on stdin is answered
// with "PIECES MICROSECONDS", both since the start.

const PERIOD_MS = 25;
const ROWS = 600;

const rows = Array.from({ length: ROWS }, (_, id) => ({
  id,
  name: `patient ${id}`,
  visits: [1, 2, 3, id],
  address: { street: `street ${id}` },
}));
let pieces = 0;
let microseconds = 0;

setInterval(() => {
  const before = process.cpuUsage();
  JSON.parse(JSON.stringify(rows));
  JSON.parse(JSON.stringify(rows));
  /^(a+)+$/.test(`${'a'.repeat(15)}b`);
  const used = process.cpuUsage(before);
  pieces += 1;
  microseconds += used.user + used.system;
}, PERIOD_MS);

process.stdin.on('data', () => console.log(`${pieces} ${microseconds}`));
process.stdin.on('end', () => process.exit());
