// SPDX-License-Identifier: Apache-2.0
'use strict';

// What Node.js's own parser makes of bytes, in the shape of tests/programs/response.c. As a
// program: for each line "KIND BASE64" of standard input a line of JSON.

const { HTTPParser } = require('node:_http_common');

const KINDS = { head: 1, connect: 2 };

function parse(bytes, kind) {
  const parser = new HTTPParser();
  const responses = [];
  let seen = null;
  let began = false;
  let interim = false; // a response 1xx, and none behind it
  parser.initialize(HTTPParser.RESPONSE, {}, 65536);
  const begin = () => {
    seen = { status: 0, keepAlive: false, upgraded: false, body: 0, fields: 0 };
  };
  begin();
  parser[HTTPParser.kOnMessageBegin] = () => {
    began = true;
    interim = false;
  };
  parser[HTTPParser.kOnHeaders] = (fields) => {
    seen.fields += fields.length / 2;
  };
  parser[HTTPParser.kOnHeadersComplete] = (_major, _minor, fields, ...rest) => {
    const [, , status, , , keepAlive] = rest;
    seen.fields += (fields?.length ?? 0) / 2;
    seen.status = status;
    const tunnel = kind === KINDS.connect && status >= 200 && status < 300;
    seen.upgraded = status === 101 || tunnel;
    seen.keepAlive = keepAlive && !seen.upgraded;
    seen.interim = status < 200 && status !== 101;
    return seen.upgraded ? 2 : kind === KINDS.head ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (chunk, _offset, length) => {
    seen.body += length ?? chunk.length;
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    began = false;
    interim = seen.interim;
    if (!interim) {
      const { interim: _interim, ...told } = seen;
      responses.push(told);
    }
    begin();
  };
  const result = parser.execute(bytes);
  const upgraded = responses.at(-1)?.upgraded;
  let end = 'idle';
  if (result instanceof Error) {
    end = upgraded ? 'idle' : 'refused';
  } else if (!upgraded && parser.finish() instanceof Error) {
    end = 'cut';
  } else if (!upgraded && (began || interim)) {
    end = 'cut';
  }
  const code = result instanceof Error ? result.code : undefined;
  return { responses, end, code };
}

if (require.main === module) {
  const lines = require('node:fs').readFileSync(0, 'utf8').split('\n').filter(Boolean);
  const out = lines.map((line) =>
    JSON.stringify(parse(Buffer.from(line.slice(2), 'base64'), Number(line[0]))),
  );
  process.stdout.write(`${out.join('\n')}\n`);
}

module.exports = { parse };
