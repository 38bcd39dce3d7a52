// SPDX-License-Identifier: Apache-2.0
'use strict';

// node --require slower.js SCRIPT: a build of a service that is slower by SLOWER_PERCENT. Each
// answer is held back by work on the event loop, for this share of what the fastest of the last
// answers took: a share of its own time would add up, once answers wait for each other.

const diagnostics = require('node:diagnostics_channel');
const { performance } = require('node:perf_hooks');

const share = Number(process.env.SLOWER_PERCENT || 0) / 100;
const LAST = 100;
const taken = [];

function workFor(milliseconds) {
  const until = performance.now() + milliseconds;
  let now;
  do {
    now = performance.now();
  } while (now < until);
}

diagnostics.subscribe('http.server.request.start', ({ response }) => {
  const begun = performance.now();
  const end = response.end.bind(response);
  response.end = (...content) => {
    taken.push(performance.now() - begun);
    taken.splice(0, taken.length - LAST);
    workFor(share * Math.min(...taken));
    return end(...content);
  };
});
