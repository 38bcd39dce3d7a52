// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde import`: files that Node.js itself and other tools write become runs like any other.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const zlib = require('node:zlib');
const { Sonde, bin, exited, output, start, temporary } = require('./support/sonde.js');
const { lines, node } = require('./support/target.js');
const { lineOf } = require('./support/source.js');
const { speedscopeReads } = require('./support/speedscope.js');

const app = path.join(__dirname, 'support/allocator.js');

// What Node.js writes about the application when asked to: the file's path.
async function written(t, line, options, depth = 10) {
  const directory = temporary(t);
  const args = options.map((one) => one.replace('DIR', directory));
  await output(node(line), [...args, app, String(depth)]);
  const [name] = fs.readdirSync(directory);
  return path.join(directory, name);
}

const cpu = ['--cpu-prof', '--cpu-prof-dir=DIR'];
const heap = ['--heap-prof', '--heap-prof-dir=DIR', '--heap-prof-interval=16384'];

async function imported(sonde, file, more = []) {
  return sonde.json(['import', file, '--output', 'json', ...more]);
}

async function exportOf(sonde, run, format) {
  const result = await sonde.run(['export', run, '--format', format]);
  exited(result, 0);
  return result.bytes;
}

for (const line of lines) {
  test(`Node.js ${line}: --heap-prof is imported, reported and exported`, async (t) => {
    const sonde = new Sonde(t);
    const file = await written(t, line, heap);
    const run = await imported(sonde, file, ['--name', 'kept']);
    assert.equal(run.name, 'kept');
    assert.equal(run.capture, 'heap');
    assert.equal(run.format, 'heapprofile');
    const report = await sonde.report('kept');
    assert.equal(report.state, 'Succeeded');
    assert.equal(report.target, `imported from ${path.basename(file)}`);
    const [capture] = report.captures;
    assert.equal(capture.type, 'HeapProfile');
    assert.ok(capture.bytes > 5e6, `only ${capture.bytes} bytes`);
    assert.ok(capture.samples > 100);
    const keeps = capture.functions.find((one) => one.function === 'keepMuch');
    assert.equal(keeps.line, lineOf(app, 'function keepMuch('));
    assert.ok(keeps.totalShare > 0.5, `only ${keeps.totalShare}`);
    assert.equal(capture.findings[0].kind, 'hot-allocation');
    assert.equal(capture.findings[0].where[0].function, 'keepMuch');

    // Chrome's shape, byte for byte what it was as far as amounts go.
    const before = JSON.parse(fs.readFileSync(file, 'utf8'));
    const after = JSON.parse(await exportOf(sonde, 'kept', 'heapprofile'));
    const sum = (one) => one.selfSize + one.children.map(sum).reduce((a, b) => a + b, 0);
    assert.equal(sum(after.head), sum(before.head));
    assert.equal(sum(after.head), capture.bytes);
    assert.equal(after.samples.length, capture.samples);
    assert.deepEqual(Object.keys(after.head), Object.keys(before.head));
    assert.deepEqual(Object.keys(after.head.callFrame), Object.keys(before.head.callFrame));
    assert.deepEqual(Object.keys(after.samples[0]).sort(), Object.keys(before.samples[0]).sort());
  });
}

test('--cpu-prof is imported as it was', async (t) => {
  const sonde = new Sonde(t);
  const file = await written(t, 22, cpu);
  const run = await imported(sonde, file);
  assert.equal(run.capture, 'cpu');
  assert.equal(run.name, 'cpu'); // of the file CPU.….cpuprofile
  const report = await sonde.report();
  const before = JSON.parse(fs.readFileSync(file, 'utf8'));
  const [capture] = report.captures;
  assert.equal(capture.type, 'CPUProfile');
  assert.equal(capture.samples, before.samples.length);
  assert.equal(capture.functions[0].function, 'burn');
  const text = await sonde.run(['report', 'last']);
  assert.match(text.stdout, /imported from CPU\..*\.cpuprofile\n/);
  assert.match(text.stdout, /allocator\.js:\d+/);
});

test('recursion 5,000 deep is imported', async (t) => {
  const sonde = new Sonde(t);
  const file = await written(t, 22, heap, 5000);
  await imported(sonde, file, ['--name', 'deep']);
  const [capture] = (await sonde.report('deep')).captures;
  const recurse = capture.functions.find((one) => one.function === 'recurse');
  assert.ok(recurse.totalShare <= 1 && recurse.totalShare > 0.5);
  for (const format of ['heapprofile', 'pprof', 'folded', 'speedscope']) {
    assert.ok((await exportOf(sonde, 'deep', format)).length > 200);
  }
});

// Each format that Sonde writes is read again: the same functions with the same amounts.
for (const [options, formats, amount] of [
  [heap, ['heapprofile', 'pprof', 'folded'], 'selfBytes'],
  [cpu, ['cpuprofile', 'pprof', 'folded'], 'selfMilliseconds'],
]) {
  for (const format of formats) {
    test(`${amount} survive a round trip through ${format}`, async (t) => {
      const sonde = new Sonde(t);
      await imported(sonde, await written(t, 22, options), ['--name', 'first']);
      const file = path.join(temporary(t), `x.${format}`);
      fs.writeFileSync(file, await exportOf(sonde, 'first', format));
      const unit = format === 'folded' && amount === 'selfBytes' ? ['--unit', 'bytes'] : [];
      const run = await imported(sonde, file, ['--name', 'second', ...unit]);
      assert.equal(run.format, format === 'folded' ? 'folded stacks' : format);
      const sums = async (name) => {
        const [capture] = (await sonde.report(name)).captures;
        const all = new Map();
        for (const one of capture.functions) {
          all.set(one.function, (all.get(one.function) ?? 0) + one[amount]);
        }
        return [...all].sort((a, b) => b[1] - a[1]).slice(0, 5);
      };
      const first = await sums('first');
      const second = new Map(await sums('second'));
      assert.ok(first.length > 1);
      for (const [name, value] of first) {
        const again = second.get(name);
        assert.ok(Math.abs(again - value) <= value * 0.001 + 0.5, `${name}: ${value}, ${again}`);
      }
    });
  }
}

// The names of functions may have their places behind them, as folded stacks have.
const selfOf = (read, name) =>
  [...read.self]
    .filter(([key]) => key.split(' ')[0] === name)
    .reduce((all, one) => all + one[1], 0);

test('speedscope itself reads bytes in all formats', async (t) => {
  const sonde = new Sonde(t);
  await imported(sonde, await written(t, 22, heap), ['--name', 'first']);
  const [capture] = (await sonde.report('first')).captures;
  const keeps = capture.functions.find((one) => one.function === 'keepMuch');
  for (const [format, name] of [
    ['speedscope', 'a.speedscope.json'],
    ['heapprofile', 'a.heapprofile'],
    ['pprof', 'a.pb.gz'],
    ['folded', 'a.folded.txt'],
  ]) {
    const file = path.join(temporary(t), name);
    fs.writeFileSync(file, await exportOf(sonde, 'first', format));
    const read = await speedscopeReads(file);
    assert.equal(read.unit, format === 'folded' ? 'none' : 'bytes', format);
    assert.equal(read.total, capture.bytes, format);
    assert.equal(selfOf(read, 'keepMuch'), keeps.selfBytes, format);
  }
});

test('speedscope itself reads time in all formats', async (t) => {
  const sonde = new Sonde(t);
  await imported(sonde, await written(t, 22, cpu), ['--name', 'first']);
  const [capture] = (await sonde.report('first')).captures;
  const burn = capture.functions.find((one) => one.function === 'burn');
  for (const [format, name, perMillisecond] of [
    ['speedscope', 'a.speedscope.json', 1e3],
    ['cpuprofile', 'a.cpuprofile', 1e3],
    ['pprof', 'a.pb.gz', 1e6],
    ['folded', 'a.folded.txt', 1e3],
  ]) {
    const file = path.join(temporary(t), name);
    fs.writeFileSync(file, await exportOf(sonde, 'first', format));
    const read = await speedscopeReads(file);
    const said = selfOf(read, 'burn') / perMillisecond;
    const near = Math.abs(said - burn.selfMilliseconds) < 0.02 * burn.selfMilliseconds;
    assert.ok(near, `${format}: ${said} ms for ${burn.selfMilliseconds} ms`);
  }
});

test('a pprof file that go wrote is imported', async (t) => {
  const sonde = new Sonde(t);
  await imported(sonde, await written(t, 22, heap), ['--name', 'first']);
  const directory = temporary(t);
  const file = path.join(directory, 'heap.pb.gz');
  fs.writeFileSync(file, await exportOf(sonde, 'first', 'pprof'));
  const top = await output('go', ['tool', 'pprof', '-top', '-nodecount=5', file]);
  assert.match(top, /Type: inuse_space/);
  assert.match(top, /keepMuch/);
  const merged = path.join(directory, 'merged.pb.gz');
  await output('go', ['tool', 'pprof', '-proto', `-output=${merged}`, file, file]);
  await imported(sonde, merged, ['--name', 'twice']);
  const bytes = async (name) => (await sonde.report(name)).captures[0].bytes;
  assert.equal(await bytes('twice'), 2 * (await bytes('first')));
  const raw = path.join(directory, 'raw');
  fs.writeFileSync(raw, zlib.gunzipSync(fs.readFileSync(merged)));
  await imported(sonde, raw, ['--name', 'raw']);
  assert.equal(await bytes('raw'), await bytes('twice'));
});

test('folded stacks do not tell how busy the process was, and nothing is claimed', async (t) => {
  const sonde = new Sonde(t);
  const file = path.join(temporary(t), 'a.folded');
  fs.writeFileSync(file, 'main /app/a.js:1;hot /app/a.js:9 9000000\nmain /app/a.js:1 1000000\n');
  await imported(sonde, file);
  const [capture] = (await sonde.report()).captures;
  assert.equal(capture.busyShare, undefined);
  assert.deepEqual(
    capture.findings.map((one) => one.kind),
    ['hot-function', 'hot-function'],
  );
  const text = (await sonde.run(['report', 'last'])).stdout;
  assert.doesNotMatch(text, /busy \d|saturated/);
});

test('coverage of NODE_V8_COVERAGE says what never ran, with lines where sources are', async (t) => {
  const sonde = new Sonde(t);
  const directory = temporary(t);
  const env = { ...process.env, NODE_V8_COVERAGE: directory };
  const made = await start(t, node(22), [app, '10'], { env }).done;
  exited(made, 0);
  const file = path.join(directory, fs.readdirSync(directory)[0]);
  const run = await imported(sonde, file, ['--name', 'plain']);
  assert.deepEqual([run.capture, run.format], ['coverage', 'V8 coverage']);
  await imported(sonde, file, ['--name', 'lines', '--sources']);
  const own = (list) => list.filter((one) => one.url.endsWith('/allocator.js'));
  for (const [name, known] of [
    ['plain', false],
    ['lines', true],
  ]) {
    const [capture] = (await sonde.report(name)).captures;
    assert.equal(capture.type, 'Coverage');
    const [never] = own(capture.neverCalled);
    assert.equal(never.function, 'never');
    assert.equal(never.line, known ? lineOf(app, 'function never(') : 0);
    const recurse = own(capture.mostCalled).find((one) => one.function === 'recurse');
    assert.equal(recurse.count, 11);
    const reached = own(capture.neverReached);
    const line = lineOf(app, '  never();');
    assert.ok(!known || reached.some((one) => one.line <= line && line <= one.lastLine));
    const text = (await sonde.run(['report', name])).stdout;
    assert.match(text, known ? /never +.*allocator\.js:\d+/ : /never +.*allocator\.js, offset \d+/);
  }
  // What is written again says the same, in the shape that Node.js writes.
  const again = path.join(directory, 'again.json');
  fs.writeFileSync(again, await exportOf(sonde, 'lines', 'coverage'));
  await imported(sonde, again, ['--name', 'again']);
  const lists = async (name) => {
    const [{ mostCalled, neverCalled, neverReached }] = (await sonde.report(name)).captures;
    return { mostCalled, neverCalled, neverReached };
  };
  assert.deepEqual(await lists('again'), await lists('lines'));
  const wrong = await sonde.run(['export', 'lines', '--format', 'pprof']);
  exited(wrong, 2);
  assert.match(wrong.stderr, /coverage: give --format coverage/);
});

test('a heap capture has its own formats', async (t) => {
  const sonde = new Sonde(t);
  await imported(sonde, await written(t, 22, heap), ['--name', 'kept']);
  const wrong = await sonde.run(['export', 'kept', '--format', 'cpuprofile']);
  exited(wrong, 2);
  assert.match(wrong.stderr, /allocations: give --format heapprofile, pprof, folded or speedscope/);
  const none = await sonde.run(['export', 'kept', '--capture', 'cpu', '--format', 'folded']);
  exited(none, 3);
});

for (const [what, text, says] of [
  ['nothing', '', /no cpuprofile, heapprofile/],
  ['a picture', '\x89PNG\r\n\x1a\n', /no cpuprofile, heapprofile/],
  ['other JSON', '{"traceEvents":[]}', /no cpuprofile, heapprofile/],
  ['prose', 'Lorem ipsum dolor sit amet,\nconsetetur\n', /no cpuprofile, heapprofile/],
  ['half a cpuprofile', '{"nodes":[{"id":1,"callFrame":{}}],"samples":[', /JSON/],
]) {
  test(`${what} is refused, and leaves no run`, async (t) => {
    const sonde = new Sonde(t);
    const file = path.join(temporary(t), 'file');
    fs.writeFileSync(file, Buffer.from(text, 'latin1'));
    const result = await sonde.run(['import', file]);
    assert.ok(result.code === 1 || result.code === 2, `ended with ${result.code}`);
    assert.ok(result.stderr.includes(file), result.stderr);
    assert.match(result.stderr, says);
    assert.deepEqual(await sonde.runs(), []);
  });
}

test('what cannot be read or named is said', async (t) => {
  const sonde = new Sonde(t);
  exited(await sonde.run(['import', '/no/such/file']), 1);
  const file = path.join(temporary(t), 'a.folded');
  fs.writeFileSync(file, 'a;b 7\n');
  exited(await sonde.run(['import', file, '--name', 'No Name']), 2);
  exited(await sonde.run(['import', file, '--name', 'last']), 2);
  exited(await sonde.run(['import', '/dev/null']), 2);
  const pipe = 'echo "a;b 7" | "$1" import /dev/stdin --store "$2"';
  const piped = await start(t, 'sh', ['-c', pipe, 'sh', bin, sonde.store]).done;
  exited(piped, 2);
  assert.match(piped.stderr, /read twice/);
});
