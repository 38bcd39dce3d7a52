// SPDX-License-Identifier: Apache-2.0
'use strict';

const { Sequelize } = require('sequelize');
const defineModels = require('./models');

// A socket path wins over a host and a port.
function connect(environment = process.env) {
  const sequelize = new Sequelize({
    dialect: 'mysql',
    host: environment.DB_HOST || '127.0.0.1',
    port: Number(environment.DB_PORT || 3306),
    username: environment.DB_USER || 'root',
    password: environment.DB_PASSWORD || '',
    database: environment.DB_NAME || 'clinic',
    dialectOptions: environment.DB_SOCKET ? { socketPath: environment.DB_SOCKET } : {},
    pool: { max: 10 },
    logging: false,
  });
  return { sequelize, ...defineModels(sequelize) };
}

module.exports = connect;
