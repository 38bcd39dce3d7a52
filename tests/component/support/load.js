// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load engine without the command around it, as a test's program.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const path = require('node:path');
const { promisify } = require('node:util');
const { bin } = require('./sonde.js');

const program = path.join(path.dirname(bin), '..', 'tests', 'program_load');
const run = promisify(execFile);
// Sanitizers keep what was freed for a while.
const RESIDENT_MAX = (process.env.ASAN_OPTIONS === undefined ? 64 : 1024) << 20;

// Whatever the server does: no request is lost from the count, and memory is bounded.
async function load(url, settings) {
  const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const { stdout } = await run(program, [url, ...words], { timeout: 60000 });
  const said = JSON.parse(stdout);
  assert.equal(said.sent, said.answered + said.failed + said.censored, stdout);
  assert.ok(said.residentBytes < RESIDENT_MAX, stdout);
  return said;
}

module.exports = { load, program };
