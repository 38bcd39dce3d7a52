// SPDX-License-Identifier: Apache-2.0
'use strict';

const express = require('express');

const MOST_CHARACTERS = 22;
const EXAMPLE = 'feverAndCoughSince3Days!';

// Fault: nested repeats try every way to split the words (2^n steps). Twin: isTidyLinear.
function isTidyBacktracking(text) {
  return /^(\w+\s?)+$/.test(text);
}

function isTidyLinear(text) {
  return /^\w+(?:\s\w+)*\s?$/.test(text);
}

function createRouter() {
  const check = (isTidy) =>
    function checkNote(request, response) {
      const text = String(request.query.text ?? EXAMPLE);
      // The end is kept: it is what makes the text untidy.
      response.json({ text, tidy: isTidy(text.slice(-MOST_CHARACTERS)) });
    };

  return express
    .Router()
    .get('/backtracking', check(isTidyBacktracking))
    .get('/linear', check(isTidyLinear));
}

module.exports = createRouter;
