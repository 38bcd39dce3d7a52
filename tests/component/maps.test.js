// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service that was bundled and minified: the report names what a person wrote.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { bundle, sources } = require('./support/bundled.js');
const { pageData } = require('./support/page.js');
const { Sonde, exited, profileRun, temporary } = require('./support/sonde.js');
const { load, startTarget } = require('./support/target.js');
const { lineOf } = require('./support/source.js');

// The lines of source text in the data of a page: {line: text}.
function linesOf(html, name) {
  const [capture] = pageData(html).captures;
  return new Map(
    capture.sources
      .filter(({ file }) => capture.strings[file].endsWith(name))
      .flatMap(({ first, lines }) => lines.map((each, i) => [first + i, each])),
  );
}

for (const sourcemap of ['external', 'linked', 'inline', 'bare']) {
  test(`a minified bundle with a source map: ${sourcemap}`, async (t) => {
    const directory = temporary(t);
    // "external" alone leaves no trace in the bundle: its map is then beside it by name.
    const script = await bundle(directory, 'server', sourcemap);
    assert.doesNotMatch(fs.readFileSync(script, 'utf8').split('//# source')[0], /checksumOf/);
    const target = await startTarget(t, { script });
    load(t, target.port);
    const sonde = new Sonde(t);
    const result = await sonde.run(['profile', '--pid', String(target.pid), '--duration', '2s']);
    exited(result, 0);
    const line = lineOf(path.join(sources, 'checksum.ts'), 'function checksumOf');
    const report = await sonde.report();
    const { functions } = report.captures[0];
    if (sourcemap === 'external') {
      assert.ok(functions[0].url.endsWith('dist/server.js'));
      return;
    }
    // (Its caller is sampled more on a machine that is too busy to sample in time.)
    const found = functions.find(({ sourceFile }) => /bundle\/checksum\.ts$/.test(sourceFile));
    assert.equal(found?.sourceLine, line, JSON.stringify(functions.slice(0, 5)));
    assert.match(result.stdout, new RegExp(`checksum\\.ts:${line}`));
    // The maps are kept with the run: the bundle is not needed any more.
    await target.stop();
    fs.rmSync(path.join(directory, 'dist'), { recursive: true });
    const again = (await sonde.report()).captures[0].functions;
    assert.ok(again.some(({ sourceLine }) => sourceLine === line));
    const page = await sonde.run(['report', 'last', '--format', 'html']);
    assert.match(linesOf(page.stdout, 'checksum.ts').get(line), /function checksumOf/);
    const folded = await sonde.run(['export', 'last', '--format', 'folded']);
    assert.match(folded.stdout, /checksum/);
  });
}

// A run of `captures` of the service while it is asked for `paths`; its files are gone afterwards.
async function capture(t, sonde, name, paths, captures, sourcemap = 'linked') {
  const directory = temporary(t);
  const document = path.join(directory, 'run.json');
  fs.writeFileSync(document, profileRun(name, captures));
  const target = await startTarget(t, { script: await bundle(directory, 'clinic', sourcemap) });
  const loads = paths.map((each) => load(t, target.port, each, 1));
  exited(await sonde.run(['run', document, '--pid', String(target.pid)]), 0);
  await Promise.all(loads.map((each) => each.stop()));
  await target.stop();
  fs.rmSync(directory, { recursive: true });
}

const visits = path.join(sources, 'visits.ts');

test('allocations, coverage and stalls are told in the sources', async (t) => {
  const sonde = new Sonde(t);
  await capture(
    t,
    sonde,
    'places',
    ['/keep', '/block', '/merge'],
    [
      { name: 'heap', type: 'AllocationSampling', durationSeconds: 1 },
      { name: 'coverage', type: 'Coverage', durationSeconds: 2 },
      { name: 'loop', type: 'EventLoop', durationSeconds: 2 },
    ],
  );
  const report = await sonde.report();
  const [heap, coverage, loop] = report.captures;
  const keep = heap.functions.find((one) => one.function === 'keepVisit');
  assert.match(keep.sourceFile, /bundle\/visits\.ts$/);
  assert.equal(keep.sourceLine, lineOf(visits, 'function keepVisit'));
  const block = loop.findings.find((one) => one.kind === 'loop-stall');
  assert.match(block.where[0].file, /bundle\/visits\.ts$/);
  assert.equal(block.where[0].line, lineOf(visits, 'function blockLoop'));
  assert.equal(block.where[0].function, 'blockLoop');
  const called = coverage.mostCalled.find((one) => one.function === 'mergeVisits');
  assert.match(called.sourceFile, /bundle\/visits\.ts$/);
  assert.equal(called.sourceLine, lineOf(visits, 'function mergeVisits'));
  assert.ok(coverage.files.some(({ file }) => file.endsWith('bundle/visits.ts')));
});

test('lines of sources are marked by what ran, and runs are compared', async (t) => {
  const captures = [{ name: 'coverage', type: 'Coverage', durationSeconds: 1 }];
  const sonde = new Sonde(t);
  await capture(t, sonde, 'places', ['/merge', '/keep'], captures);
  await capture(t, sonde, 'later', ['/merge'], captures, 'bare');
  for (const [name, kept] of [
    ['places', true],
    ['later', false],
  ]) {
    const page = await sonde.run(['report', name, '--format', 'html']);
    const [covered] = pageData(page.stdout).coverage;
    const source = covered.sources.find(({ file }) => file.endsWith('bundle/visits.ts'));
    const marks = (text) => {
      const index = lineOf(visits, text) - source.first;
      return [source.least[index], source.most[index]];
    };
    assert.match(source.lines[lineOf(visits, 'function keepVisit') - 1], /function keepVisit/);
    assert.equal(marks('kept.push')[1] > 0, kept);
    assert.deepEqual(marks('patient: number;'), [-1, -1]);
  }
  // In the later run /keep was not asked for.
  const compared = await sonde.run(['compare', 'places', 'later', '--output', 'json']);
  const gone = JSON.parse(compared.stdout).functions.find((one) => one.function === 'keepVisit');
  assert.match(gone.file, /visits\.ts$/);
  assert.ok(gone.callsBefore > 0);
  assert.equal(gone.callsAfter, 0);
  const text = await sonde.run(['compare', 'places', 'later']);
  assert.match(text.stdout, /functions executed only before\n.*\n.*keepVisit +.*visits\.ts:\d+/);
  const html = await sonde.run(['compare', 'places', 'later', '--format', 'html']);
  assert.equal(pageData(html.stdout).comparison.coverage.length, 1);
});
