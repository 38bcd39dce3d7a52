// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load engine over WebSockets, against a server that agrees and one that breaks the rules:
// nothing crashes, no message is lost from the count, and memory is bounded.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const tls = require('node:tls');
const { promisify } = require('node:util');
const { makeServerPair } = require('./support/certificates.js');
const { load: loadFrom } = require('./support/load.js');
const { bin, temporary } = require('./support/sonde.js');
const { accept, frame, opcode, startWebSocketServer, text } = require('./support/websocket.js');

const run = promisify(execFile);
const NORMAL = 1000;
const isMessage = (each) => each.kind === opcode.text || each.kind === opcode.binary;

const load = (port, settings) => loadFrom(`ws://127.0.0.1:${port}/chat?a=b`, settings);

function echo(socket, each) {
  if (isMessage(each)) {
    socket.write(frame(each.kind, each.payload));
  }
}

test('echo: each message is answered, of all sizes, and measured', async (t) => {
  const heads = [];
  const closes = [];
  let masked = true;
  const port = await startWebSocketServer(
    t,
    (socket, each) => {
      masked = masked && each.masked;
      if (each.kind === opcode.close) {
        closes.push(each.payload.readUInt16BE(0));
      }
      echo(socket, each);
    },
    (socket, head) => {
      heads.push(head);
      socket.write(`${accept(head)}\r\n`);
    },
  );
  for (const settings of [
    { amount: 1 },
    { amount: 500, connections: 5, threads: 2 },
    { amount: 500, connections: 2, pipelining: 8, body: 20 },
    { amount: 100, connections: 2, body: 125 },
    { amount: 100, connections: 2, body: 126 },
    { amount: 20, connections: 2, body: 70000, pipelining: 2 },
    { amount: 100, connections: 2, perConnection: 10 },
    { amount: 200, connections: 2, rate: 1000 },
  ]) {
    closes.length = 0;
    const said = await load(port, settings);
    const what = JSON.stringify({ settings, said });
    assert.equal(said.answered, settings.amount, what);
    assert.equal(said.failed + said.censored + said.unsent + said.bad + said.received, 0, what);
    assert.equal(said.response.count, settings.amount, what);
    assert.equal(said.service.count, settings.amount, what);
    assert.equal(closes.length, said.connects, what);
    assert.ok(closes.every((status) => status === NORMAL));
  }
  assert.ok(masked);
  assert.match(heads[0], /^GET \/chat\?a=b HTTP\/1\.1\r\n/);
  assert.match(heads[0], new RegExp(`\r\nHost: 127\\.0\\.0\\.1:${port}\r\n`));
  assert.match(heads[0], /\r\nSec-WebSocket-Version: 13\r\n/);
  assert.doesNotMatch(heads[0], /keep-alive|Content-Length/i);
});

test('the command: fields, a protocol, ids, and text that is none', async (t) => {
  const seen = [];
  const port = await startWebSocketServer(
    t,
    (socket, each) => {
      seen.push(each);
      echo(socket, each);
    },
    (socket, head) => {
      assert.match(head, /\r\nCookie: a=b\r\n/);
      socket.write(`${accept(head)}Sec-WebSocket-Protocol: chat\r\n\r\n`);
    },
  );
  const ask = async (...words) => {
    seen.length = 0;
    const own = ['-c', '2', '-a', '50', '-j', '-n', '--no-store', '-H', 'Cookie: a=b'];
    const url = `ws://127.0.0.1:${port}/`;
    const { stdout } = await run(
      bin,
      ['load', url, ...own, '-H', 'Sec-WebSocket-Protocol: chat', ...words],
      { timeout: 60000 },
    );
    return JSON.parse(stdout);
  };
  const said = await ask('-b', '{"id":"[<id>]"}', '-I');
  assert.equal(said.sonde.answered, 50);
  assert.equal(said.non2xx, 0);
  const texts = seen.filter((each) => each.kind === opcode.text).map((each) => `${each.payload}`);
  assert.equal(new Set(texts).size, 50);
  assert.match(texts[0], /^{"id":"[^"[]+"}$/);
  const file = path.join(temporary(t), 'body');
  fs.writeFileSync(file, Buffer.from([0xff, 0xfe, 0]));
  assert.equal((await ask('-i', file)).sonde.answered, 50);
  assert.equal(seen.filter((each) => each.kind === opcode.binary).length, 50);
});

test('over TLS', async (t) => {
  const { cert, key, authority } = makeServerPair(temporary(t));
  const port = await startWebSocketServer(t, echo, undefined, (serve) =>
    tls.createServer({ cert, key }, serve),
  );
  const said = await loadFrom(`wss://localhost:${port}/`, {
    ...{ amount: 100, connections: 2, pipelining: 3, authority },
  });
  assert.equal(said.answered, 100, JSON.stringify(said));
});

test('what is broadcast is received and counted', async (t) => {
  const sockets = new Set();
  let sent = 0;
  const port = await startWebSocketServer(
    t,
    () => {},
    (socket, head) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      // The first message comes with the handshake.
      socket.write(Buffer.concat([Buffer.from(`${accept(head)}\r\n`), text('hello')]));
      sent++;
    },
  );
  const timer = setInterval(() => {
    for (const socket of sockets) {
      socket.write(Buffer.concat([text('a'), frame(opcode.text, 'b', 0), frame(0, 'c')]));
      sent += 2;
    }
  }, 10);
  t.after(() => clearInterval(timer));
  const said = await load(port, { listens: 1, seconds: 1, connections: 3 });
  assert.equal(said.sent, 0);
  assert.ok(said.received > 60 && said.received <= sent, `${sent} ${JSON.stringify(said)}`);
  assert.ok(said.received > 0.8 * sent, `${sent} ${JSON.stringify(said)}`);
  const words = ['load', `ws://127.0.0.1:${port}/`, '--receive', '-c', '2', '-d', '1'];
  const { stdout } = await run(bin, [...words, '--no-store'], { timeout: 60000 });
  assert.match(stdout, /\n\d+ messages received, /);
  assert.doesNotMatch(stdout, /INVALID/);
});

test('what cannot be meant is refused', async () => {
  for (const [words, what] of [
    [['http://127.0.0.1:1/', '--receive'], /ws:\/\//],
    [['ws://127.0.0.1:1/', '--receive', '-R', '5'], /--receive/],
    [['ws://127.0.0.1:1/', '--receive', '-a', '5'], /--receive/],
    [['ws://127.0.0.1:1/', '-m', 'POST'], /method/],
    [['ws://127.0.0.1:1/', '--http', '2'], /HTTP\/2/],
  ]) {
    await assert.rejects(run(bin, ['load', ...words, '--no-store']), (error) => {
      assert.equal(error.code, 2, `${error.stderr}`);
      assert.match(error.stderr, what);
      return true;
    });
  }
});

test('a message is in fragments, with control frames between, also byte by byte', async (t) => {
  for (const slow of [false, true]) {
    const port = await startWebSocketServer(t, (socket, each) => {
      if (!isMessage(each)) {
        return;
      }
      const all = Buffer.concat([
        frame(opcode.text, 'h\u00e9'.slice(0, 1), 0),
        frame(opcode.ping, 'there?'),
        frame(opcode.continuation, Buffer.from([0xc3]), 0),
        frame(opcode.pong),
        frame(opcode.continuation, Buffer.from([0xa9])),
      ]);
      for (const part of slow ? Array.from(all, (byte) => Buffer.from([byte])) : [all]) {
        socket.write(part);
      }
    });
    const said = await load(port, { amount: 20, connections: 1 });
    assert.equal(said.answered, 20, JSON.stringify(said));
    assert.equal(said.connects, 1);
  }
});

test('a message that began before it was asked for is no answer', async (t) => {
  const port = await startWebSocketServer(
    t,
    (socket, each) => {
      if (isMessage(each)) {
        socket.write(frame(opcode.continuation, 'b'));
      }
    },
    (socket, head) =>
      socket.write(Buffer.concat([Buffer.from(`${accept(head)}\r\n`), frame(opcode.text, 'a', 0)])),
  );
  const said = await load(port, { amount: 1, connections: 1, timeout: 500 });
  assert.equal(said.answered, 0, JSON.stringify(said));
  assert.equal(said.received, 1, JSON.stringify(said));
  assert.equal(said.errors.timeout, 1, JSON.stringify(said));
});

test('a PING is answered', async (t) => {
  let pongs = 0;
  const port = await startWebSocketServer(t, (socket, each) => {
    if (each.kind === opcode.pong) {
      assert.equal(String(each.payload), 'x');
      pongs++;
    } else if (isMessage(each)) {
      socket.write(Buffer.concat([frame(opcode.ping, 'x'), frame(opcode.text, 'y')]));
    }
  });
  const said = await load(port, { amount: 50, connections: 1 });
  assert.equal(said.answered, 50, JSON.stringify(said));
  assert.ok(pongs >= 49, `${pongs}`);
});

// ---- the handshake ----

for (const [name, answer, error] of [
  ['not found', () => 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', 'upgrade'],
  ['an ordinary answer', () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'upgrade'],
  ['a wrong proof', (head) => `${accept(`${head}`.replace('Key: ', 'Key: x'))}\r\n`, 'protocol'],
  [
    'no proof',
    () => 'HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
    'protocol',
  ],
  [
    'a protocol that nobody offered',
    (head) => `${accept(head)}Sec-WebSocket-Protocol: x\r\n\r\n`,
    'protocol',
  ],
  [
    'an extension that nobody offered',
    (head) => `${accept(head)}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
    'protocol',
  ],
  ['endless fields', (head) => `${accept(head)}X: ${'y'.repeat(100000)}`, 'protocol'],
  ['garbage', () => '\x16\x03\x01\r\n\r\n', 'protocol'],
]) {
  test(`the handshake is answered by ${name}`, async (t) => {
    const port = await startWebSocketServer(
      t,
      () => {},
      (socket, head) => socket.write(answer(head), 'latin1'),
    );
    const said = await load(port, { seconds: 1, connections: 2 });
    assert.equal(said.sent, 0);
    assert.equal(said.connects, 0);
    assert.ok(said.errors[error] > 2 && said.errors[error] < 40, JSON.stringify(said));
    assert.equal(said.connectFailures, said.errors[error]);
  });
}

test('the handshake has no answer: a timeout, and no storm of connects', async (t) => {
  const port = await startWebSocketServer(
    t,
    () => {},
    () => {},
  );
  const said = await load(port, { seconds: 2, connections: 1, timeout: 200 });
  assert.ok(said.errors.timeout >= 2, JSON.stringify(said));
  assert.equal(said.connects, 0);
  const due = await load(port, { seconds: 1, connections: 1, rate: 100, most: 5, drain: 0 });
  assert.equal(due.sent, 0);
  assert.equal(due.unsent, 100);
});

// ---- what no server may send ----

const PROTOCOL = 1002;
const NO_TEXT = 1007;
const TOO_BIG = 1009;

for (const [name, bytes, status] of [
  ['a masked frame', Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5]), PROTOCOL],
  ['an extension bit', frame(opcode.text, 'x', 0xc0), PROTOCOL],
  ['an unknown opcode', frame(3, 'x'), PROTOCOL],
  ['an unknown control opcode', frame(11, 'x'), PROTOCOL],
  ['a control frame in fragments', frame(opcode.ping, 'x', 0), PROTOCOL],
  ['a long control frame', frame(opcode.ping, 'x'.repeat(126)), PROTOCOL],
  ['a continuation of nothing', frame(opcode.continuation, 'x'), PROTOCOL],
  [
    'a message within another',
    Buffer.concat([frame(opcode.text, 'x', 0), frame(opcode.text, 'y')]),
    PROTOCOL,
  ],
  ['half a reason for closing', frame(opcode.close, 'x'), PROTOCOL],
  ['a reason for closing that is none', frame(opcode.close, Buffer.from([3, 238])), PROTOCOL],
  ['a negative length', Buffer.from([0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]), PROTOCOL],
  ['a message without an end', Buffer.from([0x82, 127, 0, 0, 0, 0, 255, 255, 255, 255]), TOO_BIG],
  ['text that is no UTF-8', frame(opcode.text, Buffer.from([0xc3, 0x28])), NO_TEXT],
  ['text that is cut', frame(opcode.text, Buffer.from([0xe2, 0x82])), NO_TEXT],
  ['a surrogate', frame(opcode.text, Buffer.from([0xed, 0xa0, 0x80])), NO_TEXT],
]) {
  test(`the connection is closed for ${name}`, async (t) => {
    const closes = [];
    const port = await startWebSocketServer(t, (socket, each, number) => {
      if (each.kind === opcode.close && number === 0) {
        closes.push(each.payload.readUInt16BE(0));
      } else if (isMessage(each)) {
        const bad = number === 0 && String(each.payload).length > 0;
        socket.write(bad ? bytes : frame(each.kind, each.payload));
      }
    });
    const said = await load(port, { amount: 20, connections: 1, body: 5, timeout: 3000 });
    assert.equal(said.answered, 19, JSON.stringify(said));
    assert.equal(said.errors.protocol, 1, JSON.stringify(said));
    assert.equal(said.connects, 2);
    assert.deepEqual(closes, [status]);
  });
}

test('reset at each byte of an answer', async (t) => {
  const whole = text('hello');
  for (let bytes = 0; bytes < whole.length; bytes++) {
    let messages = 0;
    const port = await startWebSocketServer(t, (socket, each, number) => {
      if (!isMessage(each)) {
        return;
      }
      if (number === 0 && messages++ === 1) {
        socket.write(whole.subarray(0, bytes));
        socket.resetAndDestroy();
      } else {
        socket.write(whole);
      }
    });
    const said = await load(port, { amount: 5, connections: 1 });
    assert.equal(said.answered, 4, `after ${bytes} bytes: ${JSON.stringify(said)}`);
    assert.equal(said.errors.reset, 1);
    assert.equal(said.connects, 2);
  }
});

test('the server closes, as it should and at once', async (t) => {
  const port = await startWebSocketServer(t, (socket, each, number) => {
    if (isMessage(each) && number === 0) {
      socket.end(frame(opcode.close, Buffer.from([3, 232])));
    } else {
      echo(socket, each);
    }
  });
  const said = await load(port, { amount: 10, connections: 1 });
  assert.equal(said.answered, 9, JSON.stringify(said));
  assert.equal(said.errors.reset, 1);
  const rude = await startWebSocketServer(
    t,
    () => {},
    (socket, head) => socket.end(`${accept(head)}\r\n`),
  );
  const shut = await load(rude, { seconds: 1, connections: 2 });
  assert.ok(shut.connects > 2 && shut.connects < 40, JSON.stringify(shut));
});

test('no answer: a timeout with its time, and another connection', async (t) => {
  const port = await startWebSocketServer(t, (socket, each, number) => {
    if (number > 0) {
      echo(socket, each);
    }
  });
  const said = await load(port, { amount: 10, connections: 1, timeout: 200 });
  assert.equal(said.errors.timeout, 1, JSON.stringify(said));
  assert.equal(said.answered, 9);
  assert.ok(said.response.max >= 200000 && said.response.max < 3000000);
});

// With and without taking what they are answered with.
for (const reads of [true, false]) {
  test(`a storm of PING by a server that ${reads ? 'reads' : 'reads nothing'}`, async (t) => {
    const storm = Buffer.concat(Array(1000).fill(frame(opcode.ping, 'x'.repeat(125))));
    const port = await startWebSocketServer(
      t,
      () => {},
      (socket, head) => {
        socket.write(`${accept(head)}\r\n`);
        if (!reads) {
          socket.pause();
        }
        const more = () => !socket.destroyed && socket.write(storm, () => setImmediate(more));
        more();
      },
    );
    const said = await load(port, { seconds: 2, connections: 1, timeout: 500, drain: 0 });
    assert.equal(said.answered, 0);
    assert.ok(said.errors.timeout >= 1, JSON.stringify(said));
  });
}

test('more messages than were asked for are counted apart', async (t) => {
  const port = await startWebSocketServer(t, (socket, each) => {
    if (isMessage(each)) {
      socket.write(Buffer.concat([text('one'), text('two'), text('three')]));
    }
  });
  const said = await load(port, { rate: 50, amount: 20, connections: 1 });
  assert.equal(said.answered, 20, JSON.stringify(said));
  assert.ok(said.received >= 30 && said.received <= 40, JSON.stringify(said));
});
