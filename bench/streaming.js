// SPDX-License-Identifier: Apache-2.0
'use strict';

// A heap snapshot on its way out of a process: our CPU time and memory, and how long the process
// stands still, beside a client that throws away all it gets. Both take turns on one process.

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const {
  checkProgram,
  firstOutput,
  machine,
  main,
  measure,
  parse,
  quantile,
  ratio,
  run,
  runStatus,
  snapshotDocument,
  start,
  temporaryDirectory,
} = require('./measure.js');

const options = parse({
  shape: 'objects',
  count: 1200000,
  times: 5,
  line: 22,
  redaction: 'Strings',
  sonde: 'build/release/bin/sonde',
});
const ANSWER = '{"id":1,"result":{}}';
const TAIL = 256; // bytes at the end of what is read in which the answer is looked for

function clientFrame(text) {
  const length = Buffer.byteLength(text); // at most 125, and with a mask of zeros
  return Buffer.concat([Buffer.from([0x81, 0x80 | length, 0, 0, 0, 0]), Buffer.from(text)]);
}

// Seconds from the command to its answer, and bytes. No more is done with them than to look for the
// answer.
function throwAway(url) {
  const { hostname, port, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: hostname, port });
    let begin;
    let bytes = 0;
    let tail = '';
    socket.on('error', reject);
    socket.on('connect', () => {
      socket.write(
        `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\n` +
          'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
    });
    socket.on('data', (data) => {
      if (!begin) {
        begin = process.hrtime.bigint();
        const params = { reportProgress: false };
        const command = { id: 1, method: 'HeapProfiler.takeHeapSnapshot', params };
        socket.write(clientFrame(JSON.stringify(command)));
        return;
      }
      bytes += data.length;
      tail = (tail + data.subarray(-TAIL).toString('latin1')).slice(-TAIL);
      if (tail.includes(ANSWER)) {
        socket.destroy();
        resolve({ seconds: Number(process.hrtime.bigint() - begin) / 1e9, bytes });
      }
    });
  });
}

// Whether the snapshot is in the store: its analysis, for the report, comes then.
function isKept(store) {
  const blobs = path.join(store, 'blobs');
  return fs.existsSync(blobs) && fs.readdirSync(blobs).length > 0;
}

async function ours(sonde, pid, document, directory) {
  const store = path.join(directory, 'store');
  const words = ['run', document, '--pid', `${pid}`, '--store', store];
  const { cpu, peak, code, stderr } = await measure(sonde, words, { over: () => isKept(store) });
  if (code !== 0) {
    throw new Error(stderr);
  }
  const { pauseSeconds } = runStatus(store).heapSnapshot;
  const kept = Number(run('du', ['-sb', path.join(store, 'blobs')]).split('\t')[0]);
  fs.rmSync(store, { recursive: true });
  return { cpu, peak, seconds: pauseSeconds, kept };
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// The address that the inspector of a new process says it listens on.
function inspectorOf(target) {
  return new Promise((resolve, reject) => {
    let text = '';
    target.child.stderr.on('data', (data) => {
      text += data;
      const found = /ws:\S+/.exec(text);
      if (found) {
        resolve(found[0]);
      }
    });
    target.ended.then(() => reject(new Error(text)), reject);
  });
}

main(async () => {
  const sonde = checkProgram(options.sonde);
  const node = run('tests/environment/node', [`${options.line}`]);
  const directory = temporaryDirectory();
  const document = snapshotDocument(directory, options.redaction);
  const script = path.join(__dirname, 'heap-shapes.js');
  const words = [`--inspect=127.0.0.1:${await freePort()}`, '--max-old-space-size=16000', script];
  const target = start(node, [...words, options.shape, `${options.count}`]);
  const [url] = await Promise.all([inspectorOf(target), firstOutput(target)]);
  console.log(machine());
  const { bytes } = await throwAway(url); // the first one gives each object its number
  console.log(`${options.shape}: ${(bytes / 1e6).toFixed(0)} MB as sent`);
  const all = [];
  const ratios = [];
  for (let i = 0; i < options.times; i++) {
    const before = await throwAway(url);
    const one = await ours(sonde, target.pid, document, directory);
    const after = await throwAway(url);
    const theirs = (before.seconds + after.seconds) / 2;
    all.push(one);
    ratios.push(theirs / one.seconds);
    console.log(
      `CPU ${one.cpu.toFixed(2)} s, peak ${(one.peak / 2 ** 20).toFixed(1)} MiB, ` +
        `${(one.kept / 1e6).toFixed(1)} MB kept; target stands still for ` +
        `${one.seconds.toFixed(1)} s, thrown away for ${theirs.toFixed(1)} s`,
    );
  }
  const values = (key) => all.map((one) => one[key]);
  console.log(
    `CPU: median ${quantile(values('cpu'), 0.5).toFixed(2)} s, ` +
      `best ${Math.min(...values('cpu')).toFixed(2)} s; ` +
      `peak ${(Math.max(...values('peak')) / 2 ** 20).toFixed(1)} MiB; ` +
      `speed beside throwing away ${ratio(ratios)}`,
  );
  target.child.kill('SIGKILL');
  await target.ended;
});
