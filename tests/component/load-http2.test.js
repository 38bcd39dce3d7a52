// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load engine over HTTP/2, against Node.js's own server and one that breaks the rules: nothing
// crashes, no request is lost from the count, and memory is bounded.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http2 = require('node:http2');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { makePair } = require('./support/certificates.js');
const raw = require('./support/http2-raw.js');
const { listen, load } = require('./support/load.js');
const { temporary } = require('./support/sonde.js');

const HTTP2 = 1; // enum sonde_http_version
const NEGOTIATE = 2;
const CANCEL = 8;

const loadPlain = (port, settings) =>
  load(`http://127.0.0.1:${port}/`, { version: HTTP2, ...settings });

function start(t, server) {
  server.on('session', (session) => session.on('error', () => {}));
  server.on('sessionError', () => {});
  return listen(t, server);
}

// Node.js's server; `serve(stream, headers)` for each request.
function startServer(t, serve, options = {}) {
  const server = http2.createServer(options);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    serve(stream, headers);
  });
  return start(t, server);
}

function good(stream) {
  stream.respond({ ':status': 200, 'content-type': 'text/plain' });
  stream.end('hello');
}

test('an amount is sent exactly, also in parts', async (t) => {
  let served = 0;
  const port = await startServer(t, (stream) => {
    served++;
    good(stream);
  });
  for (const settings of [
    { amount: 1 },
    { amount: 1003, connections: 7, threads: 3 },
    { amount: 1003, connections: 7, threads: 3, pipelining: 5 },
    { amount: 1003, connections: 1, pipelining: 100 },
    { amount: 203, connections: 3, perConnection: 10, pipelining: 4 },
    { amount: 203, connections: 3, rate: 1000, threads: 2, pipelining: 2 },
  ]) {
    served = 0;
    const said = await loadPlain(port, settings);
    const what = JSON.stringify({ settings, said });
    assert.equal(said.answered, settings.amount, what);
    assert.equal(said.failed + said.censored + said.unsent, 0, what);
    assert.equal(served, settings.amount, what);
    assert.equal(said.response.count, settings.amount, what);
    const connects = settings.perConnection ? 21 : (settings.connections ?? 10);
    assert.ok(said.connects >= connects && said.connects <= connects + 3, what);
  }
});

test('requests arrive as they were meant: names, ids, bodies', async (t) => {
  const seen = [];
  const lengths = new Set();
  const port = await startServer(t, (stream, headers) => {
    let length = 0;
    seen.push(headers);
    stream.on('data', (chunk) => {
      length += chunk.length;
    });
    stream.on('end', () => {
      lengths.add(`${headers['content-length']} ${length}`);
      good(stream);
    });
  });
  const settings = { ids: 1, amount: 300, connections: 3, pipelining: 4, threads: 2 };
  assert.equal((await loadPlain(port, settings)).answered, 300);
  assert.equal(new Set(seen.map((headers) => headers['x-id'])).size, 300);
  assert.equal(seen[0][':authority'], `127.0.0.1:${port}`);
  assert.equal(seen[0][':scheme'], 'http');
  assert.equal(seen[0].connection, undefined);
  lengths.clear();
  for (const ids of [0, 1]) {
    const said = await loadPlain(port, { body: 300000, amount: 40, pipelining: 3, ids });
    assert.equal(said.answered, 40, JSON.stringify(said));
    assert.deepEqual([...lengths], ['300000 300000']);
  }
  const head = await loadPlain(port, { head: 1, amount: 10 });
  assert.equal(head.answered, 10);
  assert.equal(seen.at(-1)[':method'], 'HEAD');
});

test('answers in any order, with what comes before and behind them', async (t) => {
  let count = 0;
  const waiting = [];
  const port = await startServer(t, (stream) => {
    count++;
    stream.additionalHeaders({ ':status': 103, link: '</a.css>' });
    waiting.push(stream);
    if (count % 8 === 0) {
      for (const each of waiting.splice(0).reverse()) {
        each.respond({ ':status': count % 16 ? 200 : 404 }, { waitForTrailers: true });
        each.on('wantTrailers', () => each.sendTrailers({ 'x-sum': '1' }));
        each.end('hello');
      }
    }
  });
  const said = await loadPlain(port, { amount: 800, connections: 1, pipelining: 16 });
  assert.equal(said.answered, 800, JSON.stringify(said));
  assert.equal(said.bad, 400);
  assert.equal(said.connects, 1);
});

test('no more streams at a time than the server allows', async (t) => {
  let open = 0;
  let most = 0;
  const port = await startServer(
    t,
    (stream) => {
      most = Math.max(most, ++open);
      stream.on('close', () => open--);
      setImmediate(() => good(stream));
    },
    { settings: { maxConcurrentStreams: 3 } },
  );
  const said = await loadPlain(port, { amount: 500, connections: 1, pipelining: 20 });
  assert.equal(said.answered, 500, JSON.stringify(said));
  assert.equal(most, 3);
});

test('over TLS as both agree', async (t) => {
  const directory = temporary(t);
  const own = makePair(directory, 'authority', { begins: -1, ends: 1 });
  const pair = makePair(directory, 'server', {
    issuer: own,
    names: ['127.0.0.1', 'localhost'],
    begins: -1,
    ends: 1,
  });
  const authority = path.join(directory, 'authority.crt');
  fs.writeFileSync(authority, own.certificate);
  const versions = new Set();
  const both = http2.createSecureServer(
    { cert: pair.certificate, key: pair.key, allowHTTP1: true },
    (request, response) => {
      versions.add(request.httpVersion);
      response.end('hello');
    },
  );
  const old = require('node:https').createServer(
    { cert: pair.certificate, key: pair.key },
    (_request, response) => response.end('hello'),
  );
  const port = await start(t, both);
  const oldPort = await start(t, old);
  const ask = (number, version, more) =>
    load(`https://localhost:${number}/`, { authority, version, connections: 2, ...more });
  for (const [version, expected] of [
    [0, '1.1'],
    [HTTP2, '2.0'],
    [NEGOTIATE, '2.0'],
  ]) {
    versions.clear();
    const said = await ask(port, version, { amount: 200, pipelining: 4 });
    assert.equal(said.answered, 200, JSON.stringify(said));
    assert.deepEqual([...versions], [expected]);
  }
  assert.equal((await ask(oldPort, NEGOTIATE, { amount: 50 })).answered, 50);
  const refused = await ask(oldPort, HTTP2, { seconds: 1 });
  assert.equal(refused.sent, 0);
  assert.ok(refused.errors.tlsAlpn > 2, JSON.stringify(refused));
});

// ---- what goes wrong with one stream ----

test('a timeout ends one stream, not the others', async (t) => {
  const cancelled = [];
  let requests = 0;
  const port = await raw.startRawServer(t, (socket, { type, stream, payload }) => {
    if (type === raw.type.headers && requests++ % 10 !== 3) {
      socket.write(raw.answer(stream));
    } else if (type === raw.type.reset) {
      cancelled.push(payload.readUInt32BE(0));
    } else if (type === raw.type.ping) {
      socket.write(raw.frame(raw.type.ping, raw.flag.ack, 0, payload));
    }
  });
  const said = await loadPlain(port, { amount: 100, pipelining: 8, connections: 1, timeout: 200 });
  assert.equal(said.answered, 90, JSON.stringify(said));
  assert.equal(said.errors.timeout, 10);
  assert.equal(said.connects, 1);
  assert.ok(cancelled.length >= 9 && cancelled.every((code) => code === CANCEL), `${cancelled}`);
});

for (const [name, bytes, error] of [
  ['reset by the server', (stream) => raw.reset(stream, CANCEL), 'reset'],
  ['refused by the server', (stream) => raw.reset(stream, 7), 'reset'],
  ['reset without an error, and no answer', (stream) => raw.reset(stream, 0), 'reset'],
  [
    'reset in the middle of the answer',
    (stream) =>
      Buffer.concat([
        raw.headers(stream, raw.OK),
        raw.data(stream, 'hel', 0),
        raw.reset(stream, CANCEL),
      ]),
    'reset',
  ],
  [
    'without a status',
    (stream) => raw.headers(stream, raw.field('a', 'b'), raw.flag.endHeaders | 1),
    'protocol',
  ],
  [
    'with a status that is none',
    (stream) => raw.headers(stream, raw.status('099'), raw.flag.endHeaders | 1),
    'protocol',
  ],
  [
    'with another length than it says',
    (stream) =>
      Buffer.concat([
        raw.headers(stream, Buffer.concat([raw.OK, raw.field('content-length', '9')])),
        raw.data(stream, 'hello'),
      ]),
    'protocol',
  ],
  [
    'with a field in capital letters',
    (stream) =>
      raw.headers(
        stream,
        Buffer.concat([raw.OK, raw.field('Upper', 'x')]),
        raw.flag.endHeaders | 1,
      ),
    'protocol',
  ],
  [
    'that only says that it comes',
    (stream) =>
      Buffer.concat(Array.from({ length: 200 }, () => raw.headers(stream, raw.status(103)))),
    'protocol',
  ],
  [
    'with too many fields',
    (stream) => {
      const part = Buffer.concat(Array(60).fill(raw.field('x'.repeat(100), 'y'.repeat(120))));
      return Buffer.concat([
        raw.headers(stream, raw.OK, 0),
        ...Array(6).fill(raw.frame(raw.type.continuation, 0, stream, part)),
        raw.frame(raw.type.continuation, raw.flag.endHeaders, stream),
      ]);
    },
    'protocol',
  ],
]) {
  test(`an answer ${name}: counted, and the connection lives on`, async (t) => {
    let requests = 0;
    const port = await raw.startRawServer(t, (socket, { type, stream }) => {
      if (type === raw.type.headers) {
        const bad = requests++ % 5 === 2;
        socket.write(bad ? bytes(stream) : raw.answer(stream));
      }
    });
    const said = await loadPlain(port, { amount: 50, pipelining: 4, connections: 1 });
    const lost = 10;
    assert.equal(said.answered, 50 - lost, JSON.stringify(said));
    assert.equal(said.failed, lost);
    assert.equal(said.errors[error], lost, JSON.stringify(said));
    assert.equal(said.connects, 1);
  });
}

test('a server that takes no body, or gives no more of its own: a timeout', async (t) => {
  const stalled = await raw.startRawServer(
    t,
    () => {},
    (socket) => socket.write(raw.settings([4, 0])), // no window for any stream
  );
  const sent = await loadPlain(stalled, { body: 100000, amount: 4, pipelining: 2, timeout: 200 });
  assert.equal(sent.errors.timeout, 4, JSON.stringify(sent));
  const slow = await raw.startRawServer(t, (socket, { type, stream }) => {
    if (type === raw.type.headers) {
      socket.write(Buffer.concat([raw.headers(stream, raw.OK), raw.data(stream, 'hel', 0)]));
    }
  });
  const said = await loadPlain(slow, { amount: 4, pipelining: 2, timeout: 200 });
  assert.equal(said.errors.timeout, 4, JSON.stringify(said));
  assert.ok(said.response.p50 >= 200000 && said.response.p50 < 2000000);
});

test('an answer before the end of the request, and no wish for the rest', async (t) => {
  const port = await raw.startRawServer(t, (socket, { type, stream }) => {
    if (type === raw.type.headers) {
      socket.write(Buffer.concat([raw.answer(stream), raw.reset(stream, 0)]));
    }
  });
  const said = await loadPlain(port, { body: 1000000, amount: 20, pipelining: 2, timeout: 5000 });
  assert.equal(said.answered, 20, JSON.stringify(said));
});

// ---- what goes wrong with a connection ----

test('GOAWAY: what it leaves out has failed, the rest is answered, and another is opened', async (t) => {
  const streams = new Map();
  const port = await raw.startRawServer(t, (socket, { type, stream }, number) => {
    if (type !== raw.type.headers) {
      return;
    }
    const own = streams.get(number) ?? [];
    streams.set(number, own);
    own.push(stream);
    if (own.length < 3) {
      socket.write(raw.answer(stream));
    } else if (own.length === 7) {
      socket.write(raw.goaway(own[4]));
      socket.write(Buffer.concat([raw.answer(own[2]), raw.answer(own[4]), raw.answer(own[3])]));
    }
  });
  const said = await loadPlain(port, { amount: 70, pipelining: 5, connections: 1 });
  assert.equal(said.answered + said.failed, 70);
  assert.ok(said.answered >= 48, JSON.stringify(said));
  assert.equal(said.errors.reset, said.failed);
  assert.ok(said.connects >= 9 && said.connects <= 11, JSON.stringify(said));
});

test('closed at each byte of an answer', async (t) => {
  const whole = raw.answer(3).length;
  for (let bytes = 0; bytes < whole; bytes++) {
    const port = await raw.startRawServer(t, (socket, { type, stream }, number) => {
      if (type !== raw.type.headers) {
        return;
      }
      if (number === 0 && stream === 3) {
        socket.write(raw.answer(stream).subarray(0, bytes));
        socket.resetAndDestroy();
      } else {
        socket.write(raw.answer(stream));
      }
    });
    const said = await loadPlain(port, { amount: 5, connections: 1 });
    assert.equal(said.answered, 4, `after ${bytes} bytes: ${JSON.stringify(said)}`);
    assert.equal(said.errors.reset, 1);
    assert.equal(said.connects, 2);
  }
});

test('a connection that is silent is given up', async (t) => {
  const port = await raw.startRawServer(t, (socket, { type, stream }, number) => {
    if (type === raw.type.headers && (number > 0 || stream === 1)) {
      socket.write(raw.answer(stream));
    }
  });
  const said = await loadPlain(port, { amount: 40, connections: 1, pipelining: 2, timeout: 200 });
  assert.equal(said.connects, 2, JSON.stringify(said));
  assert.ok(said.answered >= 30, JSON.stringify(said));
});

test('a connection on which no stream is allowed is given up', async (t) => {
  const port = await raw.startRawServer(
    t,
    (socket, { type, flags, payload }) => {
      if (type === raw.type.ping && !(flags & raw.flag.ack)) {
        socket.write(raw.frame(raw.type.ping, raw.flag.ack, 0, payload));
      }
    },
    (socket) => socket.write(raw.settings([3, 0])),
  );
  // One request goes out before the server has said so.
  const said = await loadPlain(port, { amount: 3, connections: 1, timeout: 200 });
  assert.equal(said.failed, 3, JSON.stringify(said));
  assert.ok(said.errors.timeout >= 3, JSON.stringify(said));
});

test('a server that says nothing at all: a timeout', async (t) => {
  const port = await listen(t, net.createServer());
  const said = await loadPlain(port, { amount: 3, connections: 1, pipelining: 9, timeout: 200 });
  assert.ok(said.errors.timeout >= 2, JSON.stringify(said));
});

const garbage = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 31 + 7) & 0xff));

for (const [name, bytes] of [
  ['HTTP/1.1', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
  ['garbage', garbage],
  ['no SETTINGS first', raw.frame(raw.type.ping, 0, 0, Buffer.alloc(8))],
  ['a frame of 16 MiB', Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])],
  [
    'SETTINGS with too many entries',
    raw.settings(...Array.from({ length: 2000 }, (_, i) => [4, i])),
  ],
  ['SETTINGS that are forbidden', raw.settings([4, 0xffffffff])],
]) {
  test(`instead of a beginning: ${name}`, async (t) => {
    const port = await raw.startRawServer(
      t,
      () => {},
      (socket) => socket.write(bytes),
    );
    const said = await loadPlain(port, { seconds: 1, connections: 2, timeout: 2000 });
    assert.equal(said.answered, 0);
    assert.ok(said.errors.protocol > 2, JSON.stringify(said));
    assert.ok(said.connects < 40, JSON.stringify(said));
  });
}

for (const [name, bytes] of [
  ['DATA of a stream that was never opened', () => raw.data(99, 'hello')],
  ['a pushed stream', (stream) => raw.frame(5, raw.flag.endHeaders, stream, raw.words(2))],
  [
    'a head that cannot be decoded',
    (stream) => raw.headers(stream, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
  ],
  ['a window that overflows', () => raw.frame(raw.type.windowUpdate, 0, 0, raw.words(0x7fffffff))],
  [
    'endless CONTINUATION',
    (stream) =>
      Buffer.concat([
        raw.headers(stream, raw.OK, 0),
        ...Array(1000).fill(raw.frame(raw.type.continuation, 0, stream)),
      ]),
  ],
  [
    'CONTINUATION of another stream',
    (stream) =>
      Buffer.concat([
        raw.headers(stream, raw.OK, 0),
        raw.frame(raw.type.continuation, raw.flag.endHeaders, stream + 2),
      ]),
  ],
  ['PING of seven bytes', () => raw.frame(raw.type.ping, 0, 0, Buffer.alloc(7))],
  ['RST_STREAM of a stream that was never opened', () => raw.reset(99, 0)],
]) {
  test(`the connection is closed for ${name}`, async (t) => {
    const port = await raw.startRawServer(t, (socket, { type, stream }, number) => {
      if (type === raw.type.headers) {
        socket.write(number === 0 && stream === 5 ? bytes(stream) : raw.answer(stream));
      }
    });
    const said = await loadPlain(port, { amount: 20, connections: 1, timeout: 3000 });
    assert.equal(said.answered, 19, JSON.stringify(said));
    assert.equal(said.errors.protocol, 1, JSON.stringify(said));
    assert.equal(said.connects, 2);
  });
}

// With and without taking what they are acknowledged with.
for (const reads of [true, false]) {
  for (const [name, each] of [
    ['SETTINGS', raw.settings([4, 70000])],
    ['PING', raw.frame(raw.type.ping, 0, 0, Buffer.alloc(8))],
  ]) {
    const how = reads ? 'reads what comes back' : 'reads nothing';
    test(`a storm of ${name} by a server that ${how}: refused, in bounded memory`, async (t) => {
      const storm = Buffer.concat(Array(1000).fill(each));
      const port = await raw.startRawServer(
        t,
        (socket) => {
          if (!reads) {
            socket.pause();
          }
        },
        (socket) => {
          const more = () => !socket.destroyed && socket.write(storm, () => setImmediate(more));
          socket.write(raw.settings());
          more();
        },
      );
      const said = await loadPlain(port, { seconds: 2, connections: 1, timeout: 20000 });
      assert.equal(said.answered, 0);
      assert.ok(said.errors.protocol >= 1, JSON.stringify(said));
    });
  }
}

test('nobody listens, and a server that closes at once: no storm of connects', async (t) => {
  const port = await raw.startRawServer(
    t,
    () => {},
    (socket) => socket.destroy(),
  );
  const shut = await loadPlain(port, { seconds: 1, connections: 2 });
  assert.ok(shut.connects > 2 && shut.connects < 40, JSON.stringify(shut));
  const unused = net.createServer();
  await new Promise((resolve) => unused.listen(0, '127.0.0.1', resolve));
  const free = unused.address().port;
  await new Promise((resolve) => unused.close(resolve));
  const refused = await loadPlain(free, { seconds: 1, connections: 2 });
  assert.equal(refused.sent, 0);
  assert.ok(refused.errors.refused > 2 && refused.errors.refused < 40, JSON.stringify(refused));
});
