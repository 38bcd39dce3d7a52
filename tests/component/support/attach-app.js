// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service that is hard to attach to, in the way that ATTACH_APP names. GET / tells about itself.

const cluster = require('node:cluster');
const { execSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const inspector = require('node:inspector');
const net = require('node:net');

const mode = process.env.ATTACH_APP ?? '';
const number = Number(process.env.ATTACH_NUMBER ?? 0);
const state = { pid: process.pid, looks: 0 };

const modes = {
  // Changed users: its links under /proc can be read by root alone.
  'other-user': () => process.setuid(number),
  listeners: () => {
    for (let i = 0; i < number; i++) {
      net.createServer().listen(0, '127.0.0.1');
    }
  },
  // Is in native code from the moment on when the inspector opens.
  'blocked-when-open': () => {
    const timer = setInterval(() => {
      if (inspector.url()) {
        clearInterval(timer);
        execSync(`sleep ${number}`);
      }
    }, 1);
  },
  // Is in native code before it is signalled.
  blocked: () => {
    setTimeout(() => {
      console.error('blocked');
      execSync(`sleep ${number}`);
    }, 500);
  },
  // Counts how often somebody looks for connections.
  looks: () => {
    const read = fs.readFileSync;
    fs.readFileSync = (file, ...rest) => {
      state.looks += file === '/proc/self/net/tcp' ? 1 : 0;
      return read(file, ...rest);
    };
  },
};

function serve() {
  const server = http.createServer((_request, response) => {
    response.end(JSON.stringify({ ...state, url: inspector.url() ?? '' }));
  });
  server.listen(0, '127.0.0.1', () => {
    console.log(`listening on ${server.address().port}`);
    modes[mode]?.();
  });
}

if (mode === 'cluster' && cluster.isPrimary) {
  for (let i = 0; i < number; i++) {
    cluster.fork();
  }
  cluster.on('online', (worker) => console.log(`worker ${worker.process.pid}`));
}
serve();
