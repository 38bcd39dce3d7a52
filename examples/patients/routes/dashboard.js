// SPDX-License-Identifier: Apache-2.0
'use strict';

const express = require('express');
const { fn, col } = require('sequelize');

const LATEST = 10;

function createRouter({ Patient, Visit, Prescription, Doctor }) {
  const countBy = (model, column) =>
    model.findAll({
      attributes: [column, [fn('COUNT', col('id')), 'count']],
      group: column,
      order: [[column, 'ASC']],
      raw: true,
    });
  const latestVisits = () => Visit.findAll({ order: [['id', 'DESC']], limit: LATEST, raw: true });

  // Fault: five queries that need nothing of each other wait in line. Twin: loadTogether.
  async function loadInSequence() {
    const cities = await countBy(Patient, 'city');
    const reasons = await countBy(Visit, 'reason');
    const drugs = await countBy(Prescription, 'drug');
    const specialties = await countBy(Doctor, 'specialty');
    const latest = await latestVisits();
    return { cities, reasons, drugs, specialties, latest };
  }

  async function loadTogether() {
    const [cities, reasons, drugs, specialties, latest] = await Promise.all([
      countBy(Patient, 'city'),
      countBy(Visit, 'reason'),
      countBy(Prescription, 'drug'),
      countBy(Doctor, 'specialty'),
      latestVisits(),
    ]);
    return { cities, reasons, drugs, specialties, latest };
  }

  const show = (load) =>
    async function showDashboard(_request, response) {
      response.json(await load());
    };

  return express
    .Router()
    .get('/sequence', show(loadInSequence))
    .get('/together', show(loadTogether));
}

module.exports = createRouter;
