// SPDX-License-Identifier: Apache-2.0
'use strict';

// A service that waits for others most of the time, and works a little: about 20 ms for a request,
// as widely spread as answers of a database are. SLOWER_PERCENT makes what it waits for, and one of
// its two functions, so much slower.

const http = require('node:http');
const { setTimeout: wait } = require('node:timers/promises');

const slower = 1 + Number(process.env.SLOWER_PERCENT || 0) / 100;
const MIDDLE_MS = 20;
const SPREAD = 0.25; // of the logarithm
const STEPS = 300000;

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

// Timers know whole milliseconds: the fraction is drawn.
function askDatabase() {
  return wait(Math.floor(MIDDLE_MS * slower * Math.exp(SPREAD * normal()) + Math.random()));
}

function workFor(steps) {
  let value = 1;
  for (let i = 0; i < steps; i++) {
    value = (Math.imul(value, 1103515245) + i) | 0;
  }
  return value;
}

function readVisits() {
  return workFor(STEPS * slower);
}

function renderPage() {
  return workFor(2 * STEPS);
}

const server = http.createServer(async (_request, response) => {
  await askDatabase();
  const visits = readVisits();
  response.end(JSON.stringify({ visits, page: renderPage() }));
});

server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
process.once('SIGTERM', () => process.exit(0));
