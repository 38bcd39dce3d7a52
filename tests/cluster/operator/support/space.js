// SPDX-License-Identifier: Apache-2.0
'use strict';

// A namespace for one test, and what is made in it.

const { randomBytes } = require('node:crypto');
const { call, create, list, patch, pathOf, remove, watch } = require('./api.js');
const { container, podReady, podSpec } = require('./pods.js');

const accountSeconds = 30;
const replicasSeconds = 120;
const rbac = 'rbac.authorization.k8s.io';
const podSecurity = 'pod-security.kubernetes.io/enforce';
// By this the runner finds what an interrupted run of the tests has left.
const mark = { 'tests.sonde.dev/part': 'operator' };

class Space {
  // `level` is that of Pod Security, which is enforced in it.
  static async make(t, level = 'restricted') {
    const name = `case-${randomBytes(4).toString('hex')}`;
    const labels = { ...mark, [podSecurity]: level };
    await create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    const space = new Space(name);
    t.after(() => space.remove());
    t.diagnostic(`namespace ${name}`);
    await watch('ServiceAccount', name, 'default', (found) => found, accountSeconds, 'exists');
    return space;
  }

  constructor(name) {
    this.name = name;
  }

  remove() {
    return remove('Namespace', undefined, this.name);
  }

  enforce(level) {
    const labels = { [podSecurity]: level };
    return patch('Namespace', undefined, this.name, { metadata: { labels } });
  }

  create(apiVersion, kind, name, rest) {
    return create({ apiVersion, kind, metadata: { name, namespace: this.name }, ...rest });
  }

  // A pod that is ready. Without containers, it is that of container().
  async pod(name = 'target', containers = [container()], more = {}) {
    await this.create('v1', 'Pod', name, { spec: podSpec(containers, more) });
    return podReady(this.name, name);
  }

  workload(kind, name, replicas, containers, more) {
    const labels = { app: name };
    return this.create('apps/v1', kind, name, {
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec(containers, more) },
        ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      },
    });
  }

  // The pods of a Deployment, all of them ready and spread over the nodes; `more` is put over their
  // spec.
  async deployment(name, replicas, containers = [container()], more = {}) {
    const spread = {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: { app: name } },
        },
      ],
    };
    await this.workload('Deployment', name, replicas, containers, { ...spread, ...more });
    return this.pods('Deployment', name, replicas);
  }

  async pods(kind, name, replicas) {
    const done = ({ status } = { status: {} }) => status.readyReplicas === replicas;
    await watch(kind, this.name, name, done, replicasSeconds, `has ${replicas} ready`);
    return list('Pod', this.name, `labelSelector=app%3D${name}`);
  }

  // A StatefulSet of one; gives its pod.
  async statefulSet(name, containers = [container()]) {
    await this.workload('StatefulSet', name, 1, containers);
    return podReady(this.name, `${name}-0`);
  }

  delete(kind, name, object) {
    return remove(kind, this.name, name, object);
  }

  // Ends a pod without waiting for it, as one that has died.
  deleteAtOnce(name) {
    return this.delete('Pod', name, { gracePeriodSeconds: 0 });
  }

  account(name) {
    return this.create('v1', 'ServiceAccount', name, {});
  }

  // A token of an account, for the API server or for these audiences.
  async token(account, ...audiences) {
    const path = `${pathOf('ServiceAccount', this.name, account)}/token`;
    const object = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 3600, ...(audiences.length > 0 ? { audiences } : {}) },
    };
    return (await call('POST', path, { object })).status.token;
  }

  // Gives an account, which may be another namespace's, a role of the cluster by its name, or the
  // right of a rule, in this namespace.
  async allow(account, may, namespace = this.name) {
    const name = `${account}-${randomBytes(4).toString('hex')}`;
    const isRole = typeof may === 'string';
    if (!isRole) {
      await this.create(`${rbac}/v1`, 'Role', name, { rules: [may] });
    }
    const roleRef = { kind: isRole ? 'ClusterRole' : 'Role', name: isRole ? may : name };
    await this.create(`${rbac}/v1`, 'RoleBinding', name, {
      roleRef: { apiGroup: rbac, ...roleRef },
      subjects: [{ kind: 'ServiceAccount', namespace, name: account }],
    });
  }
}

module.exports = { Space, mark };
