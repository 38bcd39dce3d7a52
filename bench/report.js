// SPDX-License-Identifier: Apache-2.0
'use strict';

// A CPU profile of at least 10 MB → the text report. The profile is a real one, of a generated
// program: thousands of functions in modules and packages that call each other at random, so that
// stacks are deep and hardly two samples have the same.

const fs = require('node:fs');
const path = require('node:path');
const {
  checkProgram,
  finish,
  firstOutput,
  machine,
  main,
  parse,
  quantile,
  random,
  run,
  start,
  temporaryDirectory,
} = require('./measure.js');

const MODULES = 60;
const FUNCTIONS = 50; // of a module
const CALLS = 4; // that a function may choose from
const DEPTH = 40;
const SEED = 7;
const WANTED_BYTES = 10e6;

const options = parse({ times: 30, seconds: 8, sonde: 'build/release/bin/sonde' });

function moduleText(number, next) {
  const pick = (count) => Math.floor(next() * count);
  const functions = Array.from({ length: FUNCTIONS }, (_, i) => {
    const calls = Array.from(
      { length: CALLS },
      () => `modules[${pick(MODULES)}].f${pick(FUNCTIONS)}`,
    );
    return `exports.f${i} = function step${number}x${i}(modules, depth, state) {
  let sum = state;
  for (let i = 0; i < 300; i++) {
    sum = (Math.imul(sum ^ (sum >>> 15), 0x2c1b3c6d) + i) & 0x7fffffff;
  }
  if (depth === 0) {
    return sum;
  }
  switch ((sum >> 8) % ${CALLS}) {
${calls.map((call, k) => `    case ${k}:\n      return ${call}(modules, depth - 1, sum);`).join('\n')}
  }
  return sum;
};
`;
  });
  return functions.join('\n');
}

// Two modules of three are packages. Returns the program's path.
function writeProgram(directory) {
  const next = random(SEED);
  const names = [];
  for (let i = 0; i < MODULES; i++) {
    const folder = i % 3 ? path.join('node_modules', `package-${i}`) : `part-${i}`;
    fs.mkdirSync(path.join(directory, folder), { recursive: true });
    fs.writeFileSync(path.join(directory, folder, 'index.js'), moduleText(i, next));
    if (i % 3) {
      const text = JSON.stringify({ name: `package-${i}`, version: `1.${i}.0`, main: 'index.js' });
      fs.writeFileSync(path.join(directory, folder, 'package.json'), text);
    }
    names.push(i % 3 ? `package-${i}` : `./part-${i}`);
  }
  const program = path.join(directory, 'main.js');
  fs.writeFileSync(
    program,
    `const modules = [${names.map((name) => `require('${name}')`).join(', ')}];
let state = 1;
let turns = 0;
function turn() {
  const end = Date.now() + 20;
  while (Date.now() < end) {
    turns += 1;
    state = modules[state % ${MODULES}].f0(modules, ${DEPTH}, state ^ turns);
  }
  setImmediate(turn);
}
turn();
console.log('ready');
`,
  );
  return program;
}

async function takeProfile(sonde, store, directory) {
  const document = path.join(directory, 'run.yaml');
  fs.writeFileSync(
    document,
    `apiVersion: sonde.dev/v1alpha1
kind: ProfileRun
metadata: {name: large}
spec:
  target: {workloadRef: {kind: Deployment, name: generated}}
  captures:
  - {name: cpu, type: CPUProfile, durationSeconds: ${options.seconds}, samplingIntervalMicroseconds: 500, windowSeconds: 60}
`,
  );
  const target = start(process.execPath, [writeProgram(directory)]);
  await firstOutput(target);
  const words = ['run', document, '--pid', `${target.pid}`, '--store', store, '--output', 'json'];
  const { stdout } = await finish(start(sonde, words), 'sonde');
  target.child.kill('SIGKILL');
  return JSON.parse(stdout).runs[0];
}

main(async () => {
  const sonde = checkProgram(options.sonde);
  const directory = temporaryDirectory();
  const store = path.join(directory, 'store');
  const taken = await takeProfile(sonde, store, directory);
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
