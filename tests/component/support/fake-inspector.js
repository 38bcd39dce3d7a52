// SPDX-License-Identifier: Apache-2.0
'use strict';

// A process that answers SIGUSR1 with an inspector of its own making: it speaks the protocol up to
// the AFTERth answer, and then does what MODE says. It closes its port when its client hangs up,
// unless MODE is "open-for-ever".

const crypto = require('node:crypto');
const http = require('node:http');

const mode = process.env.MODE;
const after = Number(process.env.AFTER ?? 0);
const port = Number(process.env.INSPECTOR_PORT ?? 9229);
const websocketId = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
// How long it stands still in mode "snapshot-slow": longer than answers may take otherwise.
const standstillMilliseconds = 13000;
// 24 MB of JSON in mode "large-coverage": more than a connection and the sidecar hold.
const coveredScripts = 400000;
const INFINITE = 'a number that JSON.stringify does not write';
const opcodes = { text: 1, close: 8, ping: 9, pong: 10 };

function frame(payload, opcode = opcodes.text, announced = payload.length) {
  const head = Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(announced), 2);
  if (announced < 126) {
    head[1] = announced;
    return Buffer.concat([head.subarray(0, 2), payload]);
  }
  if (announced < 65536) {
    head[1] = 126;
    head.writeUInt16BE(announced, 2);
    return Buffer.concat([head.subarray(0, 4), payload]);
  }
  return Buffer.concat([head, payload]);
}

// Takes the client's frames, which are masked, off the front of what has arrived.
function* unframe(pending) {
  for (;;) {
    const bytes = pending.bytes;
    if (bytes.length < 6) {
      return;
    }
    let length = bytes[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      length = bytes.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(2));
      at = 10;
    }
    if (bytes.length < at + 4 + length) {
      return;
    }
    const mask = bytes.subarray(at, at + 4);
    const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + length));
    for (let i = 0; i < payload.length; i++) {
      payload[i] ^= mask[i % 4];
    }
    pending.bytes = bytes.subarray(at + 4 + length);
    yield { opcode: bytes[0] & 0x0f, last: (bytes[0] & 0x80) !== 0, payload };
  }
}

// From SIGUSR2 on in mode "large-profile".
let padding = '';
if (mode === 'large-profile') {
  process.on('SIGUSR2', () => {
    padding = 'x'.repeat(24e6);
  });
}

function profileText() {
  const frameOf = (functionName) => ({
    functionName,
    scriptId: '1',
    url: 'file:///app/fake.js',
    lineNumber: 1,
    columnNumber: 1,
  });
  if (mode === 'bad-profile') {
    const node = { id: 1, callFrame: frameOf('circle'), hitCount: 1, children: [1] };
    return { nodes: [node], startTime: 0, endTime: -1, samples: [7], timeDeltas: [] };
  }
  return {
    padding,
    nodes: [
      { id: 1, callFrame: frameOf('(root)'), hitCount: 0, children: [2] },
      { id: 2, callFrame: frameOf('faked'), hitCount: 3 },
    ],
    startTime: 1000,
    endTime: 4000,
    samples: [2, 2, 2],
    timeDeltas: [1000, 1000, 1000],
  };
}

function resultOf(method, params) {
  if (method === 'Runtime.evaluate' && params.expression.includes('sonde:probe')) {
    return { result: { type: 'object', objectId: '1' } };
  }
  if (method === 'Runtime.evaluate') {
    const pid = mode === 'wrong-pid' ? process.pid + 1 : process.pid;
    const value = { pid, version: process.version, directory: process.cwd() };
    return { result: { type: 'object', value } };
  }
  if (mode === 'large-coverage' && method === 'Profiler.takePreciseCoverage') {
    const script = { scriptId: '1', url: 'file:///app/fake.js', functions: [] };
    return { result: new Array(coveredScripts).fill(script) };
  }
  if (method === 'Runtime.callFunctionOn') {
    const statistics = { utilization: 0.5 };
    if (mode === 'infinite') {
      return { result: { type: 'object', value: { gone: false, stallMilliseconds: INFINITE } } };
    }
    const value = { gone: false, stallMilliseconds: 1, statistics, usedBytes: 1e6 };
    return { result: { type: 'object', value } };
  }
  return {};
}

// The smallest heap snapshot that there is, in two chunks.
function snapshotChunks() {
  const meta = {
    node_fields: ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'],
    node_types: [['synthetic'], 'string', 'number', 'number', 'number', 'number'],
    edge_fields: ['type', 'name_or_index', 'to_node'],
    edge_types: [['context', 'element', 'property', 'internal'], 'string_or_number', 'node'],
  };
  const head = JSON.stringify({ snapshot: { meta, node_count: 1, edge_count: 0 } }).slice(0, -1);
  const chunks = [`${head},\n"nodes":[0,0,1,0,0,0\n],\n`, '"edges":[],\n"strings":["(GC roots)"]}'];
  return chunks.map((chunk) => {
    const event = { method: 'HeapProfiler.addHeapSnapshotChunk', params: { chunk } };
    return frame(Buffer.from(JSON.stringify(event)));
  });
}

const worker = '1';

// What a worker thread says arrives in events of the main thread, which has passed on what it was
// told.
function ofWorker(message) {
  const params = { sessionId: worker, message: JSON.stringify(message) };
  const event = { method: 'NodeWorker.receivedMessageFromWorker', params };
  return frame(Buffer.from(JSON.stringify(event)));
}

function attachedWorker() {
  const workerInfo = { workerId: '1', type: 'worker', title: 'faked', url: 'file:///app/fake.js' };
  const params = { sessionId: worker, workerInfo, waitingForDebugger: false };
  const event = { method: 'NodeWorker.attachedToWorker', params };
  return frame(Buffer.from(JSON.stringify(event)));
}

function textChunks(count) {
  const event = {
    method: 'HeapProfiler.addHeapSnapshotChunk',
    params: { chunk: 'x'.repeat(30000) },
  };
  return new Array(count).fill(frame(Buffer.from(JSON.stringify(event))));
}

const faults = {
  silent: () => [],
  drop: (_id, socket) => {
    socket.destroy();
    return [];
  },
  'wrong-id': (id) => [frame(Buffer.from(JSON.stringify({ id: id + 1000, result: {} })))],
  'huge-frame': () => [frame(Buffer.alloc(1 << 17, ' '), opcodes.text, 2 ** 40)],
  'deep-nesting': (id) => [
    frame(Buffer.from(`{"id":${id},"result":${'['.repeat(50000)}${']'.repeat(50000)}}`)),
  ],
  'invalid-utf8': (id) => [
    frame(
      Buffer.concat([
        Buffer.from(`{"id":${id},"result":{"a":"`),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}}'),
      ]),
    ),
  ],
  malformed: (id) => [frame(Buffer.from(`{"id":${id},"result":{"value":]}`))],
  'no-object': () => [frame(Buffer.from('17'))],
  'large-answer': (id) => [
    frame(Buffer.from(JSON.stringify({ id, result: { a: 'x'.repeat(8 << 20) } }))),
  ],
  'answers-twice': (id) => {
    const answer = frame(Buffer.from(JSON.stringify({ id, result: {} })));
    return [answer, answer];
  },
};

function serve(socket) {
  const pending = { bytes: Buffer.alloc(0) };
  let answers = 0;
  let message = Buffer.alloc(0);
  let quiet; // the frames that wait while it stands still
  let workerHangs = false;

  // A process that takes a snapshot of itself answers nothing. In mode "snapshot-in-two" it sends
  // 300 kB of what is no snapshot, and 24 MB more with the answer when it gets SIGUSR2.
  function standStill(id) {
    quiet = [];
    if (mode === 'snapshot-in-two') {
      socket.write(Buffer.concat(textChunks(10)));
      process.once('SIGUSR2', () => {
        const answer = frame(Buffer.from(JSON.stringify({ id, result: {} })));
        socket.write(Buffer.concat([...textChunks(800), answer, ...quiet]));
        quiet = undefined;
      });
    }
    if (mode === 'snapshot-slow') {
      setTimeout(() => {
        const answer = frame(Buffer.from(JSON.stringify({ id, result: {} })));
        socket.write(Buffer.concat([...snapshotChunks(), answer, ...quiet]));
        quiet = undefined;
      }, standstillMilliseconds);
    }
  }

  // In mode "worker-stalled" it sends one chunk of a snapshot of itself, and nothing from then on.
  function answerOfWorker(text) {
    const { id, method, params } = JSON.parse(text);
    if (workerHangs) {
      return [];
    }
    console.error('worker:', method, params?.functionDeclaration ?? '');
    if (method === 'HeapProfiler.takeHeapSnapshot') {
      workerHangs = true;
      const chunk = { method: 'HeapProfiler.addHeapSnapshotChunk', params: { chunk: '{' } };
      return [ofWorker(chunk)];
    }
    return [ofWorker({ id, result: resultOf(method, params) })];
  }

  // What comes before an answer of the main thread in that mode.
  function eventsBeside(method, params) {
    const events = {
      'NodeWorker.enable': () => [attachedWorker()],
      'NodeWorker.sendMessageToWorker': () => answerOfWorker(params.message),
      'HeapProfiler.takeHeapSnapshot': snapshotChunks,
    };
    return events[method]?.() ?? [];
  }

  function answer(text) {
    const { id, method, params } = JSON.parse(text);
    answers += 1;
    if (faults[mode] && answers > after) {
      return faults[mode](id, socket);
    }
    if (mode.startsWith('snapshot-') && method === 'HeapProfiler.takeHeapSnapshot') {
      standStill(id);
      return [];
    }
    const frames = mode === 'worker-stalled' ? eventsBeside(method, params) : [];
    const titles = /rotate\('([^']*)','([^']*)'\)/.exec(params?.functionDeclaration ?? '');
    if (titles?.[2]) {
      const finished = { id: '1', profile: profileText(), title: titles[2] };
      const event = { method: 'Profiler.consoleProfileFinished', params: finished };
      frames.push(frame(Buffer.from(JSON.stringify(event))));
    }
    if (mode === 'late-profile' && /finish\(\)/.test(params?.functionDeclaration ?? '')) {
      const finished = { id: '1', profile: profileText(), title: 'late' };
      const event = { method: 'Profiler.consoleProfileFinished', params: finished };
      frames.push(frame(Buffer.from(JSON.stringify(event))));
    }
    const result = JSON.stringify({ id, result: resultOf(method, params) });
    frames.push(frame(Buffer.from(result.replace(`"${INFINITE}"`, '1e999'))));
    console.error(method, params?.functionDeclaration ?? '');
    if (mode === 'slow-disable' && method === 'Profiler.disable') {
      setTimeout(() => socket.write(frames[0]), 1000);
      return [];
    }
    if (mode === 'slow-finish' && /finish\(\)/.test(params?.functionDeclaration ?? '')) {
      // Longer than two beats, which are not to come any more.
      setTimeout(() => {
        console.error(socket.readableEnded ? 'hung up on finish' : 'finish is answered');
        socket.write(frames[0]);
      }, 5000);
      return [];
    }
    return frames;
  }

  socket.on('data', (data) => {
    pending.bytes = Buffer.concat([pending.bytes, data]);
    for (const { opcode, last, payload } of unframe(pending)) {
      if (opcode === opcodes.close) {
        console.error(`hung up with ${socket.writableLength} bytes unread`);
        socket.end(frame(payload, opcodes.close));
      } else if (opcode === opcodes.ping) {
        socket.write(frame(payload, opcodes.pong));
      } else if (opcode <= opcodes.text) {
        message = Buffer.concat([message, payload]);
        if (last) {
          const frames = answer(message.toString());
          message = Buffer.alloc(0);
          if (quiet) {
            quiet.push(...frames);
            continue;
          }
          for (const bytes of frames) {
            socket.write(bytes);
          }
        }
      }
    }
  });
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    if (mode !== 'open-for-ever') {
      inspector.close();
    }
  });
}

const lists = {
  garbage: () => '\u0000garbage',
  'elsewhere-list': () => JSON.stringify([{ webSocketDebuggerUrl: 'ws://127.0.0.2:80/abc' }]),
  'endless-list': () => `[${' '.repeat(4 << 20)}`,
  'empty-list': () => '[]',
};

const inspector = http.createServer((_request, response) => {
  const list = lists[mode];
  const webSocketDebuggerUrl = `ws://127.0.0.1:${port}/01234567-89ab-cdef-0123-456789abcdef`;
  response.setHeader('connection', 'close');
  response.end(list ? list() : JSON.stringify([{ type: 'node', webSocketDebuggerUrl }]));
  if (list) {
    response.on('close', () => {
      inspector.close();
      inspector.closeAllConnections?.();
    });
  }
});
inspector.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'];
  const accept = crypto.createHash('sha1').update(`${key}${websocketId}`).digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  serve(socket);
});

process.on('SIGUSR1', () => inspector.listen(port, '127.0.0.1'));

const service = http.createServer((_request, response) => response.end('{"ok":true}'));
service.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on ${service.address().port}\n`);
});
