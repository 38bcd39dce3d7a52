// SPDX-License-Identifier: Apache-2.0
'use strict';

// What V8's sampling costs by itself, without us: a fixed piece of work at several depths of stack,
// timed with and without a profile in the same process, on every line of Node.js.

const path = require('node:path');
const { machine, main, parse, quantile, root, run } = require('./measure.js');

const LINES = [18, 20, 22, 24, 26];
const DEPTHS = [10, 40, 100];

const options = parse({ interval: 1000, rounds: 14 });

// Runs inside each Node.js; prints {depth: [ratio…]}.
function measure(interval, rounds, depths) {
  const { Session } = require('node:inspector');
  const session = new Session();
  session.connect();
  const post = (method, parameters) => {
    return new Promise((resolve, reject) => {
      session.post(method, parameters, (error, value) => (error ? reject(error) : resolve(value)));
    });
  };
  const rows = Array.from({ length: 300 }, (_, id) => ({ id, name: `patient ${id}`, visits: [1] }));
  const deep = (n) => (n ? deep(n - 1) + 1 : JSON.parse(JSON.stringify(rows)).length);
  const pieces = (depth) => {
    const times = Array.from({ length: 12 }, () => {
      const begin = process.hrtime.bigint();
      for (let i = 0; i < 150; i++) {
        deep(depth);
      }
      return Number(process.hrtime.bigint() - begin);
    });
    return times.sort((a, b) => a - b)[times.length >> 1];
  };
  const all = async () => {
    const ratios = {};
    await post('Profiler.enable');
    await post('Profiler.setSamplingInterval', { interval });
    for (const depth of depths) {
      pieces(depth);
      ratios[depth] = [];
      for (let i = 0; i < rounds; i++) {
        const before = pieces(depth);
        await post('Profiler.start');
        const during = pieces(depth);
        await post('Profiler.stop');
        ratios[depth].push(during / Math.sqrt(before * pieces(depth)));
      }
    }
    console.log(JSON.stringify(ratios));
    process.exit();
  };
  all();
}

main(async () => {
  console.log(machine());
  console.log(
    `time with a sample every ${options.interval} µs / without: median, and the quartiles`,
  );
  for (const line of LINES) {
    const node = run(path.join(root, 'tests/environment/node'), [`${line}`]);
    const words = [options.interval, options.rounds, JSON.stringify(DEPTHS)].join(', ');
    const ratios = JSON.parse(run(node, ['-e', `(${measure})(${words})`]));
    const show = (values) => [0.5, 0.25, 0.75].map((p) => quantile(values, p).toFixed(3));
    const columns = DEPTHS.map((depth) => {
      const [median, low, high] = show(ratios[depth]);
      return `${depth} frames ${median} [${low}, ${high}]`;
    });
    console.log(`Node.js ${line}: ${columns.join('   ')}`);
  }
});
