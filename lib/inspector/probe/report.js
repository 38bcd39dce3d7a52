// SPDX-License-Identifier: Apache-2.0
// Part of the probe: Node.js's diagnostic report, without what it says of the environment, of
// addresses, and of secrets on the command line.
(function report(tools) {
  'use strict';
  const { load, alive } = tools;
  const { report: diagnostics } = load('process');
  const redacted = '[redacted]';
  const secretName =
    /pass(?:wd|word|phrase)?|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|auth|cookie|jwt|pwd|salt|signature/i;
  const userOfUrl = /([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi;
  const queryOfUrl = /([?&;]([^=&;\s]+)=)[^&;\s]+/g;
  const knownSecrets =
    /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}|\bsk[-_]\w[\w-]{15,}|\bBearer\s+\S+/g;

  function withoutSecrets(text) {
    return text
      .replace(userOfUrl, `$1${redacted}@`)
      .replace(queryOfUrl, (whole, head, name) => (secretName.test(name) ? head + redacted : whole))
      .replace(knownSecrets, redacted);
  }

  // "--token=x", "--token x", "TOKEN=x", and what is a secret wherever it stands.
  function argumentsWithoutSecrets(list) {
    let next = false;
    return list.map((value) => {
      const text = String(value);
      const isOption = text.startsWith('-');
      if (next && !isOption) {
        next = false;
        return redacted;
      }
      const [, name, assigned] = /^([^=\s]+)(=.*)?$/s.exec(text) ?? [];
      const secret = name !== undefined && secretName.test(name);
      next = secret && isOption && assigned === undefined;
      return secret && assigned !== undefined ? `${name}=${redacted}` : withoutSecrets(text);
    });
  }

  // Ports say what a socket is for; addresses say who.
  function portAlone(endpoint) {
    return endpoint && typeof endpoint === 'object' ? { port: endpoint.port } : endpoint;
  }

  function redact(document) {
    delete document.environmentVariables;
    const { header, javascriptStack } = document;
    if (header) {
      delete header.networkInterfaces;
      delete header.host;
      if (Array.isArray(header.commandLine)) {
        header.commandLine = argumentsWithoutSecrets(header.commandLine);
      }
    }
    if (javascriptStack) {
      delete javascriptStack.errorProperties;
    }
    for (const handle of document.libuv ?? []) {
      handle.localEndpoint = portAlone(handle.localEndpoint);
      handle.remoteEndpoint = portAlone(handle.remoteEndpoint);
    }
    for (const worker of document.workers ?? []) {
      redact(worker);
    }
    return document;
  }

  // The names of addresses are asked for one by one while everything waits, where that cannot be
  // switched off: then only without connections.
  function mayBlock() {
    const connected = (handle) => {
      const address = handle?.remoteAddress;
      return typeof address === 'string' && !/^(?:::ffff:)?127\.|^::1$/.test(address);
    };
    return !('excludeNetwork' in diagnostics) && load('process')._getActiveHandles().some(connected);
  }

  return {
    report() {
      if (alive().gone || !diagnostics) {
        throw new Error('it has none');
      }
      if (mayBlock()) {
        throw new Error('this version of Node.js would look up the name of each peer, and wait');
      }
      const before = { network: diagnostics.excludeNetwork, env: diagnostics.excludeEnv };
      try {
        diagnostics.excludeNetwork = true;
        if ('excludeEnv' in diagnostics) {
          diagnostics.excludeEnv = true;
        }
        return redact(diagnostics.getReport());
      } finally {
        if (before.network === undefined) {
          delete diagnostics.excludeNetwork;
        } else {
          diagnostics.excludeNetwork = before.network;
        }
        if (before.env !== undefined) {
          diagnostics.excludeEnv = before.env;
        }
      }
    },
  };
})
