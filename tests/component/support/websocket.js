// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server of WebSockets that agrees to the handshake, takes frames apart and does nothing else:
// what it answers, and how it breaks the rules, is the test's (RFC 6455, 4.2.2 and 5.2).

const crypto = require('node:crypto');
const net = require('node:net');
const { listen } = require('./load.js');

const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// A frame as a server sends it; `flags` are the bits above the opcode.
function frame(kind, payload = '', flags = 0x80) {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(bytes.length < 126 ? 2 : bytes.length < 65536 ? 4 : 10);
  head[0] = flags | kind;
  head[1] = head.length === 2 ? bytes.length : head.length === 4 ? 126 : 127;
  if (head.length === 4) {
    head.writeUInt16BE(bytes.length, 2);
  } else if (head.length === 10) {
    head.writeBigUInt64BE(BigInt(bytes.length), 2);
  }
  return Buffer.concat([head, bytes]);
}

const text = (payload) => frame(opcode.text, payload);

function accept(head) {
  const key = /\r\nSec-WebSocket-Key: (\S+)\r\n/.exec(head)?.[1];
  const proof = crypto
    .createHash('sha1')
    .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${proof}\r\n`;
}

// The frame at the beginning of what a client sent, and what is behind it; null: not all is there.
function takeFrame(bytes) {
  const short = bytes.length > 1 ? bytes[1] & 0x7f : 0;
  const size = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < size + 4) {
    return null;
  }
  const length =
    size === 2 ? short : size === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < size + 4 + length) {
    return null;
  }
  const mask = bytes.subarray(size, size + 4);
  const payload = Buffer.from(bytes.subarray(size + 4, size + 4 + length));
  for (let i = 0; i < length; i++) {
    payload[i] ^= mask[i % 4];
  }
  return {
    kind: bytes[0] & 15,
    masked: Boolean(bytes[1] & 0x80),
    payload,
    rest: bytes.subarray(size + 4 + length),
  };
}

// `take(socket, frame, number)` for each frame {kind, masked, payload}; `opened(socket, head,
// number)` answers the handshake, by default as it should be. `wrap`: a server around the
// connections, of TLS.
function startWebSocketServer(
  t,
  take,
  opened = (socket, head) => socket.write(`${accept(head)}\r\n`),
  wrap = net.createServer,
) {
  let number = 0;
  const server = wrap((socket) => {
    const own = number++;
    let bytes = Buffer.alloc(0);
    let open = false;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = open ? -1 : bytes.indexOf('\r\n\r\n');
      if (end >= 0) {
        open = true;
        opened(socket, String(bytes.subarray(0, end + 4)), own);
        bytes = bytes.subarray(end + 4);
      }
      for (let each = open && takeFrame(bytes); each; each = takeFrame(bytes)) {
        bytes = each.rest;
        take(socket, each, own);
      }
    });
  });
  return listen(t, server);
}

module.exports = { accept, frame, opcode, startWebSocketServer, text };
