// SPDX-License-Identifier: Apache-2.0
'use strict';

const { DataTypes } = require('sequelize');

const required = (type) => ({ type, allowNull: false });

function defineModels(sequelize) {
  const options = { timestamps: false };

  const Doctor = sequelize.define(
    'doctor',
    { name: required(DataTypes.STRING(60)), specialty: required(DataTypes.STRING(40)) },
    options,
  );
  const Patient = sequelize.define(
    'patient',
    {
      firstName: required(DataTypes.STRING(40)),
      lastName: required(DataTypes.STRING(40)),
      birthDate: required(DataTypes.DATEONLY),
      city: required(DataTypes.STRING(40)),
      phone: required(DataTypes.STRING(20)),
      insurance: required(DataTypes.STRING(20)),
      history: required(DataTypes.TEXT),
    },
    { ...options, indexes: [{ fields: ['lastName', 'firstName'] }, { fields: ['city'] }] },
  );
  const Visit = sequelize.define(
    'visit',
    {
      date: required(DataTypes.DATEONLY),
      reason: required(DataTypes.STRING(60)),
      note: required(DataTypes.STRING(255)),
      minutes: required(DataTypes.INTEGER),
    },
    { ...options, indexes: [{ fields: ['reason'] }] },
  );
  const Prescription = sequelize.define(
    'prescription',
    { drug: required(DataTypes.STRING(40)), milligrams: required(DataTypes.INTEGER) },
    { ...options, indexes: [{ fields: ['drug'] }] },
  );

  Patient.hasMany(Visit);
  Visit.belongsTo(Patient);
  Doctor.hasMany(Visit);
  Visit.belongsTo(Doctor);
  Patient.hasMany(Prescription);
  Prescription.belongsTo(Patient);
  return { Doctor, Patient, Visit, Prescription };
}

module.exports = defineModels;
