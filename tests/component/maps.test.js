// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service that was bundled and minified: the report names what a person wrote.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const esbuild = require('esbuild');
const { pageData } = require('./support/page.js');
const { Sonde, exited, temporary } = require('./support/sonde.js');
const { load, startTarget } = require('./support/target.js');
const { lineOf } = require('./support/source.js');

const sources = path.join(__dirname, 'support/bundle');

// The lines of source text in the data of a page: {line: text}.
function linesOf(html, name) {
  const [capture] = pageData(html).captures;
  return new Map(
    capture.sources
      .filter(({ file }) => capture.strings[file].endsWith(name))
      .flatMap(({ first, lines }) => lines.map((each, i) => [first + i, each])),
  );
}

for (const sourcemap of ['external', 'linked', 'inline']) {
  test(`a minified bundle with a source map: ${sourcemap}`, async (t) => {
    const directory = temporary(t);
    const bundle = path.join(directory, 'dist', 'server.js');
    await esbuild.build({
      entryPoints: [path.join(sources, 'server.ts')],
      outfile: bundle,
      bundle: true,
      minify: true,
      platform: 'node',
      target: 'node18',
      // "external" alone leaves no trace in the bundle: its map is then beside it by name.
      sourcemap,
      logLevel: 'error',
    });
    assert.doesNotMatch(fs.readFileSync(bundle, 'utf8').split('//# source')[0], /checksumOf/);
    const target = await startTarget(t, { script: bundle });
    load(t, target.port);
    const sonde = new Sonde(t);
    const result = await sonde.run(['profile', '--pid', String(target.pid), '--duration', '2s']);
    exited(result, 0);
    const line = lineOf(path.join(sources, 'checksum.ts'), 'function checksumOf');
    const report = await sonde.report();
    const [top] = report.captures[0].functions;
    if (sourcemap === 'external') {
      assert.ok(top.url.endsWith('dist/server.js'));
      return;
    }
    assert.match(top.sourceFile, /bundle\/checksum\.ts$/);
    assert.equal(top.sourceLine, line);
    assert.match(result.stdout, new RegExp(`checksum\\.ts:${line}`));
    // The maps are kept with the run: the bundle is not needed any more.
    await target.stop();
    fs.rmSync(path.join(directory, 'dist'), { recursive: true });
    assert.equal((await sonde.report()).captures[0].functions[0].sourceLine, line);
    const page = await sonde.run(['report', 'last', '--format', 'html']);
    assert.match(linesOf(page.stdout, 'checksum.ts').get(line), /function checksumOf/);
    const folded = await sonde.run(['export', 'last', '--format', 'folded']);
    assert.match(folded.stdout, /checksum/);
  });
}
