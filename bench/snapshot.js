// SPDX-License-Identifier: Apache-2.0
'use strict';

// A large heap snapshot → classes, dominators, retained sizes and paths: time and memory of ours
// beside the packages of npm that do it. Whole processes, from start to exit, with the file in the
// page cache. What they say is compared, too.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const {
  atEnd,
  checkProgram,
  machine,
  main,
  measure,
  parse,
  quantile,
  root,
  run,
  temporaryDirectory,
} = require('./measure.js');

const folder = path.join(__dirname, 'snapshot');
const packages = {
  devtools: 'chrome-devtools-frontend',
  memlab: '@memlab/core',
  vscode: '@vscode/v8-heap-parser',
};

const options = parse({
  shape: 'objects',
  count: 1500000,
  times: 3,
  rivals: 'devtools,memlab,vscode',
  taker: 22,
  runner: 24,
  file: ' ',
  program: 'build/release/tests/heap_analysis',
});

const node = (line) => run(path.join(root, 'tests/environment/node'), [String(line)]);

function takeSnapshot() {
  if (options.file.trim()) {
    return options.file;
  }
  const file = path.join(temporaryDirectory(), 'large.heapsnapshot');
  const words = [path.join(folder, 'heap.js'), options.shape, String(options.count), file];
  execFileSync(node(options.taker), ['--max-old-space-size=12000', '--stack-size=50000', ...words]);
  return file;
}

async function repeat(name, command, args) {
  const all = [];
  for (let i = 0; i < options.times; i++) {
    const one = await measure(command, args, { cwd: folder });
    if (one.code !== 0) {
      const reason = one.stderr
        .trim()
        .split('\n')
        .find((line) => /error|fail|memory/i.test(line));
      console.log(`${name.padEnd(44)} failed: ${reason ?? one.stderr.trim().slice(-200)}`);
      return undefined;
    }
    all.push(one);
  }
  const [seconds, cpu] = ['seconds', 'cpu'].map((key) =>
    quantile(
      all.map((one) => one[key]),
      0.5,
    ),
  );
  const peak = Math.max(...all.map((one) => one.peak));
  console.log(
    `${name.padEnd(44)} ${seconds.toFixed(2).padStart(7)} s ${cpu.toFixed(2).padStart(7)} s CPU ${(peak / 2 ** 20).toFixed(0).padStart(6)} MiB`,
  );
  return { seconds, cpu, peak, said: JSON.parse(all[0].stdout) };
}

// Not of memlab, which does not total by class itself. DevTools splits plain objects by their
// properties; the other does not give what V8 keeps an object in to that object.
function compare(ours, theirs) {
  const mine = new Map(ours.classes.map((one) => [one.name, one]));
  const same = (one) => {
    const row = mine.get(one.name);
    return row && row.count === one.count && row.retainedBytes === one.retained;
  };
  const shared = theirs.classes.filter((one) => mine.has(one.name));
  const equal = shared.filter(same);
  console.log(
    `${''.padEnd(44)} ${equal.length} of ${shared.length} classes of the same name have the same count and retained size`,
  );
}

main(async () => {
  const program = checkProgram(options.program);
  const file = path.resolve(takeSnapshot());
  const bundle = path.join(temporaryDirectory(), 'devtools.mjs');
  atEnd(() => fs.rmSync(bundle, { force: true }));
  if (!fs.existsSync(path.join(folder, 'node_modules'))) {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
  }
  console.log(machine());
  const bytes = fs.statSync(file).size;
  const ours = await repeat('ours', program, [file]);
  console.log(
    `${options.shape}: ${(bytes / 1e6).toFixed(0)} MB, ${ours.said.nodes} nodes, ${ours.said.edges} edges`,
  );
  for (const name of options.rivals.split(',')) {
    const words = [path.join(folder, 'rival.mjs'), name];
    const large = ['--max-old-space-size=16000', ...words];
    const { version } = JSON.parse(
      fs.readFileSync(path.join(folder, 'node_modules', packages[name], 'package.json'), 'utf8'),
    );
    if (name === 'devtools') {
      await measure(node(options.runner), [...words, '/dev/null', bundle], { cwd: folder }); // bundles, then fails
    }
    const label = `${packages[name]} ${version}`;
    const theirs = await repeat(label, node(options.runner), [...large, file, bundle]);
    if (theirs && name !== 'memlab') {
      compare(ours.said, theirs.said);
    }
  }
});
