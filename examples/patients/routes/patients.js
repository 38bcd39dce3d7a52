// SPDX-License-Identifier: Apache-2.0
'use strict';

const express = require('express');
const { Op } = require('sequelize');
const wholeNumber = require('../numbers');

const PAGE = 20;
const SHOWN = ['id', 'firstName', 'lastName', 'city'];
const VISIT_SHOWN = ['id', 'patientId', 'date', 'reason'];
const BY_ID = [['id', 'ASC']];
const MOST = Number.MAX_SAFE_INTEGER;

function pageOf(request) {
  const page = wholeNumber(request.query.page, { least: 1, most: 1e6, otherwise: 1 });
  return { limit: PAGE, offset: (page - 1) * PAGE, order: BY_ID };
}

function createRouter({ Patient, Visit, Prescription }) {
  const visitList = { attributes: VISIT_SHOWN, order: BY_ID };

  async function search(request, response) {
    const { rows, count } = await Patient.findAndCountAll({
      ...pageOf(request),
      where: request.query.q ? { lastName: { [Op.startsWith]: String(request.query.q) } } : {},
      attributes: SHOWN,
    });
    response.json({ total: count, patients: rows });
  }

  // Fault: one query for the page, then one more for each of its rows (N+1). Twin: loadJoined.
  async function loadVisits(page) {
    const patients = await Patient.findAll({ ...page, attributes: SHOWN });
    for (const patient of patients) {
      const visits = await patient.getVisits(visitList);
      patient.setDataValue('visits', visits);
    }
    return patients;
  }

  async function loadJoined(page) {
    return Patient.findAll({
      ...page,
      attributes: SHOWN,
      include: [{ model: Visit, attributes: VISIT_SHOWN }],
      order: [
        ['id', 'ASC'],
        [Visit, 'id', 'ASC'],
      ],
    });
  }

  // Fault: two lists in one join give visits × prescriptions rows. Twin: loadSeparately.
  async function loadCrossed(page) {
    return Patient.findAll({
      ...page,
      attributes: SHOWN,
      include: [{ model: Visit, attributes: VISIT_SHOWN }, Prescription],
      order: [
        ['id', 'ASC'],
        [Visit, 'id', 'ASC'],
        [Prescription, 'id', 'ASC'],
      ],
    });
  }

  async function loadSeparately(page) {
    return Patient.findAll({
      ...page,
      attributes: SHOWN,
      include: [
        { model: Visit, separate: true, ...visitList },
        { model: Prescription, separate: true, order: BY_ID },
      ],
    });
  }

  const list = (load) =>
    async function listPatients(request, response) {
      response.json(await load(pageOf(request)));
    };

  async function findOne(request, response) {
    const id = wholeNumber(request.params.id, { least: 1, most: MOST, otherwise: 0 });
    const patient = id && (await Patient.findByPk(id, { include: [Visit] }));
    if (patient) {
      response.json(patient);
    } else {
      response.status(404).json({ error: 'no such patient' });
    }
  }

  return express
    .Router()
    .get('/', search)
    .get('/nplus1', list(loadVisits))
    .get('/joined', list(loadJoined))
    .get('/crossed', list(loadCrossed))
    .get('/separate', list(loadSeparately))
    .get('/:id', findOne);
}

module.exports = createRouter;
