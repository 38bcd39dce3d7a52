// SPDX-License-Identifier: Apache-2.0
'use strict';

// sonde-store as a service of one test, and requests to it.

const { execFileSync } = require('node:child_process');
const { createHash, randomBytes, randomUUID } = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { bin, start, temporary } = require('./sonde.js');
const { node } = require('./target.js');
const { until } = require('./wait.js');

const program = path.join(path.dirname(bin), 'sonde-store');
const controllerToken = 'the-token-of-the-controller';
const personToken = 'the-token-of-a-person';
const never = 4_000_000_000;

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

// A CPU profile of which hot() has most.
let profile;
function profileBytes() {
  if (!profile) {
    const directory = fs.mkdtempSync('/tmp/sonde-profile-');
    const work =
      'function hot() { let x = 0; for (let i = 0; i < 3e8; i++) { x += i % 7; } return x; } hot();';
    const script = path.join(directory, 'work.js');
    fs.writeFileSync(script, work);
    const flags = ['--cpu-prof', `--cpu-prof-dir=${directory}`, '--cpu-prof-name=p'];
    execFileSync(node(22), [...flags, script]);
    profile = fs.readFileSync(path.join(directory, 'p'));
    fs.rmSync(directory, { recursive: true });
  }
  return profile;
}

// Does it with the store's file, as another program might, and gives the rows.
function sql(service, text) {
  const file = path.join(service.directory, 'store', 'runs.db');
  const script =
    'import sqlite3,sys; c=sqlite3.connect(sys.argv[1], timeout=20); ' +
    'print(c.execute(sys.argv[2]).fetchall()); c.commit()';
  return execFileSync('python3', ['-c', script, file, text]).toString();
}

class Service {
  // `wrap` runs it: ['prlimit', …].
  static async start(t, more = [], wrap = []) {
    const directory = temporary(t);
    fs.writeFileSync(path.join(directory, 'controller'), `${controllerToken}\n`);
    fs.writeFileSync(path.join(directory, 'person'), `${personToken}\n`);
    const service = new Service(t, directory, more, wrap);
    await service.begin();
    return service;
  }

  constructor(t, directory, more, wrap = []) {
    this.t = t;
    this.wrap = wrap;
    this.directory = directory;
    this.more = more;
    this.agent = new http.Agent({ keepAlive: true });
    t.after(() => this.agent.destroy());
  }

  async begin() {
    const file = (name) => path.join(this.directory, name);
    const [command, ...first] = [...this.wrap, program];
    this.running = start(this.t, command, [
      ...first,
      ...['--directory', file('store'), '--listen', '127.0.0.1:0'],
      ...['--controller-token-file', file('controller')],
      ...['--person-token-file', file('person')],
      ...(this.more.includes('--kubeconfig') ? [] : ['--no-cluster']),
      ...this.more,
    ]);
    await this.running.says(/"message":"listening"/);
    const lines = this.log().filter(({ message }) => message === 'listening');
    this.port = lines.at(-1).port;
  }

  log() {
    const lines = this.running.stderr().split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  async restart(signal = 'SIGKILL') {
    this.running.child.kill(signal);
    await this.running.done;
    await this.begin();
  }

  // {status, headers, bytes, text, json}; `body` is an object, or bytes.
  // The body ends after `cut` bytes with the connection, or stands in the middle until held.end().
  ask(method, where, { token, body, headers = {}, cut, held, localAddress } = {}) {
    const bytes = body && !Buffer.isBuffer(body) ? JSON.stringify(body) : body;
    return new Promise((resolve, reject) => {
      const request = http.request(
        {
          ...{ method, host: '127.0.0.1', port: this.port, path: where },
          ...{ agent: this.agent, localAddress },
          headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...headers },
        },
        (response) => {
          const parts = [];
          response.on('data', (part) => parts.push(part));
          response.on('end', () => {
            const bytes = Buffer.concat(parts);
            const text = bytes.toString();
            const isJson = response.headers['content-type']?.includes('json');
            const json = isJson && text ? JSON.parse(text) : undefined;
            resolve({ status: response.statusCode, headers: response.headers, bytes, text, json });
          });
        },
      );
      request.on('error', reject);
      if (cut) {
        request.setHeader('Content-Length', bytes.length);
        request.write(bytes.subarray(0, cut), () => request.destroy());
      } else if (held) {
        request.setHeader('Content-Length', bytes.length);
        request.write(bytes.subarray(0, bytes.length - 1));
        held.end = () => request.end(bytes.subarray(bytes.length - 1));
      } else {
        request.end(bytes);
      }
    });
  }

  api(method, where, options) {
    return this.ask(method, `/api/v1/${where}`, options);
  }

  controller(method, where, body) {
    return this.api(method, where, { token: controllerToken, body });
  }

  person(method, where, options) {
    return this.api(method, where, { token: personToken, ...options });
  }

  // Registers a run with a target, and gives what its sidecar needs.
  async run(more = {}) {
    const sidecar = new Sidecar(this, more.uid ?? randomUUID(), more.target ?? 'pod-a');
    const { status } = await sidecar.register(more);
    if (status > 201) {
      throw new Error(`the run is not taken: ${status}`);
    }
    return sidecar;
  }
}

class Sidecar {
  constructor(service, uid, target) {
    this.service = service;
    this.uid = uid;
    this.target = target;
    this.token = randomBytes(32).toString('hex');
    this.instance = randomBytes(16).toString('hex');
  }

  register({ name = 'slow', namespace = 'clinic', kind = 'ProfileRun', ...more } = {}) {
    const { expires = never, spec = {}, schedule } = more;
    const apiVersion = 'sonde.dev/v1alpha1';
    const document = { apiVersion, kind, metadata: { name, namespace }, spec };
    return this.service.controller('POST', 'runs', {
      ...{ uid: this.uid, name, namespace, kind, requester: 'ann', document },
      schedule,
      targets: [{ target: this.target, tokenSha256: sha256(this.token), expires }],
    });
  }

  headers(more = {}) {
    return { 'Sonde-Target': this.target, 'Sonde-Instance': this.instance, ...more };
  }

  ask(method, where, { body, headers, ...more } = {}) {
    return this.service.api(method, `runs/${this.uid}/${where}`, {
      ...{ token: this.token, body, headers: this.headers(headers) },
      ...more,
    });
  }

  beat(phase = 'Capturing') {
    return this.ask('POST', 'heartbeat', { body: { phase } });
  }

  // Sends an artifact; `name` follows "POD.PID.".
  put(name, bytes, { headers = {}, ...more } = {}) {
    const all = {
      'Content-Type': 'application/json',
      'Sonde-Capture': 'cpu',
      'Sonde-Type': 'CPUProfile',
      'Sonde-Process': '7',
      ...headers,
    };
    return this.ask('PUT', `artifacts/${this.target}.7.${name}`, {
      body: bytes,
      headers: all,
      ...more,
    });
  }

  commit(name, bytes, more = {}) {
    return this.ask('POST', `artifacts/${this.target}.7.${name}/commit`, {
      body: { bytes: bytes.length, sha256: sha256(bytes), ...more },
    });
  }

  async store(name, bytes, options) {
    const put = await this.put(name, bytes, options);
    return put.status === 202 ? this.commit(name, bytes) : put;
  }

  done(result = { state: 'Succeeded', reason: 'Completed', processes: [] }) {
    return this.ask('POST', 'done', { body: result });
  }

  conclude(state = 'Succeeded', more = {}) {
    const words = { state, reason: 'Completed', message: '', target: 'Deployment/web', ...more };
    return this.service.controller('POST', `runs/${this.uid}/conclude`, words);
  }

  async artifacts() {
    const { json } = await this.service.person('GET', `runs/${this.uid}?namespace=clinic`);
    return json.artifacts.map(({ id }) => id.slice(this.uid.length + 1));
  }
}

module.exports = {
  ...{ Service, Sidecar, controllerToken, personToken, profileBytes, program, sha256, sql, until },
};
