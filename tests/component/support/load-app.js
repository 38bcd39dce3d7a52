// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server for `sonde load … -- node load-app.js`: says on both outputs, writes its pid into the
// file PIDS, answers "hello", but never for /never; with "leave" it ends after its first answer.

const fs = require('node:fs');
const http = require('node:http');

const server = http.createServer((request, response) => {
  if (request.url === '/never') {
    console.error('asked for /never');
    return;
  }
  response.end('hello', () => process.argv[2] === 'leave' && process.exit());
});

server.listen(0, '127.0.0.1', () => {
  console.log('says on stdout');
  console.error('says on stderr');
});
if (process.env.PIDS) {
  fs.appendFileSync(process.env.PIDS, `${process.pid}\n`);
}
