// SPDX-License-Identifier: Apache-2.0
'use strict';

const express = require('express');

const routes = {
  '/patients': require('./routes/patients'),
  '/visits': require('./routes/visits'),
  '/dashboard': require('./routes/dashboard'),
  '/export': require('./routes/export'),
  '/notes': require('./routes/notes'),
  '/sessions': require('./routes/sessions'),
  '/reports': require('./routes/reports'),
};

function createApp(models) {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => response.json({ status: 'ok' }));
  for (const [path, createRouter] of Object.entries(routes)) {
    app.use(path, createRouter(models));
  }
  app.use((_request, response) => response.status(404).json({ error: 'not found' }));
  app.use((error, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    console.error(`patients: ${request.method} ${request.path}: ${error.message}`);
    response.status(500).json({ error: 'internal error' });
  });
  return app;
}

module.exports = createApp;
