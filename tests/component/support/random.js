// SPDX-License-Identifier: Apache-2.0
'use strict';

const { randomInt } = require('node:crypto');

// A repeatable generator (Mulberry32); its seed, SONDE_TEST_SEED or a new one, is printed.
class Random {
  constructor(seed = Number(process.env.SONDE_TEST_SEED ?? randomInt(2 ** 32))) {
    this.state = seed;
    console.log(`SONDE_TEST_SEED=${seed}`);
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  below(limit) {
    return this.next() % limit;
  }

  of(list) {
    return list[this.below(list.length)];
  }
}

module.exports = { Random };
