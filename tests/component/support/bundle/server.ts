// SPDX-License-Identifier: Apache-2.0

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checksumOf, lengthOf } from './checksum';

const text: string = 'a service that was written in another language '.repeat(100);

const server = createServer((request, response) => {
  let sum: number = 0;
  for (const step of [checksumOf, lengthOf]) {
    for (let part = 0; part < 200; part++) {
      sum += step(text, { count: 10 });
    }
  }
  response.setHeader('connection', 'close');
  response.end(JSON.stringify({ sum }));
});

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`listening on ${port}\n`);
});
