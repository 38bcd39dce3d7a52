// SPDX-License-Identifier: Apache-2.0
'use strict';

// What a heap snapshot was predicted to cost a process, and what it did: memory and time, for heaps
// of different shapes, on every line of Node.js. The time is the CPU time of the process's main
// thread, which stands still meanwhile: on a busy machine the clock would tell of the others.

const fs = require('node:fs');
const path = require('node:path');
const {
  checkProgram,
  finish,
  firstOutput,
  machine,
  main,
  parse,
  run,
  runStatus,
  snapshotDocument,
  start,
  temporaryDirectory,
} = require('./measure.js');

const options = parse({
  lines: '18,20,22,24,26',
  shapes: 'objects,strings,numbers,closures,maps,dictionary,references,texts,buffers',
  count: 200000,
  sonde: 'build/release/bin/sonde',
});
const TICKS_PER_SECOND = 100;

function status(pid, name) {
  const text = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]) * 1024;
}

function mainThreadSeconds(pid) {
  const text = fs.readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

// The largest resident size from now on.
function resetPeak(pid) {
  fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

async function snapshot(sonde, node, shape, directory) {
  const script = path.join(__dirname, 'heap-shapes.js');
  const target = start(node, ['--max-old-space-size=8000', script, shape, `${options.count}`]);
  await firstOutput(target);
  const document = snapshotDocument(directory, 'None');
  const store = path.join(directory, `${shape}-${target.pid}`);
  const before = status(target.pid, 'VmRSS');
  const spent = mainThreadSeconds(target.pid);
  resetPeak(target.pid);
  const words = ['run', document, '--pid', `${target.pid}`, '--store', store];
  await finish(start(sonde, words), 'sonde');
  const seconds = mainThreadSeconds(target.pid) - spent;
  const bytes = status(target.pid, 'VmHWM') - before;
  target.child.kill('SIGKILL');
  await target.ended;
  const { heapSnapshot } = runStatus(store);
  fs.rmSync(store, { recursive: true });
  return { ...heapSnapshot, seconds, bytes };
}

main(async () => {
  const sonde = checkProgram(options.sonde);
  const directory = temporaryDirectory();
  console.log(machine());
  console.log(`heaps of ${options.count} things; predicted (at most) → measured`);
  console.log(
    '| Node | shape | heap, MB | memory, MB | of heap | time, s | predicted / measured |',
  );
  console.log('|---|---|---|---|---|---|---|');
  for (const line of options.lines.split(',')) {
    const node = run('tests/environment/node', [line]);
    for (const shape of options.shapes.split(',')) {
      const one = await snapshot(sonde, node, shape, directory);
      const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
      const memory = `${megabytes(one.predictedBytes)} → ${megabytes(one.bytes)}`;
      const time = `${one.predictedPauseSeconds.toFixed(1)} → ${one.seconds.toFixed(1)}`;
      const ratios = [one.predictedBytes / one.bytes, one.predictedPauseSeconds / one.seconds];
      const cells = [line, shape, megabytes(one.heapBytes), memory];
      const share = (one.bytes / one.heapBytes).toFixed(1);
      console.log(
        `| ${[...cells, share, time, ratios.map((r) => r.toFixed(1)).join(' · ')].join(' | ')} |`,
      );
    }
  }
});
