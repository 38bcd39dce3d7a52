// SPDX-License-Identifier: Apache-2.0
'use strict';

const { setTimeout: delay } = require('node:timers/promises');

const pause = 50;

// Waits until condition() gives something true, and returns it. For what cannot be watched.
async function until(condition, seconds, what) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${seconds} s in vain until ${what}`);
    }
    await delay(pause);
  }
}

module.exports = { until };
