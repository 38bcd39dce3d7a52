// SPDX-License-Identifier: Apache-2.0
'use strict';

// From our signal to the first answer of the inspector, each time on a fresh idle process, on every
// line of Node.js.

const {
  checkProgram,
  finish,
  firstOutput,
  machine,
  main,
  parse,
  quantile,
  run,
  start,
  temporaryDirectory,
} = require('./measure.js');

const ANY_PORT = '--inspect-port=0'; // another process may have the usual one

const options = parse({ times: 20, lines: '18,20,22,24,26', sonde: 'build/release/bin/sonde' });
const idle = 'setInterval(() => {}, 1000); console.log("ready")';

async function attachOnce(sonde, node, store) {
  const target = start(node, [ANY_PORT, '-e', idle]);
  await firstOutput(target);
  const words = ['profile', '--duration', '1s', '--pid', `${target.pid}`];
  const job = start(sonde, [...words, '--store', store, '--output', 'json']);
  const { stdout } = await finish(job, 'sonde');
  target.child.kill('SIGKILL');
  await target.ended;
  return JSON.parse(stdout).runs[0].cost.attachMilliseconds;
}

main(async () => {
  const sonde = checkProgram(options.sonde);
  const store = temporaryDirectory();
  console.log(machine());
  console.log(`signal → first answer on an idle process, ms, ${options.times} times a line`);
  for (const line of options.lines.split(',')) {
    const node = run('tests/environment/node', [line]);
    const times = [];
    while (times.length < options.times) {
      times.push(await attachOnce(sonde, node, store));
    }
    const shown = [0.5, 0.99].map((p) => quantile(times, p).toFixed(0));
    console.log(`Node ${run(node, ['--version']).padEnd(9)} median ${shown[0]}  p99 ${shown[1]}`);
  }
});
