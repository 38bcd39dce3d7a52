// SPDX-License-Identifier: Apache-2.0
'use strict';

// The little of an API server that `kubectl sonde` sees, with a store behind its service proxy. It
// notes every request, and the test says what is answered.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { temporary } = require('./sonde.js');

const runs = '/apis/sonde.dev/v1alpha1/namespaces/';
const proxy = '/api/v1/namespaces/sonde-system/services/https:sonde-store:8443/proxy/api/v1/';

function certificate(directory) {
  const file = (name) => path.join(directory, name);
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', file('key.pem'), '-out', file('ca.pem'), '-days', '2', '-subj', '/CN=api'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1'],
    ],
    { stdio: 'ignore' },
  );
  return { key: fs.readFileSync(file('key.pem')), cert: fs.readFileSync(file('ca.pem')) };
}

const kinds = {
  profileruns: 'ProfileRun',
  loadtests: 'LoadTest',
  profileschedules: 'ProfileSchedule',
  loadtestschedules: 'LoadTestSchedule',
};

// "namespace/name" of a ProfileRun, "loadtests/namespace/name" of what else there is.
function keyOf(plural, namespace, name) {
  return `${plural === 'profileruns' ? '' : `${plural}/`}${namespace}/${name}`;
}

function pluralOf(key) {
  return key.split('/').length === 2 ? 'profileruns' : key.split('/')[0];
}

class ApiServer {
  constructor(t) {
    this.directory = temporary(t);
    this.requests = []; // {method, path, query, headers, body}
    this.store = {}; // path behind /api/v1/ → (request) => [status, text]
    this.objects = new Map(); // by keyOf
    this.watches = []; // {plural, response}
    this.version = 1;
    this.uid = '11111111-2222-4333-8444-555555555555'; // of what is made
    this.behind = false; // lists are those of before the last change
    this.server = https.createServer(certificate(this.directory), (request, response) => {
      this.take(request, response);
    });
    t.after(() => {
      this.server.closeAllConnections();
      this.server.close();
    });
  }

  async start() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  // user: lines of the kubeconfig's user.
  kubeconfig(user = { token: 'the-token' }, namespace = 'clinic') {
    const file = path.join(this.directory, 'kubeconfig');
    const server = `https://127.0.0.1:${this.server.address().port}`;
    fs.writeFileSync(
      file,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'c',
        clusters: [{ name: 'c', cluster: { server, 'certificate-authority': 'ca.pem' } }],
        users: [{ name: 'u', user }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace } }],
      }),
    );
    return file;
  }

  // A certificate of its own as the user's.
  clientCertificate() {
    return { 'client-certificate': 'ca.pem', 'client-key': 'key.pem' };
  }

  asked(method, part) {
    return this.requests.filter((r) => r.method === method && r.path.includes(part));
  }

  async take(incoming, response) {
    const chunks = [];
    for await (const chunk of incoming) {
      chunks.push(chunk);
    }
    const url = new URL(incoming.url, 'https://h');
    const request = {
      method: incoming.method,
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString(),
    };
    this.requests.push(request);
    if (request.path.startsWith(proxy)) {
      this.answerStore(request, response);
    } else if (request.path.startsWith(runs) && request.query.get('watch')) {
      this.watch(request, response);
    } else if (request.path.endsWith('reviews')) {
      this.answerReview(request, response);
    } else {
      this.answerApi(request, response);
    }
  }

  // A real store behind the proxy, as one person.
  forward(service, token) {
    this.everything = async ({ method, path: whole, query, headers, body }) => {
      const where = `${whole.slice(proxy.length)}?${query}`;
      const accepted = headers['accept-encoding'];
      const more = accepted ? { 'Accept-Encoding': accepted } : {};
      const bytes = body ? Buffer.from(body) : undefined;
      const answer = await service.api(method, where, { token, headers: more, body: bytes });
      const kept = Object.entries(answer.headers).filter(([name]) =>
        /^(content-|sonde)/.test(name),
      );
      return [answer.status, answer.bytes, Object.fromEntries(kept)];
    };
  }

  async answerStore(request, response) {
    const handler = this.everything ?? this.store[request.path.slice(proxy.length)];
    const [status, body, headers] = handler
      ? await handler(request)
      : [404, JSON.stringify({ code: 'NotFound', message: 'there is no such run' })];
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(body);
  }

  send(response, status, object) {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(object));
  }

  status(response, code, reason, message) {
    this.send(response, code, { kind: 'Status', apiVersion: 'v1', code, reason, message });
  }

  // `review` says what a TokenReview or SubjectAccessReview of that spec has as its status.
  answerReview(request, response) {
    const { kind, spec } = JSON.parse(request.body);
    if (this.review) {
      this.send(response, 201, { kind, spec, status: this.review(kind, spec) });
    } else {
      this.status(response, 500, 'InternalError', 'no reviews today');
    }
  }

  answerApi(request, response) {
    const [namespace, plural, name] = request.path.slice(runs.length).split('/');
    const key = keyOf(plural, namespace, name);
    if (request.path.endsWith('/serviceaccounts/sonde-reader/token')) {
      this.send(response, 201, { kind: 'TokenRequest', status: { token: 'of-the-reader' } });
    } else if (!request.path.startsWith(runs)) {
      this.send(response, 200, { kind: 'Namespace', metadata: { name: 'sonde-system' } });
    } else if (this.denied && request.method === 'POST') {
      this.status(response, 403, 'Forbidden', this.denied);
    } else if (this.unseen === plural && request.method === 'GET') {
      this.status(response, 403, 'Forbidden', `you may not see ${plural}`);
    } else if (request.method === 'POST') {
      this.create(plural, namespace, JSON.parse(request.body), response);
    } else if (request.method === 'PATCH') {
      this.send(response, 200, this.put(key, JSON.parse(request.body)));
    } else if (request.method === 'DELETE') {
      this.objects.delete(key);
      this.send(response, 200, { kind: 'Status', apiVersion: 'v1', status: 'Success' });
    } else if (name) {
      this.get(key, response);
    } else {
      this.list(plural, namespace, request.query.get('fieldSelector'), response);
    }
  }

  get(key, response) {
    const object = this.objects.get(key);
    if (object) {
      this.send(response, 200, object);
    } else {
      this.status(response, 404, 'NotFound', `there is no ${key}`);
    }
  }

  list(plural, namespace, selector, response) {
    const wanted = selector ? keyOf(plural, namespace, selector.replace('metadata.name=', '')) : '';
    const version = this.behind ? this.version - 1 : this.version;
    const items = [...this.objects]
      .filter(([key]) => (wanted ? key === wanted : key.startsWith(keyOf(plural, namespace, ''))))
      .map(([, object]) => object)
      .filter((object) => Number(object.metadata.resourceVersion) <= version);
    const metadata = { resourceVersion: String(version) };
    this.send(response, 200, { kind: `${kinds[plural]}List`, metadata, items });
  }

  // Sets an object as it is, with a uid.
  put(key, object) {
    object.metadata.uid ??= this.uid;
    object.metadata.resourceVersion = String(++this.version);
    this.objects.set(key, object);
    return object;
  }

  create(plural, namespace, object, response) {
    const key = keyOf(plural, namespace, object.metadata.name);
    if (this.objects.has(key)) {
      this.status(response, 409, 'AlreadyExists', 'it already exists');
    } else {
      this.send(response, 201, this.put(key, object));
    }
  }

  // What has changed since the list is told first.
  watch(request, response) {
    const plural = request.path.split('/').at(-1);
    const since = Number(request.query.get('resourceVersion'));
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
    this.watches.push({ plural, response });
    for (const [key, object] of this.objects) {
      if (plural === pluralOf(key) && Number(object.metadata.resourceVersion) > since) {
        response.write(`${JSON.stringify({ type: 'MODIFIED', object })}\n`);
      }
    }
  }

  // Conditions: {Accepted: ['True', 'Accepted', ''], …}; told to those who watch.
  change(key, conditions) {
    const object = structuredClone(this.objects.get(key));
    object.metadata.resourceVersion = String(++this.version);
    object.status = {
      conditions: Object.entries(conditions).map(([type, [status, reason, message]]) => ({
        type,
        status,
        reason,
        message,
      })),
    };
    this.objects.set(key, object);
    this.tell('MODIFIED', key, object);
  }

  remove(key) {
    const object = this.objects.get(key);
    this.objects.delete(key);
    this.tell('DELETED', key, object);
  }

  tell(type, key, object) {
    for (const { plural, response } of this.watches) {
      if (plural === pluralOf(key)) {
        response.write(`${JSON.stringify({ type, object })}\n`);
      }
    }
  }
}

module.exports = { ApiServer };
