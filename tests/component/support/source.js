// SPDX-License-Identifier: Apache-2.0
'use strict';

const fs = require('node:fs');

// The number, from 1, of the only line of a file that contains the text.
function lineOf(file, text) {
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const found = lines.flatMap((line, index) => (line.includes(text) ? [index + 1] : []));
  if (found.length !== 1) {
    throw new Error(`${file}: ${found.length} lines contain "${text}"`);
  }
  return found[0];
}

module.exports = { lineOf };
