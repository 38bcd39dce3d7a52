// SPDX-License-Identifier: Apache-2.0
'use strict';

// The audit trail: who added which ephemeral containers to the pods of a namespace.

const { logLines } = require('./cluster.js');

// [{pod, user, code, names}] of the requests that were made to add some, in order.
async function attachments(namespace) {
  const words = ['"subresource":"ephemeralcontainers"', `"namespace":"${namespace}"`];
  const entries = (await logLines('audit', words)).map((line) => JSON.parse(line));
  return entries
    .filter(({ verb }) => verb === 'patch' || verb === 'update')
    .map((entry) => ({
      pod: entry.objectRef.name,
      user: entry.user.username,
      code: entry.responseStatus?.code,
      names: (entry.requestObject?.spec?.ephemeralContainers ?? []).map(({ name }) => name),
    }));
}

const succeeded = ({ code }) => code >= 200 && code <= 299;

module.exports = { attachments, succeeded };
