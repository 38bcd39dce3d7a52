// SPDX-License-Identifier: Apache-2.0
'use strict';

// As much of an API server as sonde-controller sees: objects with versions, lists and watches,
// conflicts, a status that is applied, and ephemeral containers that are added. The test plays
// kubelets and sidecars, and may answer a request itself (`answer`).

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const path = require('node:path');
const { ApiServer } = require('./api-server.js');
const { Store } = require('./service.js');
const { bin, start } = require('./sonde.js');
const { until } = require('./wait.js');

const program = path.join(path.dirname(bin), 'sonde-controller');
const namespace = 'clinic';
const where =
  /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/;
const now = () => new Date().toISOString().replace(/\.\d+/, '');

class Cluster extends ApiServer {
  constructor(t) {
    super(t);
    this.t = t;
    this.history = []; // {kind, version, type, object}
    this.answer = () => false; // (request, response) => whether it was answered
    this.allows = () => true; // (spec of a review) => whether the user may do it
  }

  // ---- what the test does ----

  key(kind, name, inside = namespace) {
    return `${kind}/${inside}/${name}`;
  }

  get(kind, name, inside) {
    return this.objects.get(this.key(kind, name, inside));
  }

  put(kind, object, type = 'MODIFIED') {
    const copy = structuredClone(object);
    copy.metadata.resourceVersion = String(++this.version);
    this.objects.set(this.key(kind, copy.metadata.name, copy.metadata.namespace), copy);
    this.record(kind, type, copy);
    return copy;
  }

  make(kind, metadata, rest) {
    const own = { namespace, uid: randomUUID(), generation: 1, creationTimestamp: now() };
    return this.put(kind, { ...rest, metadata: { ...own, ...metadata } }, 'ADDED');
  }

  change(kind, name, edit) {
    const copy = structuredClone(this.get(kind, name));
    edit(copy);
    return this.put(kind, copy);
  }

  drop(kind, name) {
    const object = this.get(kind, name);
    this.objects.delete(this.key(kind, name));
    object.metadata.resourceVersion = String(++this.version);
    this.record(kind, 'DELETED', object);
  }

  pod(name, { user = 1000, ready = 'True', node = 'node1' } = {}) {
    return this.make(
      'pods',
      { name, labels: { app: 'web' } },
      {
        ...{ apiVersion: 'v1', kind: 'Pod' },
        spec: {
          nodeName: node,
          containers: [{ name: 'app', securityContext: user ? { runAsUser: user } : {} }],
        },
        status: {
          phase: 'Running',
          conditions: [{ type: 'Ready', status: ready }],
          containerStatuses: [{ name: 'app', state: { running: { startedAt: now() } } }],
        },
      },
    );
  }

  run(name, { target = { podName: 'pod-a' }, metadata = {}, ...spec } = {}) {
    const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 5 }];
    return this.make(
      'profileruns',
      { name, ...metadata },
      {
        ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'ProfileRun' },
        spec: { target, captures, ...spec },
      },
    );
  }

  schedule(name, { target = { podName: 'pod-a' }, metadata = {}, ...spec } = {}) {
    const captures = [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 5 }];
    return this.make(
      'profileschedules',
      { name, annotations: { 'sonde.dev/requester': 'ann' }, ...metadata },
      {
        ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'ProfileSchedule' },
        spec: { schedule: '* * * * *', runTemplate: { spec: { target, captures } }, ...spec },
      },
    );
  }

  // One whose tests do not begin: they are paused.
  loadSchedule(name, { metadata = {}, ...spec } = {}) {
    const test = {
      target: { service: { name: 'web' } },
      scenario: { requests: [{ name: 'one', path: '/' }] },
      arrival: { rate: 10, durationSeconds: 10 },
      paused: true,
    };
    return this.make(
      'loadtestschedules',
      { name, annotations: { 'sonde.dev/requester': 'ann' }, ...metadata },
      {
        ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTestSchedule' },
        spec: { schedule: '* * * * *', testTemplate: { spec: test }, ...spec },
      },
    );
  }

  // A Service, with ready pods behind it.
  service(name, { pods = ['pod-a'], port = 80, ...spec } = {}) {
    const labels = { app: name };
    const selector = spec.externalName ? undefined : labels;
    const type = spec.externalName ? 'ExternalName' : 'ClusterIP';
    this.make(
      'services',
      { name },
      { spec: { type, selector, ports: [{ name: 'web', port }], ...spec } },
    );
    const endpoints = pods.map((pod, index) => ({
      ...{ addresses: [`10.1.0.${index + 1}`], conditions: { ready: true } },
      targetRef: { kind: 'Pod', name: pod },
    }));
    const own = { name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } };
    const ports = [{ name: 'web', port: 8080 }];
    this.make('endpointslices', own, { addressType: 'IPv4', endpoints, ports });
  }

  load(name, { metadata = {}, ...spec } = {}) {
    return this.make(
      'loadtests',
      { name, ...metadata },
      {
        ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest' },
        spec: {
          target: { service: { name: 'web' } },
          scenario: { requests: [{ name: 'one', path: '/' }] },
          arrival: { rate: 10, durationSeconds: 10 },
          ...spec,
        },
      },
    );
  }

  // The Job that was made of a test.
  async job(test) {
    const { uid } = this.get('loadtests', test).metadata;
    const of = ({ metadata }) => metadata.labels?.['sonde.dev/load-test'] === uid;
    const found = () => [...this.objects].find(([key, one]) => key.startsWith('jobs/') && of(one));
    return (await until(found, 10000, `the Job of ${test}`))[1];
  }

  // A pod of a Job, as its controller and a scheduler make it.
  runner(job, index, { attempt = 0, status = {} } = {}) {
    const name = `${job.metadata.name}-${index}-${attempt}`;
    const { labels } = job.spec.template.metadata;
    const annotations = { 'batch.kubernetes.io/job-completion-index': String(index) };
    const ownerReferences = [
      { kind: 'Job', name: job.metadata.name, uid: job.metadata.uid, controller: true },
    ];
    return this.make(
      'pods',
      { name, labels, annotations, ownerReferences },
      {
        ...{ apiVersion: 'v1', kind: 'Pod' },
        spec: { nodeName: 'node1', containers: job.spec.template.spec.containers },
        status: {
          phase: 'Running',
          containerStatuses: [{ name: 'runner', state: { running: { startedAt: now() } } }],
          ...status,
        },
      },
    );
  }

  // Its container has ended.
  endRunner(pod, { exitCode = 0, reason = 'Completed', message = '' } = {}) {
    const terminated = { exitCode, reason, message, startedAt: now(), finishedAt: now() };
    this.change('pods', pod.metadata.name, (object) => {
      object.status.phase = exitCode ? 'Failed' : 'Succeeded';
      object.status.containerStatuses = [{ name: 'runner', state: { terminated } }];
    });
  }

  loadCondition(test, type) {
    const { conditions = [] } = this.get('loadtests', test)?.status ?? {};
    return conditions.find((one) => one.type === type);
  }

  // Until the test has ended; its condition Succeeded.
  async loadEnds(test, milliseconds = 20000) {
    const ended = () => this.get('loadtests', test).status?.completionTime;
    await until(ended, milliseconds, `the end of ${test}`);
    return this.loadCondition(test, 'Succeeded');
  }

  // The state of an ephemeral container, as a kubelet tells it.
  tell(pod, name, state) {
    this.change('pods', pod, (object) => {
      const list = object.status.ephemeralContainerStatuses ?? [];
      object.status.ephemeralContainerStatuses = [
        ...list.filter((one) => one.name !== name),
        { name, state },
      ];
    });
  }

  entries(pod) {
    return this.get('pods', pod)?.spec.ephemeralContainers ?? [];
  }

  condition(run, type) {
    const { conditions = [] } = this.get('profileruns', run)?.status ?? {};
    return conditions.find((one) => one.type === type);
  }

  // Those with a reason that were made, in order.
  eventsOf(reason) {
    const made = this.asked('POST', '/events').map(({ body }) => body);
    return made.filter((event) => event.reason === reason);
  }

  patches() {
    return this.asked('PATCH', '/ephemeralcontainers');
  }

  // Until the run has ended; its condition Succeeded.
  async ends(run, milliseconds = 15000) {
    const ended = () => this.get('profileruns', run).status?.completionTime;
    await until(ended, milliseconds, `the end of ${run}`);
    return this.condition(run, 'Succeeded');
  }

  attached(pod, count = 1) {
    return until(() => this.entries(pod)[count - 1], 10000, `sidecar ${count} in ${pod}`);
  }

  // ---- the server ----

  record(kind, type, object) {
    const event = { kind, type, version: this.version, object };
    this.history.push(event);
    for (const watch of this.watches) {
      this.pass(watch, event);
    }
  }

  pass(watch, { kind, type, version, object }) {
    const isInside = !watch.inside || watch.inside === object.metadata.namespace;
    if (watch.kind === kind && isInside && version > watch.from) {
      watch.response.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  async take(incoming, response) {
    const chunks = [];
    for await (const chunk of incoming) {
      chunks.push(chunk);
    }
    const url = new URL(incoming.url, 'https://h');
    const text = Buffer.concat(chunks).toString();
    const found = where.exec(decodeURIComponent(url.pathname)) ?? [];
    const request = {
      ...{ method: incoming.method, path: url.pathname, query: url.searchParams },
      ...{ inside: found[1], kind: found[2], name: found[3], sub: found[4] },
      body: text ? JSON.parse(text) : undefined,
    };
    this.requests.push(request);
    if (!this.answer(request, response)) {
      this.serve(request, response);
    }
  }

  serve(request, response) {
    const action = {
      GET: request.name ? 'read' : 'list',
      POST: 'create',
      PUT: 'replace',
      PATCH: 'patch',
      DELETE: 'remove',
    }[request.method];
    this[action](request, response);
  }

  there(request, response) {
    const object = this.get(request.kind, request.name, request.inside);
    if (!object) {
      this.status(response, 404, 'NotFound', `${request.kind} "${request.name}" not found`);
    }
    return object;
  }

  read(request, response) {
    const object = this.there(request, response);
    if (object) {
      this.send(response, 200, object);
    }
  }

  list({ kind, inside, query }, response) {
    if (query.get('watch')) {
      const watch = { kind, inside, response, from: Number(query.get('resourceVersion')) };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.flushHeaders();
      this.watches.push(watch);
      for (const event of this.history) {
        this.pass(watch, event);
      }
      return;
    }
    const prefix = inside ? `${kind}/${inside}/` : `${kind}/`;
    const items = [...this.objects].filter(([key]) => key.startsWith(prefix));
    const metadata = { resourceVersion: String(this.version) };
    this.send(response, 200, { kind: 'List', metadata, items: items.map(([, item]) => item) });
  }

  create({ kind, inside, body }, response) {
    if (kind === 'localsubjectaccessreviews') {
      this.send(response, 201, { ...body, status: { allowed: this.allows(body.spec) } });
      return;
    }
    if (kind !== 'events' && this.get(kind, body.metadata.name, inside)) {
      this.status(response, 409, 'AlreadyExists', `${kind} "${body.metadata.name}" already exists`);
      return;
    }
    this.send(response, 201, this.make(kind, { ...body.metadata, namespace: inside }, body));
  }

  conflict(object, given, response) {
    const differs = given !== undefined && given !== object.metadata.resourceVersion;
    if (differs) {
      this.status(response, 409, 'Conflict', 'the object has been modified');
    }
    return differs;
  }

  replace(request, response) {
    const object = this.there(request, response);
    const { metadata } = request.body;
    if (object && !this.conflict(object, metadata.resourceVersion, response)) {
      const own = { ...object.metadata, ...metadata };
      this.send(response, 200, this.put(request.kind, { ...request.body, metadata: own }));
    }
  }

  patch(request, response) {
    const object = this.there(request, response);
    if (!object) {
      return;
    }
    const { body, kind, sub } = request;
    const copy = structuredClone(object);
    if (body.metadata?.uid && body.metadata.uid !== object.metadata.uid) {
      this.status(response, 409, 'Conflict', 'the uid in the precondition differs');
    } else if (!this.conflict(object, body.metadata?.resourceVersion, response)) {
      if (sub === 'ephemeralcontainers') {
        const before = copy.spec.ephemeralContainers ?? [];
        copy.spec.ephemeralContainers = [...before, ...body.spec.ephemeralContainers];
      } else if (sub === 'status') {
        copy.status = body.status;
      } else {
        const spec = body.spec && { spec: { ...object.spec, ...body.spec } };
        Object.assign(copy, { ...body, ...spec, metadata: copy.metadata });
      }
      this.send(response, 200, this.put(kind, copy));
    }
  }

  remove(request, response) {
    const object = this.there(request, response);
    const uid = request.body?.preconditions?.uid;
    if (object && uid && uid !== object.metadata.uid) {
      this.status(response, 409, 'Conflict', 'the uid in the precondition differs');
    } else if (object) {
      this.objects.delete(this.key(request.kind, request.name, request.inside));
      object.metadata.resourceVersion = String(++this.version);
      this.record(request.kind, 'DELETED', object);
      this.send(response, 200, { kind: 'Status', apiVersion: 'v1', status: 'Success' });
    }
  }
}

// A cluster, a store and what a controller is started with.
class Clinic {
  static async open(t) {
    const clinic = new Clinic();
    clinic.t = t;
    clinic.cluster = await new Cluster(t).start();
    clinic.store = await new Store(t).start();
    return clinic;
  }

  // Without its own authority it makes, or finds, the Secrets of the store's certificate.
  controller(more = ['--no-election'], { authority = true } = {}) {
    const { cluster, store } = this;
    const started = start(this.t, program, [
      ...['--kubeconfig', cluster.kubeconfig(), '--listen', '127.0.0.1:0'],
      ...['--sidecar-image', 'sonde.dev/sidecar:0.1.0', '--store', store.url],
      ...(authority ? ['--store-ca-file', store.certificate] : []),
      ...['--store-token-file', path.join(store.directory, 'controllerToken'), ...more],
    ]);
    started.port = async () => {
      await started.says(/"listening"/);
      return Number(/"listening".*?"port":(\d+)/.exec(started.stderr())[1]);
    };
    return started;
  }

  // The sidecar of a run in a pod, played by the test with what the controller gave it.
  sidecar(pod, entry = this.cluster.entries(pod)[0]) {
    const value = (name) => entry.env.find((one) => one.name === name).value;
    const [uid, token] = ['SONDE_RUN_UID', 'SONDE_TOKEN'].map(value);
    return new Played(this, pod, entry.name, { uid, token });
  }
}

class Played {
  constructor(clinic, pod, container, { uid, token }) {
    Object.assign(this, { clinic, pod, container, uid, token });
    this.instance = randomUUID().replaceAll('-', '');
  }

  async send(method, what, body, headers = {}) {
    const response = await this.clinic.store.ask(method, `runs/${this.uid}/${what}`, {
      headers: {
        ...{ Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
        ...{ 'Sonde-Target': this.pod, 'Sonde-Instance': this.instance, ...headers },
      },
      body,
    });
    assert.ok(response.status < 300, `${response.status} ${response.text}`);
    return JSON.parse(response.text);
  }

  ask(what, body) {
    return this.send('POST', what, JSON.stringify(body));
  }

  // An artifact of its capture; `name` follows "POD.PID.".
  async stores(name, text) {
    const where = `artifacts/${this.pod}.7.${name}`;
    const headers = { 'Sonde-Capture': 'cpu', 'Sonde-Type': 'CPUProfile', 'Sonde-Process': '7' };
    await this.ask(`${where}/commit`, await this.send('PUT', where, text, headers));
  }

  beat(phase = 'Capturing') {
    return this.ask('heartbeat', { phase });
  }

  // Waits to be told to leave.
  cancelled() {
    return until(async () => (await this.beat()).cancel, 20000, 'the word to leave');
  }

  async done(state = 'Succeeded', reason = 'Completed') {
    await this.ask('done', { state, reason, message: '', processes: [{ pid: 7 }] });
  }

  runs() {
    this.clinic.cluster.tell(this.pod, this.container, { running: { startedAt: now() } });
  }

  ends(message, exitCode = 0) {
    const terminated = { exitCode, reason: 'Completed', startedAt: now(), finishedAt: now() };
    this.clinic.cluster.tell(this.pod, this.container, { terminated: { ...terminated, message } });
  }

  async captures() {
    this.runs();
    await this.beat();
    await this.done();
    this.ends('{"state":"Succeeded","reason":"Completed","processes":[{"pid":7}]}');
  }
}

// A clinic with one pod.
async function open(t, more) {
  const clinic = await Clinic.open(t);
  clinic.cluster.pod('pod-a', more);
  return clinic;
}

// The numbers as a controller gives them.
async function metrics(controller) {
  return (await fetch(`http://127.0.0.1:${await controller.port()}/metrics`)).text();
}

const conditionWords = ({ status, reason }) => `${status} ${reason}`;

module.exports = { conditionWords, metrics, namespace, now, open, until };
