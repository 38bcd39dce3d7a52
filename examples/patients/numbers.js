// SPDX-License-Identifier: Apache-2.0
'use strict';

// A whole number from a query or a path, or the default when it is missing or out of range.
function wholeNumber(text, { least, most, otherwise }) {
  const number = Number(text);
  return text !== undefined && Number.isInteger(number) && number >= least && number <= most
    ? number
    : otherwise;
}

module.exports = wholeNumber;
