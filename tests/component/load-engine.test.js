// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load engine against servers that answer well, badly and not at all: nothing crashes, and no
// request is lost from the count.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const net = require('node:net');
const test = require('node:test');
const { promisify } = require('node:util');
const { listen, load: loadFrom, program } = require('./support/load.js');

const run = promisify(execFile);
const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

// A server whose connections are handled by `serve(socket, request, number, head)`, called for each
// request: number is the connection's, from 0.
function startServer(t, serve, opened = () => {}) {
  let number = 0;
  const server = net.createServer((socket) => {
    const own = number++;
    let text = '';
    let requests = 0;
    opened(socket, own);
    socket.on('data', (chunk) => {
      text += chunk;
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end + 4);
        text = text.slice(end + 4);
        serve(socket, requests++, own, head);
      }
    });
  });
  return listen(t, server);
}

const load = (port, settings) => loadFrom(`http://127.0.0.1:${port}/`, settings);
const answer = (text) => (socket) => socket.write(text);

test('an amount is sent exactly, also in parts', async (t) => {
  let served = 0;
  const port = await startServer(t, (socket) => {
    served++;
    socket.write(GOOD);
  });
  for (const settings of [
    { amount: 1 },
    { amount: 1003, connections: 7, threads: 3 },
    { amount: 1003, connections: 7, threads: 3, pipelining: 5 },
    { amount: 1003, connections: 3, perConnection: 10 },
    { amount: 203, connections: 3, rate: 1000, threads: 2 },
    { amount: 203, connections: 3, rate: 1000, poisson: 1 },
  ]) {
    served = 0;
    const said = await load(port, settings);
    const what = JSON.stringify({ settings, said });
    assert.equal(said.answered, settings.amount, what);
    assert.equal(said.failed + said.censored + said.unsent, 0, what);
    assert.equal(served, settings.amount, what);
    assert.equal(said.response.count, settings.amount, what);
    assert.equal(said.bytesRead, settings.amount * GOOD.length, what);
  }
});

test('an amount takes until its last answer, a schedule until its end', async (t) => {
  // A timer of Node.js may be a millisecond early.
  const port = await startServer(t, (socket) => setTimeout(() => socket.write(GOOD), 300));
  const closed = await load(port, { amount: 4, connections: 4, threads: 2 });
  assert.ok(closed.seconds >= 0.295, JSON.stringify(closed));
  const counted = await load(port, { rate: 100, amount: 10, connections: 10 });
  assert.ok(counted.seconds >= 0.385, JSON.stringify(counted));
  // The last request is due at 0.75 s, and at 1 s the next one would be.
  const timed = await load(port, { rate: 4, seconds: 1, connections: 4 });
  assert.equal(timed.answered, 4);
  assert.ok(timed.seconds >= 1, JSON.stringify(timed));
});

test('each request has an id of its own', async (t) => {
  const seen = [];
  const port = await startServer(t, (socket, _request, _number, head) => {
    seen.push(/X-Id: (\S+)\r\n/.exec(head)?.[1]);
    socket.write(GOOD);
  });
  const settings = { ids: 1, amount: 500, connections: 4, pipelining: 3, threads: 2 };
  assert.equal((await load(port, settings)).answered, 500);
  assert.equal(new Set(seen).size, 500);
  assert.ok(!seen.includes(undefined));
});

test('a rate is kept, and the time between', async (t) => {
  const port = await startServer(t, answer(GOOD));
  const said = await load(port, { rate: 400, seconds: 2, connections: 4 });
  assert.equal(said.sent + said.unsent, 800);
  assert.ok(said.answered > 780, JSON.stringify(said));
  assert.equal(said.sendLag.count, said.sent);
});

test('connections are closed after so many requests, and as the server says', async (t) => {
  const port = await startServer(t, answer(GOOD));
  const own = await load(port, { amount: 100, connections: 1, perConnection: 10 });
  assert.equal(own.connects, 10);
  const closing = await startServer(t, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'),
  );
  const said = await load(closing, { amount: 50, connections: 2 });
  assert.equal(said.answered, 50);
  // The last ones may be opened for requests that are sent no more.
  assert.ok(said.connects >= 50 && said.connects <= 52, JSON.stringify(said));
  const old = await startServer(t, (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nto the end'));
  assert.equal((await load(old, { amount: 20, connections: 2 })).answered, 20);
});

for (const [name, text] of [
  ['no content', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['not modified', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n'],
  ['continue first', `HTTP/1.1 100 Continue\r\n\r\n${GOOD}`],
  ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['not found', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'],
]) {
  test(`answered: ${name}`, async (t) => {
    const port = await startServer(t, answer(text));
    const said = await load(port, { amount: 50, connections: 2 });
    assert.equal(said.answered, 50);
    assert.equal(said.connects, 2);
    assert.equal(said.bad, name === 'not found' ? 50 : 0);
  });
}

test('reset at each byte of an answer', async (t) => {
  for (let bytes = 0; bytes < GOOD.length; bytes++) {
    const port = await startServer(t, (socket, request, number) => {
      if (number === 0 && request === 1) {
        socket.write(GOOD.slice(0, bytes));
        socket.resetAndDestroy();
      } else {
        socket.write(GOOD);
      }
    });
    const said = await load(port, { amount: 5, connections: 1 });
    assert.equal(said.answered, 4, `after ${bytes} bytes: ${JSON.stringify(said)}`);
    assert.equal(said.errors.reset, 1);
    assert.equal(said.connects, 2);
  }
});

for (const [name, text, error] of [
  ['no HTTP', '\x16\x03\x01\x02\x00', 'protocol'],
  ['a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', 'protocol'],
  [
    'two lengths',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'protocol',
  ],
  ['more than its length', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc', 'protocol'],
  ['endless headers', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70000)}`, 'protocol'],
]) {
  test(`refused: ${name}`, async (t) => {
    const port = await startServer(t, answer(text));
    const said = await load(port, { amount: 3, connections: 1 });
    assert.ok(said.errors[error] >= 3, JSON.stringify(said));
  });
}

test('an answer that is too short, slow, or does not come: a timeout with its time', async (t) => {
  for (const text of ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', 'HTTP/1.1 2', '']) {
    const port = await startServer(t, answer(text));
    const said = await load(port, { amount: 2, connections: 2, timeout: 200 });
    assert.equal(said.errors.timeout, 2, JSON.stringify(said));
    for (const { count, p50 } of [said.response, said.service]) {
      assert.equal(count, 2);
      assert.ok(p50 >= 200000 && p50 < 2000000);
    }
  }
});

test('nobody listens, and a server that closes at once: no storm of connects', async (t) => {
  const port = await startServer(t, answer(GOOD));
  const closed = await startServer(t, answer(GOOD), (socket) => socket.destroy());
  const unused = net.createServer();
  await new Promise((resolve) => unused.listen(0, '127.0.0.1', resolve));
  const free = unused.address().port;
  await new Promise((resolve) => unused.close(resolve));
  const refused = await load(free, { seconds: 1, connections: 2 });
  assert.equal(refused.sent, 0);
  assert.ok(refused.errors.refused > 2 && refused.errors.refused < 40, JSON.stringify(refused));
  const shut = await load(closed, { seconds: 1, connections: 2 });
  assert.ok(shut.connects > 2 && shut.connects < 40, JSON.stringify(shut));
  assert.equal(shut.answered, 0);
  // At a rate further ones are opened while all are busy, but these are not.
  const rate = { seconds: 1, connections: 2, rate: 500, most: 500 };
  const often = await load(free, rate);
  assert.ok(often.connectFailures > 2 && often.connectFailures < 80, JSON.stringify(often));
  const soon = await load(closed, rate);
  assert.ok(soon.connects > 2 && soon.connects < 80, JSON.stringify(soon));
  assert.equal((await load(port, { amount: 10 })).answered, 10);
});

test('a rate without a server: what could not be sent is counted, with how long it waited', async (t) => {
  const port = await startServer(t, () => {});
  const said = await load(port, { rate: 100, seconds: 1, connections: 3, most: 3, drain: 0 });
  assert.equal(said.sent, 3);
  assert.equal(said.censored, 3);
  assert.equal(said.unsent, 97);
  assert.equal(said.response.count, 100);
  assert.ok(said.response.p50 > 400000 && said.response.p50 < 700000, JSON.stringify(said));
});

test('stopped over its end, it sends what was due as soon as it goes on', async (t) => {
  let client;
  let requests = 0;
  const port = await startServer(t, (socket) => {
    socket.write(GOOD);
    requests += 1;
    if (requests === 40) {
      client.kill('SIGSTOP');
      setTimeout(() => client.kill('SIGCONT'), 1200);
    }
  });
  const url = `http://127.0.0.1:${port}/`;
  const running = run(program, [url, 'rate=100', 'seconds=1', 'connections=100', 'most=100']);
  client = running.child;
  const said = JSON.parse((await running).stdout);
  assert.deepEqual([said.sent, said.answered, said.unsent], [100, 100, 0], JSON.stringify(said));
  assert.ok(said.late >= 20, JSON.stringify(said));
});

test('a rate opens connections up to the most while all are busy', async (t) => {
  const port = await startServer(t, () => {});
  const said = await load(port, { rate: 100, seconds: 1, connections: 1, most: 40, drain: 0 });
  assert.equal(said.connects, 40);
  assert.equal(said.sent, 40);
});

test('an answer that nobody asked for', async (t) => {
  const port = await startServer(t, answer(GOOD), (socket, number) => {
    if (number === 0) {
      socket.write(GOOD);
    }
  });
  const said = await load(port, { rate: 20, amount: 10, connections: 1 });
  assert.ok(said.errors.protocol + said.errors.reset <= 2, JSON.stringify(said));
  assert.ok(said.answered >= 9);
});

// Without the time during which a server does not answer, a closed loop would show nothing of it.
test('a server that freezes for a second: the truth by intended times', async (t) => {
  let frozen = false;
  let begun = false;
  const waiting = [];
  const thaw = () => {
    frozen = false;
    for (const each of waiting.splice(0)) {
      each.write(GOOD);
    }
  };
  const freeze = () => {
    frozen = true;
    setTimeout(thaw, 1000);
  };
  const port = await startServer(t, (socket) => {
    if (!begun) {
      begun = true;
      setTimeout(freeze, 1000);
    }
    if (frozen) {
      waiting.push(socket);
    } else {
      socket.write(GOOD);
    }
  });
  const said = await load(port, { rate: 200, seconds: 4, connections: 10, most: 1000 });
  // A quarter of the requests wait for up to 1 s: the 90th of 100 is 0.6 s, the 99th 0.96 s.
  assert.equal(said.answered, 800, JSON.stringify(said));
  assert.ok(Math.abs(said.response.p90 - 600000) < 150000, JSON.stringify(said.response));
  assert.ok(Math.abs(said.response.p99 - 960000) < 150000, JSON.stringify(said.response));
  assert.ok(Math.abs(said.response.max - 1000000) < 150000, JSON.stringify(said.response));
});

test('no file descriptors are left: counted, and the rest goes on', async (t) => {
  const port = await startServer(t, answer(GOOD));
  const { stdout } = await run(
    'sh',
    ['-c', `ulimit -n 12; exec "$0" "$@"`, program, `http://127.0.0.1:${port}/`].concat([
      'connections=50',
      'seconds=1',
    ]),
    { timeout: 60000 },
  );
  const said = JSON.parse(stdout);
  assert.ok(said.errors.resources > 10, stdout);
  assert.ok(said.answered > 100, stdout);
  assert.equal(said.sent, said.answered + said.failed + said.censored);
});
