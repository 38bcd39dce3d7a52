// SPDX-License-Identifier: Apache-2.0
'use strict';

// node --require slower.js SCRIPT: a build of a service that is slower by SLOWER_PERCENT. Each
// answer is held back for this share of what the fastest of the last answers took (a share of its
// own time would add up, once answers wait for each other): by work on the event loop, or with
// SLOWER_BY=waiting as one more query would.

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

// Timers know whole milliseconds: the fraction is drawn.
function waitFor(milliseconds, then) {
  setTimeout(then, Math.floor(milliseconds + Math.random()));
}

function holdBack(milliseconds, then) {
  if (process.env.SLOWER_BY === 'waiting' && milliseconds > 0) {
    waitFor(milliseconds, then);
  } else {
    workFor(milliseconds);
    then();
  }
}

diagnostics.subscribe('http.server.request.start', ({ response }) => {
  const begun = performance.now();
  const end = response.end.bind(response);
  response.end = (...content) => {
    taken.push(performance.now() - begun);
    taken.splice(0, taken.length - LAST);
    holdBack(share * Math.min(...taken), () => end(...content));
    return response;
  };
});
