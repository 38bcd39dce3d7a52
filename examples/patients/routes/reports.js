// SPDX-License-Identifier: Apache-2.0
'use strict';

const express = require('express');
const wholeNumber = require('../numbers');

const MOST_CACHED = 100;

class PatientReport {
  constructor(patient, visits) {
    this.patient = patient;
    this.visits = visits;
    this.minutes = visits.reduce((sum, visit) => sum + visit.minutes, 0);
  }
}

function createRouter({ Patient, Visit }) {
  const everyReport = new Map();
  const recentReports = new Map();

  async function createReport(id) {
    const [patient, visits] = await Promise.all([
      Patient.findByPk(id, { raw: true }),
      Visit.findAll({ where: { patientId: id }, order: [['id', 'ASC']], raw: true }),
    ]);
    return new PatientReport(patient, visits);
  }

  // Fault: the time in the key makes it never hit, and nothing is ever evicted. Twin: recall.
  async function rememberForever(id) {
    const key = `${id} ${process.hrtime.bigint()}`;
    if (!everyReport.has(key)) {
      everyReport.set(key, await createReport(id));
    }
    return everyReport.get(key);
  }

  async function recall(id) {
    const report = recentReports.get(id) ?? (await createReport(id));
    // A Map keeps the order of insertion: the least recently used is the first.
    recentReports.delete(id);
    recentReports.set(id, report);
    if (recentReports.size > MOST_CACHED) {
      recentReports.delete(recentReports.keys().next().value);
    }
    return report;
  }

  const show = (find) =>
    async function showReport(request, response) {
      const id = wholeNumber(request.query.patient, { least: 1, most: 2000, otherwise: 1 });
      response.json(await find(id));
    };

  return express.Router().get('/leaking', show(rememberForever)).get('/bounded', show(recall));
}

module.exports = createRouter;
