// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load engine over TLS: who is trusted, who we are, and how each failure is counted.

const assert = require('node:assert/strict');
const { execFile, execFileSync, spawn } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const tls = require('node:tls');
const { promisify } = require('node:util');
const { makePair } = require('./support/certificates.js');
const { listen, load: loadFrom } = require('./support/load.js');
const { bin, temporary } = require('./support/sonde.js');

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
  return listen(t, server, 'localhost');
}

const load = (port, settings) => loadFrom(`https://localhost:${port}/`, settings);

test('a certificate of an authority that is trusted; sessions are resumed', async (t) => {
  const ca = authority(t);
  let resumed = 0;
  const pair = ca.make('server');
  const port = await startServer(t, { cert: pair.certificate, key: pair.key }, (socket) => {
    resumed += socket.isSessionReused();
  });
  const trust = { authority: ca.file };
  const said = await load(port, {
    ...trust,
    amount: 1000,
    connections: 5,
    pipelining: 3,
    threads: 2,
  });
  assert.equal(said.answered, 1000);
  assert.equal(said.connects, 5);
  const many = await load(port, { ...trust, amount: 100, connections: 1, perConnection: 10 });
  assert.equal(many.connects, 10);
  assert.ok(resumed >= 8, `${resumed} resumed`);
});

for (const [name, error, options, host] of [
  ['expired', 'tlsExpired', { begins: -3, ends: -1 }],
  ['not valid yet', 'tlsExpired', { begins: 1, ends: 3 }],
  ['of another name', 'tlsName', { names: ['other.example'] }],
  ['of an unknown authority', 'tlsAuthority', {}, 'unknown'],
]) {
  test(`a certificate that is ${name} is refused, unless it is not to be checked`, async (t) => {
    const ca = authority(t);
    const other = authority(t);
    const pair = ca.make('server', options);
    const port = await startServer(t, { cert: pair.certificate, key: pair.key });
    const trust = { authority: host === 'unknown' ? other.file : ca.file };
    const said = await load(port, { ...trust, seconds: 1, connections: 2 });
    assert.equal(said.sent, 0);
    assert.ok(said.errors[error] > 2 && said.errors[error] < 40, JSON.stringify(said));
    assert.equal(said.connectFailures, said.errors[error]);
    assert.equal((await load(port, { skipVerify: 1, amount: 20 })).answered, 20);
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
  const trust = { authority: ca.file };
  const stranger = await load(port, { ...trust, seconds: 1, connections: 1 });
  assert.equal(stranger.answered, 0, JSON.stringify(stranger));
  const own = ca.make('us');
  fs.writeFileSync(path.join(ca.directory, 'us.crt'), own.certificate);
  const words = ['us.crt', 'us.key'].map((file) => path.join(ca.directory, file));
  const said = await load(port, { ...trust, certificate: words[0], key: words[1], amount: 50 });
  assert.equal(said.answered, 50);
});

// Whose signature takes long: four primes are found sooner than two of twice the length.
function makeSlowKey(directory) {
  const at = (end) => path.join(directory, `slow.${end}`);
  const sizes = ['-pkeyopt', 'rsa_keygen_bits:8192', '-pkeyopt', 'rsa_keygen_primes:4'];
  execFileSync('openssl', ['genpkey', '-algorithm', 'RSA', ...sizes, '-out', at('key')], {
    stdio: 'pipe',
  });
  execFileSync(
    'openssl',
    ['req', '-x509', '-key', at('key'), '-subj', '/CN=slow', '-out', at('crt')],
    { stdio: 'pipe' },
  );
  return { certificate: at('crt'), key: at('key') };
}

function signatureMicroseconds(file) {
  const key = crypto.createPrivateKey(fs.readFileSync(file));
  const times = Array.from({ length: 10 }, () => {
    const begin = process.hrtime.bigint();
    crypto.sign('sha256', Buffer.from('x'), key);
    return Number(process.hrtime.bigint() - begin) / 1000;
  });
  return Math.min(...times);
}

test('what a handshake costs us is not in the time of the request behind it', async (t) => {
  const ca = authority(t);
  const pair = ca.make('server');
  const keys = { cert: pair.certificate, key: pair.key };
  const asking = { ...keys, requestCert: true, rejectUnauthorized: false };
  const port = await startServer(t, asking);
  const slow = makeSlowKey(ca.directory);
  const settings = { authority: ca.file, ...slow, amount: 1, connections: 1 };
  const times = [];
  for (let i = 0; i < 10; i++) {
    times.push((await load(port, settings)).service.max);
  }
  const signature = signatureMicroseconds(slow.key);
  assert.ok(Math.min(...times) < signature, `${times} µs, a signature ${signature} µs`);
});

// As other servers do: Node.js's own closes without a word.
function startOpenssl(t, ca, ...words) {
  const pair = ca.make('server');
  const file = (name, text) => {
    fs.writeFileSync(path.join(ca.directory, name), text);
    return path.join(ca.directory, name);
  };
  const child = spawn(
    'openssl',
    ['s_server', '-accept', '0', '-4', '-www', '-cert', file('server.crt', pair.certificate)]
      .concat(['-key', file('server.key', pair.key), '-CAfile', ca.file])
      .concat(words),
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  t.after(() => child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    let text = '';
    child.on('exit', () => reject(new Error(`openssl ended: ${text}`)));
    child.stdout.on('data', (chunk) => {
      text += chunk;
      const port = /ACCEPT .*:(\d+)\n/.exec(text)?.[1];
      if (port) {
        resolve(Number(port));
      }
    });
  });
}

for (const version of ['-tls1_2', '-tls1_3']) {
  test(`a server that refuses who we are, by ${version}`, async (t) => {
    const ca = authority(t);
    const port = await startOpenssl(t, ca, version, '-Verify', '2', '-verify_return_error');
    const url = `https://127.0.0.1:${port}/`;
    const settings = { authority: ca.file, skipVerify: 1, seconds: 1, connections: 1 };
    const none = await loadFrom(url, settings);
    assert.equal(none.answered, 0);
    assert.ok(none.errors.tlsClient > 1, JSON.stringify(none));
    const other = authority(t);
    const own = other.make('us');
    const files = ['us.crt', 'us.key'].map((file) => path.join(other.directory, file));
    fs.writeFileSync(files[0], own.certificate);
    const who = { certificate: files[0], key: files[1] };
    const wrong = await loadFrom(url, { ...settings, ...who });
    assert.equal(wrong.answered, 0);
    assert.ok(wrong.errors.tlsClient > 1, JSON.stringify(wrong));
    assert.equal(wrong.errors.tls + wrong.errors.protocol, 0, JSON.stringify(wrong));
  });
}

test('a server that speaks no HTTP/2', async (t) => {
  const ca = authority(t);
  const pair = ca.make('server');
  const keys = { cert: pair.certificate, key: pair.key };
  const url = async (options) => `https://localhost:${await startServer(t, options)}/`;
  for (const each of [
    await url({ ...keys, ALPNProtocols: ['http/1.1'] }), // refuses
    await url(keys), // says nothing of it
  ]) {
    const said = await loadFrom(each, { authority: ca.file, version: 1, seconds: 1 });
    assert.equal(said.sent, 0);
    assert.ok(said.errors.tlsAlpn > 2, JSON.stringify(said));
    assert.equal(said.connectFailures, said.errors.tlsAlpn);
  }
});

test('what is no TLS, and a server that closes in the handshake', async (t) => {
  const plain = await listen(
    t,
    net.createServer((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
    'localhost',
  );
  const said = await load(plain, { seconds: 1, connections: 1 });
  assert.ok(said.errors.tls > 1, JSON.stringify(said));
  const closing = await listen(
    t,
    net.createServer((socket) => socket.once('data', () => socket.destroy())),
    'localhost',
  );
  const closed = await load(closing, { seconds: 1, connections: 1 });
  assert.ok(closed.errors.tls > 1 && closed.errors.tls < 20, JSON.stringify(closed));
  const silent = await listen(
    t,
    net.createServer(() => {}),
    'localhost',
  );
  const waited = await load(silent, { seconds: 2, connections: 1, timeout: 200 });
  assert.ok(waited.errors.timeout > 1, JSON.stringify(waited));
});

test('the test begins when all threads have read whom they trust', async (t) => {
  const ca = authority(t);
  const pair = ca.make('server');
  const port = await startServer(t, { cert: pair.certificate, key: pair.key });
  const many = path.join(ca.directory, 'many.crt');
  fs.writeFileSync(many, ca.certificate.repeat(600));
  const settings = { authority: many, seconds: 1, connections: 16, threads: 16 };
  const said = await load(port, settings);
  assert.ok(said.answered > 0, JSON.stringify(said));
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
  const port = await listen(t, server, 'localhost');
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
