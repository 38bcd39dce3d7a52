// SPDX-License-Identifier: Apache-2.0
'use strict';

// Services of support/bundle, as a bundler would ship them: minified, in one file with a source map.

const path = require('node:path');
const esbuild = require('esbuild');

const sources = path.join(__dirname, 'bundle');

// Returns the bundle's path: dist/ENTRY.js of the directory. "bare": the map names sources and does
// not carry them, as tsc makes it.
async function bundle(directory, entry, sourcemap = 'linked') {
  const outfile = path.join(directory, 'dist', `${entry}.js`);
  await esbuild.build({
    entryPoints: [path.join(sources, `${entry}.ts`)],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node18',
    sourcemap: sourcemap === 'bare' ? 'linked' : sourcemap,
    sourcesContent: sourcemap !== 'bare',
    logLevel: 'error',
  });
  return outfile;
}

module.exports = { bundle, sources };
