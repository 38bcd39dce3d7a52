// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load engine through a proxy that connects it, which also breaks the rules: nothing crashes,
// and no request is lost from the count.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const net = require('node:net');
const test = require('node:test');
const { promisify } = require('node:util');
const { makeServerPair } = require('./support/certificates.js');
const raw = require('./support/http2-raw.js');
const { listen, load } = require('./support/load.js');
const { bin, temporary } = require('./support/sonde.js');

const run = promisify(execFile);
const HTTP2 = 1; // enum sonde_http_version
const YES = 'HTTP/1.1 200 Connection established\r\n\r\n';

// A proxy as it should be; `seen` gets each head.
function startProxy(t, seen = []) {
  const server = http.createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request, socket) => {
    const [host, port] = request.url.split(':');
    seen.push({ url: request.url, headers: request.headers });
    const there = net.connect(Number(port), host, () => {
      socket.write(YES);
      socket.pipe(there);
      there.pipe(socket);
    });
    there.on('error', () => socket.destroy());
    socket.on('close', () => there.destroy());
    socket.on('error', () => {});
  });
  return listen(t, server);
}

// A proxy that is asked and then does as the test says.
function startRawProxy(t, serve) {
  let number = 0;
  const server = net.createServer((socket) => {
    const own = number++;
    socket.once('data', (chunk) => serve(socket, own, String(chunk)));
  });
  return listen(t, server);
}

const startServer = (t) =>
  listen(
    t,
    http.createServer((_request, response) => response.end('hello')),
  );

test('to a server without TLS, with all that HTTP/1.1 does', async (t) => {
  const seen = [];
  const [port, proxy] = [await startServer(t), await startProxy(t, seen)];
  const url = `http://127.0.0.1:${port}/`;
  for (const settings of [
    { amount: 300, connections: 3, pipelining: 4, threads: 2 },
    { amount: 100, connections: 2, perConnection: 10 },
    { amount: 100, connections: 2, rate: 500 },
  ]) {
    const said = await load(url, { ...settings, proxy: `http://127.0.0.1:${proxy}` });
    assert.equal(said.answered, settings.amount, JSON.stringify(said));
    assert.equal(said.connectFailures, 0);
    assert.ok(seen.length >= said.connects, `${seen.length} ${JSON.stringify(said)}`);
    assert.equal(seen[0].url, `127.0.0.1:${port}`);
    assert.equal(seen[0].headers.host, seen[0].url);
    seen.length = 0;
  }
});

test('to servers with TLS, of HTTP/1.1 and HTTP/2', async (t) => {
  const { cert, key, authority } = makeServerPair(temporary(t));
  const keys = { cert, key };
  const proxy = `http://127.0.0.1:${await startProxy(t)}`;
  const port = await listen(
    t,
    https.createServer(keys, (_request, response) => response.end('hello')),
  );
  const both = http2.createSecureServer(keys, (_request, response) => response.end('hello'));
  const port2 = await listen(t, both);
  const settings = { amount: 200, connections: 2, pipelining: 4, authority, proxy };
  const said = await load(`https://localhost:${port}/`, settings);
  assert.equal(said.answered, 200, JSON.stringify(said));
  const second = await load(`https://localhost:${port2}/`, { ...settings, version: HTTP2 });
  assert.equal(second.answered, 200, JSON.stringify(second));
});

// Its SETTINGS come right behind the proxy's answer.
test('to a server that speaks first', async (t) => {
  const port = await startRawProxy(t, (socket) => {
    socket.write(Buffer.concat([Buffer.from(YES), raw.settings()]));
    let bytes = 0;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      if (bytes > 90) {
        socket.write(raw.answer(1));
        bytes = -Infinity;
      }
    });
  });
  const settings = { version: HTTP2, amount: 1, connections: 1, proxy: `127.0.0.1:${port}` };
  const said = await load('http://server.invalid/', settings);
  assert.equal(said.answered, 1, JSON.stringify(said));
});

test('the proxy asks for the name, and for who we are', async (t) => {
  const seen = [];
  const port = await startRawProxy(t, (socket, _number, head) => {
    seen.push(head);
    const good = head.includes('\r\nProxy-Authorization: Basic dTpwIHc=\r\n');
    if (!good) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno');
      return;
    }
    socket.write(YES);
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  });
  const words = ['load', 'http://server.invalid:81/', '-c', '1', '-a', '20', '-j', '-n'];
  const { stdout } = await run(
    bin,
    [...words, '--no-store', '--proxy', `http://u:p%20w@127.0.0.1:${port}`],
    { timeout: 60000 },
  );
  assert.equal(JSON.parse(stdout).sonde.answered, 20, stdout);
  assert.match(seen[0], /^CONNECT server\.invalid:81 HTTP\/1\.1\r\nHost: server\.invalid:81\r\n/);
  const proxy = `http://u:wrong@127.0.0.1:${port}`;
  const said = await load('http://server.invalid:81/', { seconds: 1, connections: 2, proxy });
  assert.equal(said.sent, 0);
  assert.ok(said.errors.proxy > 2 && said.errors.proxy < 40, JSON.stringify(said));
  assert.equal(said.connectFailures, said.errors.proxy);
});

for (const [name, bytes, error] of [
  ['refuses', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n', 'proxy'],
  ['cannot reach the server', 'HTTP/1.1 502 Bad Gateway\r\n\r\n', 'proxy'],
  ['speaks of another protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'proxy'],
  ['speaks no HTTP', '\x16\x03\x01\x02\x00', 'protocol'],
  ['has endless headers', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70000)}`, 'protocol'],
  ['only says that it will', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(5000), 'protocol'],
]) {
  test(`a proxy that ${name}`, async (t) => {
    const proxy = `127.0.0.1:${await startRawProxy(t, (socket) => socket.write(bytes, 'latin1'))}`;
    const said = await load('http://127.0.0.1:1/', { seconds: 1, connections: 2, proxy });
    assert.equal(said.sent, 0);
    assert.ok(said.errors[error] > 2 && said.errors[error] < 40, JSON.stringify(said));
    assert.equal(said.connectFailures, said.errors[error]);
  });
}

test('a proxy that says nothing, and one that is not there', async (t) => {
  const silent = `127.0.0.1:${await startRawProxy(t, () => {})}`;
  const waited = await load('http://127.0.0.1:1/', {
    ...{ seconds: 2, connections: 1, timeout: 200, proxy: silent },
  });
  assert.ok(waited.errors.timeout > 1, JSON.stringify(waited));
  assert.equal(waited.sent, 0);
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const free = server.address().port;
  await new Promise((resolve) => server.close(resolve));
  const proxy = `127.0.0.1:${free}`;
  const refused = await load('http://127.0.0.1:1/', { seconds: 1, connections: 1, proxy });
  assert.ok(refused.errors.refused > 1, JSON.stringify(refused));
});

test('closed at each byte of its answer', async (t) => {
  for (let bytes = 0; bytes < YES.length; bytes++) {
    const proxy = await startRawProxy(t, (socket, number) => {
      if (number === 0) {
        socket.end(YES.slice(0, bytes));
        return;
      }
      for (const each of YES) {
        socket.write(each);
      }
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    });
    const said = await load('http://127.0.0.1:1/', {
      ...{ amount: 5, connections: 1, proxy: `127.0.0.1:${proxy}` },
    });
    assert.equal(said.answered, 5, `after ${bytes} bytes: ${JSON.stringify(said)}`);
    assert.equal(said.errors.proxy, 1);
    assert.equal(said.connects, 1);
  }
});
