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
const RESIDENT_MAX = (/[/](asan|tsan)[/]/.test(bin) ? 1024 : 64) << 20;

// Whatever the server does: no request is lost from the count, and memory is bounded.
async function load(url, settings) {
  const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const { stdout } = await run(program, [url, ...words], { timeout: 60000 });
  const said = JSON.parse(stdout);
  assert.equal(said.sent, said.answered + said.failed + said.censored, stdout);
  assert.ok(said.residentBytes < RESIDENT_MAX, stdout);
  return said;
}

// Listens on a port that was free, and says which. At the end of the test all is closed.
async function listen(t, server, host = '127.0.0.1') {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, host, resolve));
  t.after(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
    server.close();
  });
  return server.address().port;
}

module.exports = { listen, load, program };
