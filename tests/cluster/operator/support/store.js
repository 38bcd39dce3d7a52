// SPDX-License-Identifier: Apache-2.0
'use strict';

// The store as whoever a token says: through the API server's proxy, or as its pods are reached.

const { ask, get } = require('./api.js');
const { podsOf } = require('./system.js');

const proxy = '/api/v1/namespaces/sonde-system/services/https:sonde-store:8443/proxy/api/v1';

// {status, text, json?}. The transport is the administrator's: the API server keeps its own
// Authorization to itself.
function askStore(method, path, { token, headers = {}, ...options } = {}) {
  const identity = token ? { 'sonde-authorization': `Bearer ${token}` } : {};
  return ask(method, `${proxy}/${path}`, { ...options, headers: { ...identity, ...headers } });
}

async function askStoreDirectly(method, path, { token, headers, ...options }) {
  const [pod] = await podsOf('sonde-store');
  const { data } = await get('Secret', 'sonde-system', 'sonde-store-tls');
  return ask(method, `/api/v1/${path}`, {
    ...options,
    headers: { authorization: `Bearer ${token}`, ...headers },
    server: `https://${pod.status.podIP}:8443`,
    connection: {
      ca: Buffer.from(data['ca.crt'], 'base64').toString(),
      servername: 'sonde-store.sonde-system.svc',
    },
  });
}

const artifactPath = (space, id) => `artifacts/${id}?namespace=${space.name}`;

module.exports = { artifactPath, askStore, askStoreDirectly };
