// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service that profiles itself: GET /start begins, GET /stop ends and counts the nodes.

const http = require('node:http');
const inspector = require('node:inspector');

const session = new inspector.Session();

function post(method) {
  return new Promise((resolve, reject) => {
    session.post(method, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

const server = http.createServer(async (request, response) => {
  response.setHeader('connection', 'close');
  if (request.url === '/start') {
    session.connect();
    await post('Profiler.enable');
    await post('Profiler.start');
    response.end('{"ok":true}');
  } else {
    const { profile } = await post('Profiler.stop');
    session.disconnect();
    response.end(JSON.stringify({ nodes: profile.nodes.length }));
  }
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on ${server.address().port}\n`);
});
