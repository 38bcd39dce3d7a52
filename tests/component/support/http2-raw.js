// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server of HTTP/2 that takes frames apart and does nothing else: what it answers, and how it
// breaks the rules, is the test's (RFC 9113, 4.1 and 6).

const net = require('node:net');
const { listen } = require('./load.js');

const PREFACE = 24;
const type = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
};
const flag = { endStream: 1, ack: 1, endHeaders: 4 };

function frame(kind, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = kind;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function words(...numbers) {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, number] of numbers.entries()) {
    bytes.writeUInt32BE(number, 4 * i);
  }
  return bytes;
}

// Pairs of an identifier and a value.
function settings(...pairs) {
  const entries = pairs.map(([identifier, value]) => {
    const entry = Buffer.alloc(6);
    entry.writeUInt16BE(identifier, 0);
    entry.writeUInt32BE(value, 2);
    return entry;
  });
  return frame(type.settings, 0, 0, Buffer.concat(entries));
}

// A field that no table has (RFC 7541, 6.2.2), both texts up to 126 bytes.
function field(name, value) {
  const text = (each) => [Buffer.from([each.length]), Buffer.from(each, 'latin1')];
  return Buffer.concat([Buffer.from([0]), ...text(name), ...text(value)]);
}

const status = (number) => field(':status', String(number));
const OK = Buffer.from([0x88]); // ":status: 200" of the static table

const headers = (stream, block, flags = flag.endHeaders) =>
  frame(type.headers, flags, stream, block);
const data = (stream, text, flags = flag.endStream) =>
  frame(type.data, flags, stream, Buffer.from(text));
const answer = (stream, text = 'hello') => Buffer.concat([headers(stream, OK), data(stream, text)]);
const reset = (stream, code) => frame(type.reset, 0, stream, words(code));
const goaway = (last, code = 0) => frame(type.goaway, 0, 0, words(last, code));

// `opened(socket, number)` may write first what is not SETTINGS; by default they are. `take(socket,
// frame, number)` is called for each frame {type, flags, stream, payload}.
function startRawServer(t, take, opened = (socket) => socket.write(settings())) {
  let number = 0;
  const server = net.createServer((socket) => {
    const own = number++;
    let bytes = Buffer.alloc(0);
    let begun = false;
    opened(socket, own);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (!begun && bytes.length >= PREFACE) {
        begun = true;
        bytes = bytes.subarray(PREFACE);
      }
      while (begun && bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
        const length = bytes.readUIntBE(0, 3);
        const each = {
          type: bytes[3],
          flags: bytes[4],
          stream: bytes.readUInt32BE(5),
          payload: bytes.subarray(9, 9 + length),
        };
        bytes = bytes.subarray(9 + length);
        if (each.type === type.settings && !(each.flags & flag.ack)) {
          socket.write(frame(type.settings, flag.ack, 0));
        }
        take(socket, each, own);
      }
    });
  });
  return listen(t, server);
}

module.exports = {
  OK,
  answer,
  data,
  field,
  flag,
  frame,
  goaway,
  headers,
  reset,
  settings,
  startRawServer,
  status,
  type,
  words,
};
