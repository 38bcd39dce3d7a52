// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load engine over TLS: who is trusted, who we are, and how each failure is counted.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const tls = require('node:tls');
const { promisify } = require('node:util');
const { makePair } = require('./support/certificates.js');
const { bin, temporary } = require('./support/sonde.js');

const program = path.join(path.dirname(bin), '..', 'tests', 'program_load');
const run = promisify(execFile);
const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const valid = { begins: -1, ends: 1 };

function authority(t) {
  const directory = temporary(t);
  const own = makePair(directory, 'authority', valid);
  const file = path.join(directory, 'authority.crt');
  fs.writeFileSync(file, own.certificate);
  const make = (name, options) =>
    makePair(directory, name, { issuer: own, names: ['localhost'], ...valid, ...options });
  return { directory, file, make, certificate: own.certificate };
}

async function startServer(t, options, seen = () => {}) {
  const server = tls.createServer(options, (socket) => {
    seen(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const _ of String(chunk).matchAll(/\r\n\r\n/g)) {
        socket.write(GOOD);
      }
    });
  });
  server.on('tlsClientError', () => {});
  return listen(t, server);
}

async function listen(t, server) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, 'localhost', resolve));
  t.after(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
    server.close();
  });
  return server.address().port;
}

async function load(port, ...words) {
  const { stdout } = await run(program, [`https://localhost:${port}/`, ...words], {
    timeout: 60000,
  });
  const said = JSON.parse(stdout);
  assert.equal(said.sent, said.answered + said.failed + said.censored, stdout);
  return said;
}

test('a certificate of an authority that is trusted; sessions are resumed', async (t) => {
  const ca = authority(t);
  let resumed = 0;
  const pair = ca.make('server');
  const port = await startServer(t, { cert: pair.certificate, key: pair.key }, (socket) => {
    resumed += socket.isSessionReused();
  });
  const trust = `authority=${ca.file}`;
  const said = await load(port, trust, 'amount=1000', 'connections=5', 'pipelining=3', 'threads=2');
  assert.equal(said.answered, 1000);
  assert.equal(said.connects, 5);
  const many = await load(port, trust, 'amount=100', 'connections=1', 'perConnection=10');
  assert.equal(many.connects, 10);
  assert.ok(resumed >= 8, `${resumed} resumed`);
});

for (const [name, options, host] of [
  ['expired', { begins: -3, ends: -1 }],
  ['not valid yet', { begins: 1, ends: 3 }],
  ['of another name', { names: ['other.example'] }],
  ['of an unknown authority', {}, 'unknown'],
]) {
  test(`a certificate that is ${name} is refused, unless it is not to be checked`, async (t) => {
    const ca = authority(t);
    const other = authority(t);
    const pair = ca.make('server', options);
    const port = await startServer(t, { cert: pair.certificate, key: pair.key });
    const trust = `authority=${host === 'unknown' ? other.file : ca.file}`;
    const said = await load(port, trust, 'seconds=1', 'connections=2');
    assert.equal(said.sent, 0);
    assert.ok(said.errors.tls > 2 && said.errors.tls < 40, JSON.stringify(said));
    assert.equal((await load(port, 'skipVerify=1', 'amount=20')).answered, 20);
  });
}

test('a server that asks who we are', async (t) => {
  const ca = authority(t);
  const pair = ca.make('server');
  const port = await startServer(t, {
    cert: pair.certificate,
    key: pair.key,
    ca: ca.certificate,
    requestCert: true,
  });
  const trust = `authority=${ca.file}`;
  const stranger = await load(port, trust, 'seconds=1', 'connections=1');
  assert.equal(stranger.answered, 0, JSON.stringify(stranger));
  const own = ca.make('us');
  fs.writeFileSync(path.join(ca.directory, 'us.crt'), own.certificate);
  const words = ['us.crt', 'us.key'].map((file) => path.join(ca.directory, file));
  const said = await load(port, trust, `certificate=${words[0]}`, `key=${words[1]}`, 'amount=50');
  assert.equal(said.answered, 50);
});

test('what is no TLS, and a server that closes in the handshake', async (t) => {
  const plain = await listen(
    t,
    net.createServer((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
  );
  const said = await load(plain, 'seconds=1', 'connections=1');
  assert.ok(said.errors.tls > 1, JSON.stringify(said));
  const closing = await listen(
    t,
    net.createServer((socket) => socket.once('data', () => socket.destroy())),
  );
  const closed = await load(closing, 'seconds=1', 'connections=1');
  assert.ok(closed.errors.tls > 1 && closed.errors.tls < 20, JSON.stringify(closed));
  const silent = await listen(
    t,
    net.createServer(() => {}),
  );
  const waited = await load(silent, 'seconds=1', 'connections=1', 'timeout=200');
  assert.ok(waited.errors.timeout > 1, JSON.stringify(waited));
});

test('a body of many records is sent whole', async (t) => {
  const ca = authority(t);
  const pair = ca.make('server');
  const lengths = new Set();
  const server = https.createServer(
    { cert: pair.certificate, key: pair.key },
    (request, answer) => {
      let length = 0;
      request.on('data', (chunk) => {
        length += chunk.length;
      });
      request.on('end', () => {
        lengths.add(length);
        answer.end();
      });
    },
  );
  const port = await listen(t, server);
  const file = path.join(ca.directory, 'body');
  fs.writeFileSync(file, Buffer.alloc(1 << 20));
  const words = ['-m', 'POST', '-i', file, '--ca', ca.file, '-a', '20', '-c', '2', '-t', '5s'];
  const { stdout } = await run(bin, ['load', `https://localhost:${port}/`, ...words, '-j', '-n'], {
    timeout: 60000,
  });
  const said = JSON.parse(stdout);
  assert.equal(said.sonde.answered, 20, stdout);
  assert.deepEqual([...lengths], [1 << 20]);
});
