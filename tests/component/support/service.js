// SPDX-License-Identifier: Apache-2.0
'use strict';

// The programs of a cluster, without one: a real store behind TLS, and sidecars that talk to it.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const { bin, profileRun, start, temporary } = require('./sonde.js');
const { app, inspectorPort, listens, load, startTarget } = require('./target.js');
const { until } = require('./wait.js');

const programs = path.dirname(bin);
const storeProgram = path.join(programs, 'sonde-store');
const sidecarProgram = path.join(programs, 'sonde-sidecar');
const controllerToken = crypto.randomBytes(16).toString('hex');
const personToken = crypto.randomBytes(16).toString('hex');
const pod = 'pod-a';

// A certificate of its own for 127.0.0.1, made by openssl: {certificate, key} are files.
function makeCertificate(directory) {
  const certificate = path.join(directory, 'tls.crt');
  const key = path.join(directory, 'tls.key');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-days', '2', '-subj', '/CN=sonde-store', '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', key, '-out', certificate],
    ],
    { stdio: 'ignore' },
  );
  return { certificate, key };
}

function request(store, method, urlPath, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const options = { method, headers, ca: store.authority, agent: false, timeout: 30000 };
    const sent = https.request(`${store.url}/api/v1/${urlPath}`, options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() });
      });
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', reject);
    sent.end(body);
  });
}

class Store {
  constructor(t) {
    this.t = t;
    this.directory = temporary(t, 'sonde-store-');
    Object.assign(this, makeCertificate(this.directory));
    this.authority = fs.readFileSync(this.certificate, 'utf8');
    this.port = 0;
    for (const [name, token] of Object.entries({ controllerToken, personToken })) {
      fs.writeFileSync(path.join(this.directory, name), token);
    }
  }

  get url() {
    return `https://127.0.0.1:${this.port}`;
  }

  // Listens where it listened before, if it did.
  async start() {
    const file = (name) => path.join(this.directory, name);
    this.process = start(this.t, storeProgram, [
      ...['--no-cluster', '--directory', file('data'), '--listen', `127.0.0.1:${this.port}`],
      ...['--certificate', this.certificate, '--key', this.key],
      ...['--controller-token-file', file('controllerToken')],
      ...['--person-token-file', file('personToken')],
    ]);
    await this.process.says(/"listening"/);
    this.port = Number(/"port":(\d+)/.exec(this.process.stderr())[1]);
    return this;
  }

  async kill(signal = 'SIGKILL') {
    this.process.child.kill(signal);
    await this.process.done;
  }

  async call(method, urlPath, body, token = controllerToken) {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
    const answer = await request(this, method, urlPath, { headers, body: JSON.stringify(body) });
    assert.ok(answer.status < 300, `${method} ${urlPath}: ${answer.status} ${answer.text}`);
    return answer.text;
  }

  // {status, text}, whatever it is.
  ask(method, urlPath, options) {
    return request(this, method, urlPath, options);
  }

  // As the controller does for one pod; expires: seconds since 1970.
  async newRun(document, { expires = inSeconds(600) } = {}) {
    const token = crypto.randomBytes(24).toString('hex');
    const tokenSha256 = crypto.createHash('sha256').update(token).digest('hex');
    const run = { uid: crypto.randomUUID(), name: document.metadata.name, document, token };
    await this.call('POST', 'runs', {
      ...{ uid: run.uid, name: run.name, namespace: 'default', kind: 'ProfileRun' },
      ...{ requester: 'ann', document, targets: [{ target: pod, tokenSha256, expires }] },
    });
    return run;
  }

  async cancel(run) {
    await this.call('POST', `runs/${run.uid}/cancel`, {});
  }

  async view(run) {
    return JSON.parse(await this.call('GET', `runs/${run.uid}`, undefined, personToken));
  }

  async artifacts(run, type = 'CPUProfile') {
    return (await this.view(run)).artifacts.filter((artifact) => artifact.type === type);
  }

  // Ends the run, and returns its report.
  // Ends a run, or asks again how it ended.
  async conclude(run, state = 'Succeeded', reason = 'Completed') {
    const completed = Math.floor(Date.now() / 1000);
    const words = { state, reason, message: '', completed };
    return JSON.parse(await this.call('POST', `runs/${run.uid}/conclude`, words));
  }

  async report(run, state, reason) {
    await this.conclude(run, state, reason);
    const text = await this.call(
      'GET',
      `runs/${run.uid}/report?format=json`,
      undefined,
      personToken,
    );
    return JSON.parse(text);
  }

  // What a sidecar of another instance is answered.
  async beatAs(run, instance) {
    const headers = {
      ...{ Authorization: `Bearer ${run.token}`, 'Content-Type': 'application/json' },
      ...{ 'Sonde-Target': pod, 'Sonde-Instance': instance },
    };
    const body = '{"phase":"Connected"}';
    return request(this, 'POST', `runs/${run.uid}/heartbeat`, { headers, body });
  }

  async windows(run, count, sidecar) {
    await until(
      async () => {
        const { exitCode, signalCode } = sidecar.child;
        assert.equal(exitCode ?? signalCode, null, `it ended: ${sidecar.stderr()}`);
        return (await this.artifacts(run)).length >= count;
      },
      30000,
      `${count} windows in the store`,
    );
  }
}

// A store of the test's own making, for what the real one does not do. answer(step, count, response,
// request) is called for each request with the step ("heartbeat", "put", "commit", "done") and how
// often it came, from 1; without a true result the answer is a good one.
async function fakeStore(t, answer) {
  const directory = temporary(t, 'sonde-fake-');
  const { certificate, key } = makeCertificate(directory);
  const authority = fs.readFileSync(certificate, 'utf8');
  fs.writeFileSync(path.join(directory, 'controllerToken'), controllerToken);
  const store = { authority, certificate, directory, counts: {}, bodies: {}, sent: new Set() };
  const server = https.createServer({ cert: authority, key: fs.readFileSync(key) });
  server.on('request', (message, response) => {
    const chunks = [];
    message.on('data', (chunk) => chunks.push(chunk));
    message.on('error', () => {});
    message.on('end', () => {
      const step = message.method === 'PUT' ? 'put' : path.basename(message.url);
      store.counts[step] = (store.counts[step] ?? 0) + 1;
      if (step === 'put') {
        store.sent.add(message.url);
      }
      const body = Buffer.concat(chunks);
      store.bodies[step] = body.toString();
      if (!answer(step, store.counts[step], response, message)) {
        response.statusCode = step === 'commit' ? 201 : 200;
        response.end(JSON.stringify({ cancel: false, bytes: body.length, id: 'an-id' }));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  store.url = `https://127.0.0.1:${server.address().port}`;
  store.newRun = (document) => ({ uid: crypto.randomUUID(), token: 'a-token', document });
  return store;
}

// Stands before a store, and passes on what is sent until there is much of it: then it reads nothing
// more.
async function cloggedWay(t, store) {
  const proxy = net.createServer((client) => {
    const upstream = net.connect(store.port, '127.0.0.1');
    let count = 0;
    client.on('data', (data) => {
      count += data.length;
      upstream.write(data);
      if (count > 2e6) {
        client.pause();
      }
    });
    upstream.pipe(client);
    for (const socket of [client, upstream]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
  });
  t.after(() => proxy.close());
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return { url: `https://127.0.0.1:${proxy.address().port}`, authority: store.authority };
}

function inSeconds(seconds) {
  return Math.floor(Date.now() / 1000) + seconds;
}

// A ProfileRun of the processes that match; its target may say more.
function runOf(match, captures, target = {}) {
  const process = { ...(match ? { match } : {}), ...target.process };
  const spec = { target: { podName: pod, ...target, process } };
  return JSON.parse(profileRun('the-run', captures, spec));
}

// What the kubelet would give the sidecar; `store` needs url and authority only.
function environmentOf(store, run, message) {
  return {
    PATH: process.env.PATH,
    SONDE_STORE: store.url,
    SONDE_STORE_CA: store.authority,
    SONDE_TOKEN: run.token,
    SONDE_RUN_UID: run.uid,
    SONDE_TARGET: pod,
    SONDE_DEADLINE: String(inSeconds(300)),
    SONDE_DOCUMENT: JSON.stringify(run.document),
    SONDE_TERMINATION_MESSAGE: message,
  };
}

// Starts one; end() waits for its end, and reads its termination message.
function startSidecar(t, store, run, { env = {}, args = [], as } = {}) {
  const directory = temporary(t, 'sonde-sidecar-');
  fs.chmodSync(directory, 0o777);
  const message = path.join(directory, 'message');
  let program = sidecarProgram;
  const command = [];
  if (as !== undefined) {
    program = path.join(directory, 'sonde-sidecar');
    fs.copyFileSync(sidecarProgram, program);
    fs.chmodSync(program, 0o755);
    command.push('setpriv', '--reuid', as, '--regid', as, '--clear-groups', '--');
  }
  command.push(program, ...args);
  const environment = { ...environmentOf(store, run, message), ...env };
  const started = start(t, command[0], command.slice(1), { env: environment });
  started.end = async (code) => {
    const result = await started.done;
    assert.equal(result.code, code, `signal ${result.signal}\n${result.stderr}`);
    const text = fs.readFileSync(message);
    assert.ok(text.length <= 4096, `${text.length} bytes`);
    assert.ok(!result.stderr.includes(run.token));
    return { ...JSON.parse(text), milliseconds: result.milliseconds };
  };
  return started;
}

// A copy of the service in a directory of its own, by which alone it is matched: other processes
// of the machine run Node.js too.
function ownScript(t) {
  const script = path.join(temporary(t, 'sonde-pod-'), 'service.js');
  fs.writeFileSync(script, `require(${JSON.stringify(app)});\n`);
  return script;
}

async function startService(t, options = {}) {
  const script = options.script ?? ownScript(t);
  const target = await startTarget(t, { ...options, script });
  target.match = path.dirname(script);
  return target.remember();
}

async function startStore(t) {
  return new Store(t).start();
}

// Under load until its end is looked at: requests that are under way are handles too.
function busy(t, target) {
  target.load = load(t, target.port);
}

async function wasLeftClean(target) {
  await target.load?.stop();
  await target.isAsBefore();
}

async function wasNotSignalled(target) {
  assert.doesNotMatch(target.process.stderr(), /Debugger/);
  assert.ok(!(await listens(inspectorPort)));
  await target.isAsBefore();
}

const twoMinutes = [{ name: 'cpu', durationSeconds: 120, windowSeconds: 1 }];

// A capture that goes on, with its first window stored.
async function capturing(t, { env } = {}) {
  const store = await startStore(t);
  const target = await startService(t);
  busy(t, target);
  const run = await store.newRun(runOf(target.match, twoMinutes));
  const sidecar = startSidecar(t, store, run, { env });
  await store.windows(run, 1, sidecar);
  assert.ok(await listens(inspectorPort));
  return { store, target, run, sidecar };
}

module.exports = {
  Store,
  busy,
  capturing,
  cloggedWay,
  fakeStore,
  inSeconds,
  ownScript,
  pod,
  request,
  runOf,
  startService,
  startSidecar,
  startStore,
  wasLeftClean,
  wasNotSignalled,
};
