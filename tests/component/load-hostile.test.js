// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load engine where names, clocks and sockets fail, and servers answer out of step: nothing
// crashes, and no request is lost from the count.

const assert = require('node:assert/strict');
const { execFile, spawn } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const tls = require('node:tls');
const { promisify } = require('node:util');
const { makeServerPair } = require('./support/certificates.js');
const raw = require('./support/http2-raw.js');
const { listen, load, program } = require('./support/load.js');
const { bin, temporary } = require('./support/sonde.js');
const { accept, frame, opcode, startWebSocketServer } = require('./support/websocket.js');

const run = promisify(execFile);
const HTTP2 = 1; // enum sonde_http_version
const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

// `serve(socket, request, number)` for each request; number is the connection's, from 0.
function makeServer(serve, options = {}) {
  let number = 0;
  return net.createServer(options, (socket) => {
    const own = number++;
    let requests = 0;
    socket.on('data', (chunk) => {
      for (const _ of String(chunk).matchAll(/\r\n\r\n/g)) {
        serve(socket, requests++, own);
      }
    });
  });
}

const answer = (socket) => socket.write(GOOD);

function check(stdout) {
  const said = JSON.parse(stdout);
  assert.equal(said.sent, said.answered + said.failed + said.censored, stdout);
  return said;
}

// Runs a program whose machine has these names alone.
function withNames(t, names, command) {
  const file = path.join(temporary(t), 'hosts');
  fs.writeFileSync(file, names);
  const resolver = path.join(path.dirname(file), 'resolv.conf');
  fs.writeFileSync(resolver, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  const script =
    'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
  const words = ['--mount', 'sh', '-c', script, file, resolver, ...command];
  return { file, done: run('unshare', words, { timeout: 60000 }) };
}

// ---- names ----

const NAMES = '127.0.0.2 many.test\n127.0.0.3 many.test\n127.0.0.4 many.test\n';

test('all addresses of a name are used in turn, and one that is dead does not stop the rest', async (t) => {
  const counts = new Map();
  const count = (socket) => {
    counts.set(socket.localAddress, (counts.get(socket.localAddress) ?? 0) + 1);
    socket.write(GOOD);
  };
  const port = await listen(t, makeServer(count), '0.0.0.0');
  const ask = (number, ...words) => [program, `http://many.test:${number}/`, ...words];
  const all = withNames(t, NAMES, ask(port, 'amount=600', 'connections=6'));
  assert.equal(check((await all.done).stdout).answered, 600);
  assert.deepEqual([...counts.keys()].sort(), ['127.0.0.2', '127.0.0.3', '127.0.0.4']);
  const first = makeServer(answer);
  const partial = await listen(t, first, '127.0.0.2');
  const second = makeServer(answer);
  await new Promise((resolve) => second.listen(partial, '127.0.0.3', resolve));
  t.after(() => second.close());
  const words = ['amount=300', 'connections=6', 'perConnection=5'];
  const two = withNames(t, NAMES, ask(partial, ...words));
  const said = check((await two.done).stdout);
  assert.equal(said.answered, 300, JSON.stringify(said));
  assert.ok(said.errors.refused > 0, JSON.stringify(said));
  assert.equal(said.connectFailures, said.errors.refused);
});

test('a name that is gone: said so before, and without effect meanwhile', async (t) => {
  const gone = withNames(t, '127.0.0.1 localhost\n', [
    ...[bin, 'load', 'http://many.test:1/', '-d', '1', '--no-store'],
  ]);
  await assert.rejects(gone.done, (error) => {
    assert.match(error.stderr, /no address of many\.test was found/);
    return error.code === 1;
  });
  let served = 0;
  let meanwhile = () => {};
  const port = await listen(
    t,
    makeServer((socket) => {
      if (++served === 50) {
        meanwhile();
      }
      socket.write(GOOD);
    }),
    '0.0.0.0',
  );
  const words = ['amount=300', 'connections=3', 'perConnection=5'];
  const running = withNames(t, NAMES, [program, `http://many.test:${port}/`, ...words]);
  meanwhile = () => fs.writeFileSync(running.file, '');
  const said = check((await running.done).stdout);
  assert.equal(said.answered, 300, JSON.stringify(said));
  assert.equal(fs.readFileSync(running.file, 'utf8'), '');
});

// ---- clocks ----

test('a machine whose clock begins in ten years', async (t) => {
  const port = await listen(t, makeServer(answer));
  const { stdout } = await run(
    'unshare',
    ['--time', '--fork', '--monotonic', '315360000', program, `http://127.0.0.1:${port}/`].concat([
      ...['rate=200', 'seconds=1', 'connections=2'],
    ]),
    { timeout: 60000 },
  );
  const said = check(stdout);
  assert.equal(said.sent + said.unsent, 200, stdout);
  assert.ok(said.answered > 100, stdout);
});

// As a virtual machine that is moved. The answers came meanwhile, and are not taken for missing.
test('the generator stands still for longer than its time limit', async (t) => {
  const waiting = [];
  let child = null;
  const port = await listen(
    t,
    makeServer((socket) => {
      waiting.push(socket);
      if (waiting.length === 600) {
        child.kill('SIGSTOP');
        for (const each of waiting.splice(0)) {
          each.write(GOOD);
        }
        setTimeout(() => child.kill('SIGCONT'), 1500);
      }
    }),
  );
  const words = ['connections=600', 'amount=600', 'timeout=1000'];
  child = spawn(program, [`http://127.0.0.1:${port}/`, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  await new Promise((resolve) => child.on('close', resolve));
  const said = check(stdout);
  assert.equal(said.answered, 600, stdout);
  assert.equal(said.errors.timeout, 0, stdout);
  assert.ok(said.response.max >= 1400000, stdout);
});

// ---- sockets ----

for (const [name, url, make] of [
  ['HTTP/1.1', 'http', (t) => listen(t, makeServer(answer))],
  [
    'HTTP/2',
    'http',
    (t) =>
      raw.startRawServer(t, (socket, { type, stream }) => {
        if (type === raw.type.headers) {
          socket.write(raw.answer(stream));
        }
      }),
  ],
  [
    'WebSocket',
    'ws',
    (t) => startWebSocketServer(t, (socket, each) => socket.write(frame(each.kind, each.payload))),
  ],
]) {
  test(`no file descriptors are left for ${name}: counted, and the rest goes on`, async (t) => {
    const port = await make(t);
    for (const more of [['connections=50'], ['connections=2', 'most=100', 'rate=500']]) {
      const { stdout } = await run(
        'sh',
        ['-c', 'ulimit -n 14; exec "$0" "$@"', program, `${url}://127.0.0.1:${port}/`].concat([
          ...['seconds=1', `version=${name === 'HTTP/2' ? HTTP2 : 0}`, ...more],
        ]),
        { timeout: 60000 },
      );
      const said = check(stdout);
      assert.ok(said.answered > 50, stdout);
      assert.ok(said.errors.resources > 10 || more.length > 1, stdout);
    }
  });
}

// ---- servers out of step ----

test('two answers for one request: no more answered than sent, and none left over', async (t) => {
  for (const settings of [
    { amount: 100, connections: 1 },
    { amount: 100, connections: 2, pipelining: 4 },
    { amount: 100, connections: 1, rate: 500 },
  ]) {
    const port = await listen(
      t,
      makeServer((socket, request) => socket.write(request % 5 === 2 ? GOOD + GOOD : GOOD)),
    );
    const said = await load(`http://127.0.0.1:${port}/`, settings);
    assert.equal(said.answered + said.failed, 100, JSON.stringify(said));
    assert.ok(said.errors.protocol + said.errors.reset > 0, JSON.stringify(said));
    assert.ok(said.answered >= 50, JSON.stringify(said));
  }
});

test('an answer after the time limit is not that of the next request', async (t) => {
  const port = await listen(
    t,
    makeServer((socket, _request, number) => {
      if (number === 0) {
        setTimeout(() => socket.write(GOOD.replace('200', '500')), 600);
      } else {
        socket.write(GOOD);
      }
    }),
  );
  const settings = { rate: 10, amount: 15, connections: 1, timeout: 300 };
  const said = await load(`http://127.0.0.1:${port}/`, settings);
  assert.equal(said.errors.timeout, 1, JSON.stringify(said));
  assert.equal(said.answered, 14);
  assert.equal(said.bad, 0);
});

// Written again and again, until the connection ends.
function repeat(socket, bytes) {
  const more = () => !socket.destroyed && socket.write(bytes, () => setTimeout(more, 1));
  more();
}

test('a server that answers and reads nothing: no more is sent than it takes', async (t) => {
  const body = 1 << 20;
  const settings = { seconds: 1, connections: 2, body };
  const server = net.createServer((socket) => {
    socket.once('data', () => {
      socket.pause();
      repeat(socket, GOOD);
    });
  });
  const opened = (socket, head) => {
    socket.pause();
    socket.write(`${accept(head)}\r\n`);
    repeat(socket, frame(opcode.text, 'x'));
  };
  for (const url of [
    `http://127.0.0.1:${await listen(t, server)}/`,
    `ws://127.0.0.1:${await startWebSocketServer(t, () => {}, opened)}/`,
  ]) {
    const said = await load(url, settings);
    assert.ok(said.answered > 0, JSON.stringify(said));
    const waits = said.sent * body - said.bytesWritten;
    assert.ok(waits <= said.connects * (body + 1024), JSON.stringify(said));
  }
});

test('answered before the request was read, and closed with a reset: answered', async (t) => {
  const directory = temporary(t);
  const file = path.join(directory, 'body');
  fs.writeFileSync(file, Buffer.alloc(16 << 20));
  const large = 'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
  const server = net.createServer((socket) => {
    socket.once('data', () => {
      socket.pause();
      socket.write(large, () => socket.resetAndDestroy());
    });
  });
  const words = ['-m', 'POST', '-i', file, '-a', '100', '-c', '2', '-j', '-n', '--no-store'];
  const url = `http://127.0.0.1:${await listen(t, server)}/`;
  const { stdout } = await run(bin, ['load', url, ...words], { timeout: 60000 });
  const said = JSON.parse(stdout);
  assert.equal(said['4xx'], 100, stdout);
  assert.equal(said.sonde.failed, 0, stdout);
});

test('a server that drips its head, byte by byte: a timeout all the same', async (t) => {
  const port = await listen(
    t,
    makeServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nA: ');
      const drip = setInterval(() => socket.write('a'), 10);
      socket.on('close', () => clearInterval(drip));
    }),
  );
  const settings = { amount: 6, connections: 2, timeout: 300 };
  const said = await load(`http://127.0.0.1:${port}/`, settings);
  assert.equal(said.errors.timeout, 6, JSON.stringify(said));
  assert.equal(said.answered, 0);
});

test('HTTP/2: a stream is answered twice, and one that was given up', async (t) => {
  let requests = 0;
  const port = await raw.startRawServer(t, (socket, { type, stream }) => {
    const number = type === raw.type.headers ? requests++ : -1;
    if (number === 5) {
      setTimeout(() => socket.write(raw.answer(stream)), 600);
    } else if (number === 10) {
      socket.write(Buffer.concat([raw.answer(stream), raw.answer(stream)]));
    } else if (number >= 0) {
      socket.write(raw.answer(stream));
    } else if (type === raw.type.ping) {
      socket.write(raw.frame(raw.type.ping, raw.flag.ack, 0, Buffer.alloc(8)));
    }
  });
  const settings = { version: HTTP2, rate: 20, amount: 30, connections: 1, timeout: 300 };
  const said = await load(`http://127.0.0.1:${port}/`, { ...settings, pipelining: 4 });
  assert.equal(said.errors.timeout, 1, JSON.stringify(said));
  assert.ok(said.answered >= 28, JSON.stringify(said));
});

test('half-closed: behind an answer, before one, and for good', async (t) => {
  const behind = await listen(
    t,
    makeServer((socket) => socket.end(GOOD), { allowHalfOpen: true }),
  );
  const said = await load(`http://127.0.0.1:${behind}/`, { amount: 20, connections: 2 });
  assert.equal(said.answered + said.failed, 20, JSON.stringify(said));
  // Whether the end is seen before the next request is sent is up to chance.
  assert.equal(said.failed, said.errors.reset);
  assert.ok(said.answered >= 3, JSON.stringify(said));
  const before = await listen(
    t,
    makeServer((socket, _request, number) => (number === 0 ? socket.end() : socket.write(GOOD)), {
      allowHalfOpen: true,
    }),
  );
  const lost = await load(`http://127.0.0.1:${before}/`, { amount: 20, connections: 1 });
  assert.equal(lost.answered, 19, JSON.stringify(lost));
  assert.equal(lost.errors.reset, 1);
});

// Between the generator and a server of TLS, which cuts what the server says.
async function startCutter(t, port, isWhole, cutAt) {
  let number = 0;
  const lengths = [];
  const server = net.createServer((socket) => {
    const own = number++;
    let seen = 0;
    const there = net.connect(port, '127.0.0.1');
    there.on('error', () => {});
    socket.on('data', (chunk) => there.write(chunk));
    socket.on('close', () => {
      lengths.push(seen);
      there.destroy();
    });
    there.on('close', () => socket.destroy());
    there.on('data', (chunk) => {
      const left = isWhole(own) ? Number.POSITIVE_INFINITY : cutAt(own) - seen;
      seen += chunk.length;
      socket.write(chunk.subarray(0, Math.max(0, Math.min(left, chunk.length))));
      if (chunk.length >= left) {
        socket.destroySoon();
      }
    });
  });
  return { port: await listen(t, server), lengths };
}

// By TLS 1.3 the session is resumed, which is short; by TLS 1.2 the server shows its certificate.
for (const [version, options, step] of [
  ['TLSv1.3', {}, 1],
  ['TLSv1.2', { secureOptions: crypto.constants.SSL_OP_NO_TICKET }, 3],
]) {
  test(`${version} is cut at each ${step === 1 ? '' : `${step}rd `}byte of what the server says`, async (t) => {
    const { cert, key, authority } = makeServerPair(temporary(t));
    const keys = { cert, key, maxVersion: version };
    const server = tls.createServer({ ...keys, ...options }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.write(GOOD));
    });
    server.on('tlsClientError', () => {});
    const port = await listen(t, server);
    const ask = (number, settings) =>
      load(`https://localhost:${number}/`, { authority, perConnection: 1, ...settings });
    const whole = await startCutter(t, port, () => true);
    await ask(whole.port, { amount: 2, connections: 1 });
    const length = whole.lengths[1];
    assert.ok(length > 200 && length < 5000, `${length}`);
    // Each second connection is whole, so that no wait between the attempts grows long.
    const cut = await startCutter(
      t,
      port,
      (n) => n % 2 === 1 || (step * n) / 2 >= length,
      (n) => (step * n) / 2,
    );
    const amount = Math.ceil((2 * length) / step);
    const said = await ask(cut.port, { amount, connections: 4 });
    assert.equal(said.answered + said.failed, amount, JSON.stringify(said));
    assert.equal(said.connectFailures, said.errors.tls, JSON.stringify(said));
    assert.equal(said.failed, said.errors.reset, JSON.stringify(said));
    assert.ok(said.failed > 0 && said.connectFailures > length / step / 4, JSON.stringify(said));
    assert.ok(said.connects + said.connectFailures >= (2 * length) / step, JSON.stringify(said));
  });
}
