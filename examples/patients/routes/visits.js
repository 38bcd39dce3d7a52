// SPDX-License-Identifier: Apache-2.0
'use strict';

const express = require('express');

const LATEST = 30;

function createRouter({ Visit, Doctor }) {
  const latest = () => Visit.findAll({ order: [['id', 'DESC']], limit: LATEST, raw: true });
  const withDoctors = (visits, doctors) =>
    visits.map((visit) => ({ ...visit, doctor: doctors.get(visit.doctorId) }));

  // Fault: a query for each visit, often for the same doctor again. Twin: findDoctorsAtOnce.
  async function findDoctorsInLoop(visits) {
    const doctors = new Map();
    for (const visit of visits) {
      doctors.set(visit.doctorId, await Doctor.findByPk(visit.doctorId, { raw: true }));
    }
    return doctors;
  }

  async function findDoctorsAtOnce(visits) {
    const id = [...new Set(visits.map((visit) => visit.doctorId))];
    const doctors = await Doctor.findAll({ where: { id }, raw: true });
    return new Map(doctors.map((doctor) => [doctor.id, doctor]));
  }

  const show = (findDoctors) =>
    async function showVisits(_request, response) {
      const visits = await latest();
      response.json(withDoctors(visits, await findDoctors(visits)));
    };

  return express
    .Router()
    .get('/loop', show(findDoctorsInLoop))
    .get('/batch', show(findDoctorsAtOnce));
}

module.exports = createRouter;
