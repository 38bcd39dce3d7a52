// SPDX-License-Identifier: Apache-2.0

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { blockLoop, keepVisit, mergeVisits } from './visits';

const actions: { [path: string]: () => unknown } = {
  '/keep': () => keepVisit(1),
  '/block': () => blockLoop(150),
  '/merge': () => mergeVisits(2),
};

const server = createServer((request, response) => {
  response.setHeader('connection', 'close');
  response.end(JSON.stringify({ result: actions[request.url ?? '']?.() ?? null }));
});

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`listening on ${port}\n`);
});
