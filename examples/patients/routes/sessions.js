// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('node:crypto');
const { promisify } = require('node:util');
const express = require('express');

const ITERATIONS = 50000;
const BYTES = 32;
const SALT = 'one salt, for the example only';

const pbkdf2 = promisify(crypto.pbkdf2);

// Fault: hashes on the event loop, so that every other request waits. Twin: hashInPool.
function hashOnLoop(pin) {
  return crypto.pbkdf2Sync(pin, SALT, ITERATIONS, BYTES, 'sha256');
}

function hashInPool(pin) {
  return pbkdf2(pin, SALT, ITERATIONS, BYTES, 'sha256');
}

function createRouter() {
  const signIn = (hash) =>
    async function startSession(request, response) {
      const key = await hash(String(request.query.pin ?? '1234'));
      response.json({ session: key.toString('hex') });
    };

  return express.Router().get('/sync', signIn(hashOnLoop)).get('/async', signIn(hashInPool));
}

module.exports = createRouter;
