// SPDX-License-Identifier: Apache-2.0
'use strict';

// The API server, as the administrator or with a token: requests and watches.

const https = require('node:https');
const { setTimeout: delay } = require('node:timers/promises');
const { administrator } = require('./cluster.js');

const requestSeconds = 30;
const againMilliseconds = 200;
const agent = new https.Agent({ keepAlive: true, maxSockets: 256 });

// Where the objects of a kind are.
const kinds = {
  ClusterRole: ['/apis/rbac.authorization.k8s.io/v1', 'clusterroles'],
  ClusterRoleBinding: ['/apis/rbac.authorization.k8s.io/v1', 'clusterrolebindings'],
  ConfigMap: ['/api/v1', 'configmaps'],
  DaemonSet: ['/apis/apps/v1', 'daemonsets'],
  Deployment: ['/apis/apps/v1', 'deployments'],
  Event: ['/apis/events.k8s.io/v1', 'events'],
  Job: ['/apis/batch/v1', 'jobs'],
  Lease: ['/apis/coordination.k8s.io/v1', 'leases'],
  LoadTest: ['/apis/sonde.dev/v1alpha1', 'loadtests'],
  LoadTestSchedule: ['/apis/sonde.dev/v1alpha1', 'loadtestschedules'],
  Namespace: ['/api/v1', 'namespaces'],
  Node: ['/api/v1', 'nodes'],
  PersistentVolume: ['/api/v1', 'persistentvolumes'],
  PersistentVolumeClaim: ['/api/v1', 'persistentvolumeclaims'],
  Pod: ['/api/v1', 'pods'],
  PriorityClass: ['/apis/scheduling.k8s.io/v1', 'priorityclasses'],
  ProfileRun: ['/apis/sonde.dev/v1alpha1', 'profileruns'],
  ProfileSchedule: ['/apis/sonde.dev/v1alpha1', 'profileschedules'],
  ReplicaSet: ['/apis/apps/v1', 'replicasets'],
  ResourceQuota: ['/api/v1', 'resourcequotas'],
  Role: ['/apis/rbac.authorization.k8s.io/v1', 'roles'],
  RoleBinding: ['/apis/rbac.authorization.k8s.io/v1', 'rolebindings'],
  Secret: ['/api/v1', 'secrets'],
  Service: ['/api/v1', 'services'],
  ServiceAccount: ['/api/v1', 'serviceaccounts'],
  StatefulSet: ['/apis/apps/v1', 'statefulsets'],
};

// The path of a kind's objects, or of one of them.
function pathOf(kind, namespace, name) {
  const [group, plural] = kinds[kind];
  const where = namespace ? `/namespaces/${namespace}` : '';
  return `${group}${where}/${plural}${name ? `/${name}` : ''}`;
}

// Of another server `connection` says whom to trust and what its name is.
async function open(method, path, { body, type = 'application/json', ...options } = {}) {
  const admin = await administrator();
  const { headers, token, server = admin.server, connection } = options;
  const { ca, cert, key } = admin;
  const own = { agent, ca, ...(token ? {} : { cert, key }) };
  return new Promise((resolve, reject) => {
    const request = https.request(`${server}${path}`, {
      method,
      ...(connection ?? own),
      headers: {
        accept: 'application/json',
        ...(body ? { 'content-type': type, 'content-length': Buffer.byteLength(body) } : {}),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
    });
    request.setTimeout(requestSeconds * 1000, () => request.destroy(new Error('no answer')));
    request.on('response', resolve);
    request.on('error', (error) => reject(new Error(`${method} ${path}: ${error.message}`)));
    request.end(body);
  });
}

// {status, text, json?}: whatever the answer is.
async function ask(method, path, { object, ...options } = {}) {
  const body = object ? JSON.stringify(object) : undefined;
  const response = await open(method, path, { body, ...options });
  const parts = [];
  for await (const part of response) {
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString();
  const isJson = response.headers['content-type']?.startsWith('application/json');
  return {
    status: response.statusCode,
    text,
    get json() {
      return isJson && text ? JSON.parse(text) : undefined;
    },
  };
}

// The object that was answered. Anything but success is an error; `missing` is given for a 404.
async function call(method, path, options = {}) {
  const { status, text, json } = await ask(method, path, options);
  if (status === 404 && 'missing' in options) {
    return options.missing;
  }
  if (status < 200 || status > 299) {
    throw new Error(`${method} ${path}: ${status} ${text}`);
  }
  return json;
}

const get = (kind, namespace, name) =>
  call('GET', pathOf(kind, namespace, name), { missing: undefined });

async function list(kind, namespace, query = '') {
  return (await call('GET', `${pathOf(kind, namespace)}?${query}`)).items;
}

function create(object) {
  const path = pathOf(object.kind, object.metadata.namespace);
  return call('POST', path, { object });
}

function remove(kind, namespace, name, object) {
  return call('DELETE', pathOf(kind, namespace, name), { object, missing: undefined });
}

// Changes an object, or a part of it that has a path of its own, by a JSON merge patch.
function patch(kind, namespace, name, object, part = '') {
  const type = 'application/merge-patch+json';
  return call('PATCH', `${pathOf(kind, namespace, name)}${part}`, { object, type });
}

// The lines of a stream. (Those of readline never end when the stream is destroyed.)
async function* linesOf(stream) {
  let rest = '';
  for await (const part of stream.setEncoding('utf8')) {
    const lines = (rest + part).split('\n');
    rest = lines.pop();
    yield* lines;
  }
}

// One list and one watch of an object: the first true value of done(object), which is called with
// undefined when there is none; undefined when the watch ended before.
async function watchOnce(path, name, done, end) {
  const only = `fieldSelector=metadata.name%3D${name}`;
  const { items, metadata } = await call('GET', `${path}?${only}`);
  const first = done(items[0]);
  if (first) {
    return first;
  }
  const from = `resourceVersion=${metadata.resourceVersion}`;
  const response = await open('GET', `${path}?watch=true&${from}&${only}`);
  // As long as the whole wait, and not that of a request.
  response.socket.setTimeout(0);
  const timer = setTimeout(() => response.destroy(), end - Date.now());
  try {
    for await (const line of linesOf(response)) {
      const { type, object } = JSON.parse(line);
      if (type === 'ERROR' || response.statusCode !== 200) {
        return undefined;
      }
      const value = done(type === 'DELETED' ? undefined : object);
      if (value) {
        return value;
      }
    }
  } finally {
    clearTimeout(timer);
    response.destroy();
  }
  return undefined;
}

// Waits until done(object) is true, which is called with undefined when there is none, and returns
// that value. The API server may come and go meanwhile.
async function watch(kind, namespace, name, done, seconds, what) {
  const end = Date.now() + seconds * 1000;
  let last = 'nothing was seen of it';
  const look = (object) => {
    last = object ? JSON.stringify(object.status ?? object.metadata) : 'it does not exist';
    return done(object);
  };
  while (Date.now() < end) {
    try {
      const found = await watchOnce(pathOf(kind, namespace), name, look, end);
      if (found) {
        return found;
      }
    } catch (error) {
      last = `${error.message}; before that: ${last}`.slice(0, 2000);
    }
    await delay(againMilliseconds);
  }
  throw new Error(`waited ${seconds} s in vain until ${kind} ${name} ${what}: ${last}`);
}

module.exports = { ask, call, create, get, list, patch, pathOf, remove, watch };
