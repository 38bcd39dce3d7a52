// SPDX-License-Identifier: Apache-2.0
'use strict';

const connect = require('./database');

const COUNTS = { doctors: 60, patients: 2000, visits: 20000, prescriptions: 12000 };
const CHUNK = 1000;
const SEED = 20240229;

const FIRST_NAMES = 'Ada Ben Chloe Dario Elif Farid Grace Hugo Ines Jonas Kira Liam Mina Noah Olga';
const LAST_NAMES =
  'Abbott Baker Clark Diaz Evans Fischer Garcia Hughes Ito Jones Keller Smith Novak';
const CITIES = 'Aberdeen Bristol Cardiff Derby Exeter Falmouth Glasgow Hull Ipswich';
const SPECIALTIES = 'cardiology dermatology neurology oncology paediatrics radiology';
const REASONS = 'cough fever headache injury rash vaccination check-up fatigue insomnia';
const DRUGS = 'amoxicillin ibuprofen lisinopril metformin omeprazole paracetamol sertraline';
const WORDS =
  'patient reports mild pain since last week no allergies rest fluids follow up advised';

// Mulberry32: the same data on every machine.
function createRandom(seed) {
  let state = seed;
  return function random() {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = createRandom(SEED);
const below = (limit) => Math.floor(random() * limit);
const oneOf = (words) => {
  const list = words.split(' ');
  return list[below(list.length)];
};
const sentence = (length) => Array.from({ length }, () => oneOf(WORDS)).join(' ');
const date = (firstYear, years) => {
  const two = (number) => String(number).padStart(2, '0');
  return `${firstYear + below(years)}-${two(1 + below(12))}-${two(1 + below(28))}`;
};

const makers = {
  doctors: () => ({
    name: `Dr ${oneOf(FIRST_NAMES)} ${oneOf(LAST_NAMES)}`,
    specialty: oneOf(SPECIALTIES),
  }),
  patients: () => ({
    firstName: oneOf(FIRST_NAMES),
    lastName: oneOf(LAST_NAMES),
    birthDate: date(1930, 90),
    city: oneOf(CITIES),
    phone: `+44 ${1000000000 + below(900000000)}`,
    insurance: `NHS-${100000 + below(900000)}`,
    history: sentence(60),
  }),
  visits: () => ({
    date: date(2019, 6),
    reason: oneOf(REASONS),
    note: sentence(20),
    minutes: 5 + below(56),
    patientId: 1 + below(COUNTS.patients),
    doctorId: 1 + below(COUNTS.doctors),
  }),
  prescriptions: () => ({
    drug: oneOf(DRUGS),
    milligrams: 50 * (1 + below(20)),
    patientId: 1 + below(COUNTS.patients),
  }),
};

async function insert(model, count, make, transaction) {
  for (let done = 0; done < count; done += CHUNK) {
    const rows = Array.from({ length: Math.min(CHUNK, count - done) }, make);
    await model.bulkCreate(rows, { transaction });
  }
}

async function isSeeded({ sequelize, Prescription }) {
  const tables = await sequelize.getQueryInterface().showAllTables();
  return tables.includes('prescriptions') && (await Prescription.count()) === COUNTS.prescriptions;
}

async function createDatabase() {
  const name = process.env.DB_NAME || 'clinic';
  const { sequelize } = connect({ ...process.env, DB_NAME: 'mysql' });
  await sequelize.query(`CREATE DATABASE IF NOT EXISTS \`${name}\` CHARACTER SET utf8mb4`);
  await sequelize.close();
}

async function seed() {
  await createDatabase();
  const { sequelize, ...models } = connect();
  if (!(await isSeeded({ sequelize, ...models }))) {
    await sequelize.sync({ force: true });
    await sequelize.transaction(async (transaction) => {
      await insert(models.Doctor, COUNTS.doctors, makers.doctors, transaction);
      await insert(models.Patient, COUNTS.patients, makers.patients, transaction);
      await insert(models.Visit, COUNTS.visits, makers.visits, transaction);
      await insert(models.Prescription, COUNTS.prescriptions, makers.prescriptions, transaction);
    });
    // Without statistics the joins would not use the indexes.
    await sequelize.query('ANALYZE TABLE doctors, patients, visits, prescriptions');
  }
  await sequelize.close();
}

seed().catch((error) => {
  console.error(`patients: cannot seed the database: ${error.message}`);
  process.exitCode = 1;
});
