// SPDX-License-Identifier: Apache-2.0
'use strict';

// What the store has kept of a load test, as a person fetches it, and the values of its histograms.

const assert = require('node:assert/strict');
const { inflateSync } = require('node:zlib');

const compressedCookie = 0x1c849304;
const plainCookie = 0x1c849303;
const cookieMask = ~0xf0; // (the word size that old encodings had)
const headerBytes = 40;

// Signed numbers of 7 bits a byte, the ninth byte of 8: ZigZag LEB128.
function* numbersOf(bytes) {
  for (let i = 0; i < bytes.length; ) {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(bytes[i++]);
      const last = shift === 56n;
      value |= (last ? byte : byte & 0x7fn) << shift;
      if (last || byte < 0x80n) {
        break;
      }
    }
    yield Number((value >> 1n) ^ -(value & 1n));
  }
}

// [{value, count}] of HdrHistogram's V2 encoding in base64 (HdrHistogram,
// AbstractHistogram.java: encodeIntoByteBuffer and valueFromIndex); the value is a slot's lowest.
function valuesOf({ histogram }) {
  const outer = Buffer.from(histogram, 'base64');
  assert.equal(outer.readInt32BE(0) & cookieMask, compressedCookie & cookieMask);
  const inner = inflateSync(outer.subarray(8, 8 + outer.readInt32BE(4)));
  assert.equal(inner.readInt32BE(0) & cookieMask, plainCookie & cookieMask);
  const digits = inner.readInt32BE(12);
  const lowest = Number(inner.readBigInt64BE(16));
  const unit = 2 ** Math.floor(Math.log2(lowest));
  const half = 2 ** (Math.ceil(Math.log2(2 * 10 ** digits)) - 1);
  const found = [];
  let index = 0;
  for (const number of numbersOf(inner.subarray(headerBytes, headerBytes + inner.readInt32BE(4)))) {
    if (number < 0) {
      index -= number; // so many slots are empty
      continue;
    }
    const bucket = Math.max(0, Math.floor(index / half) - 1);
    const value = (index - bucket * half) * 2 ** bucket * unit;
    if (number > 0) {
      found.push({ value, count: number });
    }
    index++;
  }
  return found;
}

const sum = (values) => values.reduce((total, { count }) => total + count, 0);

const countOf = (histogram) => sum(valuesOf(histogram));

// The result of a test, as `kubectl sonde export` gives it to the person.
async function resultOf(person, name) {
  const args = ['sonde', 'export', name, '--format', 'raw'];
  const { code, stdout, stderr } = await person.kubectl(args);
  assert.equal(code, 0, stderr);
  const result = JSON.parse(stdout);
  assert.equal(result.type, 'LoadResult');
  return result;
}

// When the share of responses that took so many µs, of all up to the end of a second, became
// larger than `share`: the end of that second, in ms since 1970.
function overAt(result, share, microseconds) {
  let slow = 0;
  let all = 0;
  for (const interval of result.intervals) {
    const values = valuesOf(interval);
    slow += sum(values.filter(({ value }) => value >= microseconds));
    all += sum(values);
    if (slow > share * all) {
      return (result.startMicroseconds + interval.end / 1000) / 1000;
    }
  }
  return undefined;
}

module.exports = { countOf, overAt, resultOf };
