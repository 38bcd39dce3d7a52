// SPDX-License-Identifier: Apache-2.0
'use strict';

// A CPU profile of at least 10 MB (large.js) → the text report.

const path = require('node:path');
const { takeLarge } = require('./large.js');
const {
  checkProgram,
  machine,
  main,
  parse,
  quantile,
  run,
  temporaryDirectory,
} = require('./measure.js');

const WANTED_BYTES = 10e6;

const options = parse({ times: 30, seconds: 8, sonde: 'build/release/bin/sonde' });

main(async () => {
  const sonde = checkProgram(options.sonde);
  const directory = temporaryDirectory();
  const store = path.join(directory, 'store');
  const taken = await takeLarge(sonde, store, directory, options.seconds);
  const bytes = taken.cost.bytes;
  if (bytes < WANTED_BYTES) {
    throw new Error(`the profile has only ${bytes} bytes: give more --seconds`);
  }
  const milliseconds = [];
  let size = 0;
  for (let i = 0; i <= options.times; i++) {
    const begin = process.hrtime.bigint();
    size = run(sonde, ['report', 'last', '--store', store]).length;
    if (i > 0) {
      milliseconds.push(Number(process.hrtime.bigint() - begin) / 1e6); // the first one warms up
    }
  }
  const each = [0.5, 0.99].map((p) => quantile(milliseconds, p));
  console.log(machine());
  console.log(
    `cpuprofile of ${(bytes / 1e6).toFixed(1)} MB, ${taken.captures[0].samples} samples → text report of ${size} characters, whole process`,
  );
  console.log(
    `median ${each[0].toFixed(0)} ms, p99 ${each[1].toFixed(0)} ms; for 10 MB in proportion: ${((each[0] * WANTED_BYTES) / bytes).toFixed(0)} ms`,
  );
});
