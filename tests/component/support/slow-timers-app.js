// SPDX-License-Identifier: Apache-2.0
'use strict';

// Between the moment in which Node.js has found that a timer is to be called and the call lies its
// `before` hook. Here that takes long for each timer which is not ours: what interrupts the thread
// meanwhile does so in the midst of Node's own timers.

const { createHook } = require('node:async_hooks');

const SPIN_MS = 400;
const others = new Set();
let own = true;

function spin() {
  const until = Date.now() + SPIN_MS;
  while (Date.now() < until) {
    Math.sqrt(until);
  }
}

createHook({
  init(id, type) {
    if (type === 'Timeout' && !own) {
      others.add(id);
    }
  },
  before(id) {
    if (others.has(id)) {
      spin();
    }
  },
}).enable();
setInterval(() => {}, 50);
own = false;
console.log('ready');
