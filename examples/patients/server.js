// SPDX-License-Identifier: Apache-2.0
'use strict';

const connect = require('./database');
const createApp = require('./app');

const GRACE_MS = 2000;

const database = connect();
const server = createApp(database).listen(
  Number(process.env.PORT || 0),
  process.env.HOST || '127.0.0.1',
  function announce(error) {
    if (error) {
      console.error(`patients: cannot listen: ${error.message}`);
      process.exit(1);
    }
    const { address, port } = server.address();
    console.log(`patients: listening on http://${address}:${port}`);
  },
);

function shutDown() {
  server.close(() => database.sequelize.close());
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), GRACE_MS).unref();
}

process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
