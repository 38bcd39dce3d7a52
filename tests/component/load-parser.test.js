// SPDX-License-Identifier: Apache-2.0
'use strict';

// The load engine's parser beside Node.js's own, on the same bytes: good responses, and the same
// with damage.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const test = require('node:test');
const { lines, node } = require('./support/target.js');
const { Random } = require('./support/random.js');
const { bin } = require('./support/sonde.js');

const program = path.join(path.dirname(bin), '..', 'tests', 'program_response');
const reference = path.join(__dirname, 'support', 'node-parser.js');

const STATUS = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 204 No Content',
  'HTTP/1.0 500 No',
  'HTTP/1.1 100 Continue\r\n',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 404',
  'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade',
];
const FIELDS = [
  'Content-Length: 3',
  'content-length:3',
  'Content-Length: 0',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: gzip',
  'Connection: close',
  'Connection: keep-alive, x',
  'Upgrade: x',
  'A: b',
  `X-Long: ${'a'.repeat(30)} \t${'b'.repeat(30)}`,
];
const BODIES = ['3\r\nabc\r\n', '3;q=1\r\nabc\r\n', '0\r\n\r\n', '0\r\nT: u\r\n\r\n', 'abc', 'x'];

function response(random) {
  const pick = (list, most) => Array.from({ length: random.below(most) }, () => random.of(list));
  const head = [random.of(STATUS), ...pick(FIELDS, 4), '', ''].join('\r\n');
  return head + pick(BODIES, 4).join('');
}

function damaged(random, bytes) {
  const at = random.below(bytes.length);
  switch (random.below(4)) {
    case 0:
      return bytes.with(at, random.below(256));
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(3))]);
    default:
      return bytes;
  }
}

function parse(command, words, input) {
  const out = execFileSync(command, words, { input, maxBuffer: 1 << 28 });
  return out.toString().trim().split('\n').map(JSON.parse);
}

// Where we know better. A response to HEAD leaves its connection alive without a length, which
// Node.js's parser learns too late; close wins over keep-alive in HTTP/1.0, too; of several fields
// Transfer-Encoding it takes the last, where we take none; HTTP/2.0 and carriage returns in a row
// are no HTTP/1 to us; no interim response closes the connection or has a body, whatever its fields
// say. On Node.js 18 it reads on behind what closes it, and waits for the body of a 204 or 304.
function known(line, kind, text, ours, theirs) {
  const codings = text.match(/transfer-encoding/gi)?.length ?? 0;
  const odd = codings > 1 || /HTTP\/(?!1\.)|\r\r/.test(text) || line === 18;
  return (
    (kind === 1 && theirs.responses.some((one) => !one.keepAlive)) ||
    (/HTTP\/1\.0/.test(text) && /: *close/.test(text) && /keep-alive/.test(text)) ||
    / 1(?!01)\d\d[^\n]*\n(?!\r\n)/.test(text) ||
    (odd && ours.end !== 'idle') ||
    (line === 18 && /[23]04/.test(text))
  );
}

for (const line of lines) {
  test(`Node.js ${line} reads the same`, () => {
    const random = new Random();
    const cases = Array.from({ length: 10000 }, () => {
      const text = Array.from({ length: 1 + random.below(2) }, () => response(random)).join('');
      return [random.below(3), Buffer.from(damaged(random, Buffer.from(text, 'latin1')))];
    }).filter(([, bytes]) => bytes.length > 0);
    const input = cases.map(([kind, bytes]) => `${kind} ${bytes.toString('base64')}\n`).join('');
    const ours = parse(program, [], input);
    const theirs = parse(node(line), [reference], input);
    let good = 0;
    cases.forEach(([kind, bytes], i) => {
      const text = bytes.toString('latin1');
      if (known(line, kind, text, ours[i], theirs[i])) {
        return;
      }
      // Where a head is cut and wrong as well, it is one or the other.
      const end = ({ end }) => (end === 'idle' ? end : 'bad');
      const what = JSON.stringify({ kind, text, ours: ours[i], theirs: theirs[i] });
      assert.deepEqual(ours[i].responses, theirs[i].responses, what);
      assert.equal(end(ours[i]), end(theirs[i]), what);
      good += ours[i].end === 'idle';
    });
    assert.ok(good > cases.length / 8, `${good} of ${cases.length}`);
  });
}
