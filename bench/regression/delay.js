// SPDX-License-Identifier: Apache-2.0
'use strict';

// node delay.js SOCKET TO MILLISECONDS: the server at the socket TO, at SOCKET, which answers so much
// later: what is asked is held back.

const net = require('node:net');

const [, , socket, to, milliseconds] = process.argv;

function holdBack(from, towards) {
  from.on('data', (asked) => {
    setTimeout(() => towards.write(asked), Number(milliseconds));
  });
}

const server = net.createServer((client) => {
  const answering = net.connect(to);
  for (const [one, other] of [
    [client, answering],
    [answering, client],
  ]) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
  holdBack(client, answering);
  answering.pipe(client);
});

server.listen(socket, () => {
  console.log(socket);
});
process.once('SIGTERM', () => process.exit(0));
