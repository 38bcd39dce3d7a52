// SPDX-License-Identifier: Apache-2.0
'use strict';

// A large CPU profile, taken of a generated program: thousands of functions in modules and packages
// that call each other at random, so that stacks are deep and hardly two samples have the same.

const fs = require('node:fs');
const path = require('node:path');
const { finish, firstOutput, random, start } = require('./measure.js');

const MODULES = 60;
const FUNCTIONS = 50; // of a module
const CALLS = 4; // that a function may choose from
const DEPTH = 40;
const SEED = 7;

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

// Runs it in `directory` for some seconds; returns the run's report.
async function takeLarge(sonde, store, directory, seconds) {
  const document = path.join(directory, 'run.yaml');
  fs.writeFileSync(
    document,
    `apiVersion: sonde.dev/v1alpha1
kind: ProfileRun
metadata: {name: large}
spec:
  target: {workloadRef: {kind: Deployment, name: generated}}
  captures:
  - {name: cpu, type: CPUProfile, durationSeconds: ${seconds}, samplingIntervalMicroseconds: 500, windowSeconds: 60}
`,
  );
  const target = start(process.execPath, [writeProgram(directory)]);
  await firstOutput(target);
  const words = ['run', document, '--pid', `${target.pid}`, '--store', store, '--output', 'json'];
  const { stdout } = await finish(start(sonde, words), 'sonde');
  target.child.kill('SIGKILL');
  return JSON.parse(stdout).runs[0];
}

module.exports = { takeLarge };
