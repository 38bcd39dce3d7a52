// SPDX-License-Identifier: Apache-2.0
'use strict';

// People: service accounts with the rights that a test gives them, and a kubeconfig.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { administrator, file, kubectlAs } = require('./cluster.js');

// Single rights, for those who have less than a role of ours.
const rights = {
  artifacts: { apiGroups: ['sonde.dev'], resources: ['profileruns/artifacts'], verbs: ['get'] },
};

function kubeconfig(directory, { server, ca }, name, namespace, identity) {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'cluster',
        cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') },
      },
    ],
    users: [{ name, user: identity }],
    contexts: [{ name: 'person', context: { cluster: 'cluster', user: name, namespace } }],
    'current-context': 'person',
  };
  const made = path.join(directory, 'kubeconfig');
  fs.writeFileSync(made, JSON.stringify(config), { mode: 0o600 });
  return made;
}

// A directory of one's own, with the plugin of kubectl in it.
function home(t) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sonde-person-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const program = path.resolve(file(), process.env.SONDE_BIN ?? 'build/dev/bin/sonde');
  fs.symlinkSync(program, path.join(directory, 'kubectl-sonde'));
  return directory;
}

class Person {
  // Somebody with these roles of the cluster, or these single rights, in the namespace.
  static async make(t, space, name, ...may) {
    await space.account(name);
    for (const one of may) {
      await space.allow(name, one);
    }
    const token = await space.token(name);
    const directory = home(t);
    const config = kubeconfig(directory, await administrator(), name, space.name, { token });
    const user = `system:serviceaccount:${space.name}:${name}`;
    return new Person({ user, token, directory, config });
  }

  // The administrator, who has a certificate and no token.
  static async administrator(t, space) {
    const admin = await administrator();
    const encode = (text) => Buffer.from(text).toString('base64');
    const identity = {
      'client-certificate-data': encode(admin.cert),
      'client-key-data': encode(admin.key),
    };
    const directory = home(t);
    const config = kubeconfig(directory, admin, 'admin', space.name, identity);
    return new Person({ user: 'admin', directory, config });
  }

  constructor({ user, token, directory, config }) {
    Object.assign(this, { user, token, directory, config });
  }

  // kubectl as this person, with the plugin: {code, stdout, stderr}.
  kubectl(args, options = {}) {
    const env = {
      HOME: this.directory,
      KUBECONFIG: this.config,
      NO_PROXY: '*',
      PATH: `${this.directory}:${process.env.PATH}`,
    };
    return kubectlAs(args, { ...options, env });
  }

  apply(document) {
    return this.kubectl(['apply', '--filename', '-'], { input: document });
  }
}

module.exports = { Person, rights };
