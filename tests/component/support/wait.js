// SPDX-License-Identifier: Apache-2.0
'use strict';

const { setTimeout: delay } = require('node:timers/promises');

// Waits until condition() gives something true, and returns it; asked every few milliseconds.
async function until(condition, milliseconds, what) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${milliseconds} ms in vain for ${what}`);
    }
    await delay(10);
  }
}

module.exports = { until };
