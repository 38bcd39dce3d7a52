// SPDX-License-Identifier: Apache-2.0
'use strict';

const express = require('express');

const ROWS = 300;
const HIDDEN = ['phone', 'insurance', 'history'];
const SHOWN = ['id', 'firstName', 'lastName', 'birthDate', 'city'];

function createRouter({ Patient }) {
  const page = { order: [['id', 'ASC']], limit: ROWS, raw: true };

  // Fault: copies every record through JSON for each field it hides. Twin: exportPicked.
  function hideByCopying(records) {
    let copies = records;
    for (const field of HIDDEN) {
      copies = copies.map(function copyWithout(record) {
        const copy = JSON.parse(JSON.stringify(record));
        delete copy[field];
        return copy;
      });
    }
    return copies;
  }

  async function exportCopied(_request, response) {
    response.json(hideByCopying(await Patient.findAll(page)));
  }

  async function exportPicked(_request, response) {
    response.json(await Patient.findAll({ ...page, attributes: SHOWN }));
  }

  return express.Router().get('/copied', exportCopied).get('/picked', exportPicked);
}

module.exports = createRouter;
