// SPDX-License-Identifier: Apache-2.0
'use strict';

// The store, through the API server's proxy, as whoever a token says.

const { ask } = require('./api.js');

const proxy = '/api/v1/namespaces/sonde-system/services/https:sonde-store:8443/proxy/api/v1';

// {status, text, json?}. The transport is the administrator's: the API server keeps its own
// Authorization to itself.
function askStore(method, path, { token, headers = {}, ...options } = {}) {
  const identity = token ? { 'sonde-authorization': `Bearer ${token}` } : {};
  return ask(method, `${proxy}/${path}`, { ...options, headers: { ...identity, ...headers } });
}

const artifactPath = (space, id) => `artifacts/${id}?namespace=${space.name}`;

module.exports = { artifactPath, askStore };
