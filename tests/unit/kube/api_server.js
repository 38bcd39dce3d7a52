// SPDX-License-Identifier: Apache-2.0
// A small API server over TLS, with faults on request: node api_server.js DIRECTORY
//
// Makes a CA and certificates in DIRECTORY with openssl, prints its port, and ends with its
// standard input. Whoever has a certificate of the CA, or the token in DIRECTORY/valid, is let in.
// It holds pods. POST /control sets what happens next; GET /control tells what was asked.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const path = require('node:path');

const directory = process.argv[2];
const file = (name) => path.join(directory, name);

function openssl(...words) {
  execFileSync('openssl', words, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function makeAuthority(name) {
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
  openssl('req', '-x509', ...KEY, ...files, '-days', '2', '-subj', `/CN=${name}`);
}

function makeCertificate(name, subject, names, authority = 'ca') {
  const extension = names ? ['-addext', `subjectAltName=${names}`] : [];
  const files = ['-keyout', `${name}.key`, '-out', `${name}.csr`];
  openssl('req', ...KEY, ...files, '-subj', subject, ...extension);
  const issuer = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
  const request = ['-in', `${name}.csr`, '-out', `${name}.pem`];
  openssl('x509', '-req', ...request, ...issuer, '-days', '2', '-copy_extensions', 'copy');
}

const pods = new Map();
const leases = new Map();
const history = []; // {version, type, pod}
const asked = []; // "GET /path" of every request but control's
const faults = []; // applied in this order, each to the first request that it fits
const watches = new Set();
const sessions = new Set(); // of HTTP/2
const proxied = []; // "HOST:PORT" of each CONNECT
let version = 100;
let oldest = 0;
let hosts = [];
let protocols = [];
let sockets = []; // the peer's port of each

function podOf(name, node) {
  version += 1;
  const metadata = { namespace: 'shop', name, uid: `uid-${name}`, resourceVersion: `${version}` };
  return {
    metadata: { ...metadata, managedFields: [{ a: 'x'.repeat(500) }] },
    spec: { nodeName: node },
  };
}

function line(type, object) {
  return `${JSON.stringify({ type, object })}\n`;
}

function change(type, pod) {
  history.push({ version, type, pod });
  for (const watch of watches) {
    watch.write(line(type, pod));
  }
}

const commands = {
  put({ name, node }) {
    const type = pods.has(name) ? 'MODIFIED' : 'ADDED';
    pods.set(name, podOf(name, node || 'node-1'));
    change(type, pods.get(name));
  },
  fill({ count }) {
    for (let i = 0; i < count; i += 1) {
      commands.put({ name: `pod-${i}` });
    }
  },
  remove({ name }) {
    const pod = podOf(name, '');
    pods.delete(name);
    change('DELETED', pod);
  },
  bookmark() {
    version += 1;
    for (const watch of watches) {
      watch.write(line('BOOKMARK', { metadata: { resourceVersion: `${version}` } }));
    }
  },
  // Ends all watches: with an ERROR event, within a line, or as when their time is over.
  end({ how }) {
    for (const watch of watches) {
      if (how === 'expired') {
        watch.write(line('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }));
      } else if (how === 'cut') {
        watch.write('{"type":"MODIFIED","obj');
        watch.stream
          ? watch.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
          : watch.socket.destroy();
      } else {
        watch.end();
      }
    }
    watches.clear();
  },
  // Forgets what was before: a watch from there gets 410.
  compact() {
    oldest = version;
    history.length = 0;
  },
  // New connections get the certificate of that name, and old ones end.
  present({ name }) {
    server.setSecureContext(context(name));
    setImmediate(() => {
      for (const session of sessions) {
        session.close();
      }
    });
  },
  // The next request whose method and URL fit gets this answer; status 0: none.
  fault({ match, status, headers, body }) {
    faults.push({ match: new RegExp(match), status, headers: headers || {}, body: body || '' });
  },
};

function reply(response, status, object, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof object === 'string' ? object : JSON.stringify(object));
}

function refuse(response, code, reason) {
  reply(response, code, { kind: 'Status', status: 'Failure', code, reason, message: reason });
}

function list(response, query) {
  const names = [...pods.keys()].sort();
  const limit = Number(query.get('limit')) || names.length;
  const start = Number(query.get('continue')) || 0;
  const page = names.slice(start, start + limit).map((name) => pods.get(name));
  const rest = start + limit < names.length ? { continue: `${start + limit}` } : {};
  reply(response, 200, {
    kind: 'PodList',
    metadata: { resourceVersion: `${version}`, ...rest },
    items: page,
  });
}

function watch(response, query) {
  const from = Number(query.get('resourceVersion'));
  if (from < oldest) {
    refuse(response, 410, 'Expired');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  if (response.flushHeaders) {
    response.flushHeaders();
  }
  for (const event of history.filter((one) => one.version > from)) {
    response.write(line(event.type, event.pod));
  }
  watches.add(response);
  response.on('close', () => watches.delete(response));
}

function socketOf(request) {
  return request.stream ? request.stream.session.socket : request.socket;
}

function lease(request, response, body) {
  const wanted = body ? JSON.parse(body) : null;
  const name = wanted ? wanted.metadata.name : path.basename(request.url);
  const held = leases.get(name);
  if (request.method === 'POST' && held) {
    refuse(response, 409, 'AlreadyExists');
  } else if (request.method !== 'POST' && !held) {
    refuse(response, 404, 'NotFound');
  } else if (
    request.method === 'PUT' &&
    held.metadata.resourceVersion !== wanted.metadata.resourceVersion
  ) {
    refuse(response, 409, 'Conflict');
  } else {
    if (wanted) {
      version += 1;
      wanted.metadata.resourceVersion = `${version}`;
      leases.set(name, wanted);
    }
    reply(response, 200, leases.get(name));
  }
}

function isKnown(request) {
  const socket = socketOf(request);
  const token = fs.existsSync(file('valid')) ? fs.readFileSync(file('valid'), 'utf8') : null;
  return socket.authorized || (token && request.headers.authorization === `Bearer ${token}`);
}

function control(request, response, body) {
  if (request.method === 'POST') {
    const command = JSON.parse(body);
    commands[command.do](command);
    reply(response, 200, {});
  } else {
    const now = { watches: watches.size, version };
    reply(response, 200, { asked, hosts, protocols, sockets, proxied, ...now });
    asked.length = 0;
    hosts = [];
    protocols = [];
    sockets = [];
  }
}

function take(request, response, body) {
  const url = new URL(request.url, 'https://server');
  if (url.pathname === '/control') {
    control(request, response, body);
    return;
  }
  const what = `${request.method} ${request.url}`;
  sockets.push(socketOf(request).remotePort);
  asked.push(`${what}${body ? ` ${request.headers['content-type']} ${body}` : ''}`);
  hosts.push(request.headers[':authority'] || request.headers.host);
  protocols.push(request.httpVersion);
  const at = faults.findIndex((fault) => fault.match.test(what));
  if (at >= 0) {
    const [fault] = faults.splice(at, 1);
    if (fault.status) {
      reply(response, fault.status, fault.body, fault.headers);
    }
  } else if (!isKnown(request)) {
    refuse(response, 401, 'Unauthorized');
  } else if (/\/pods$/.test(url.pathname) && request.method === 'GET') {
    (url.searchParams.get('watch') ? watch : list)(response, url.searchParams);
  } else if (url.pathname.includes('/leases')) {
    lease(request, response, body);
  } else if (request.method === 'GET') {
    const pod = pods.get(path.basename(url.pathname));
    pod ? reply(response, 200, pod) : refuse(response, 404, 'NotFound');
  } else {
    reply(response, 200, body || '{}');
  }
}

function context(name) {
  return {
    key: fs.readFileSync(file(`${name}.key`)),
    cert: fs.readFileSync(file(`${name}.pem`)),
    ca: fs.readFileSync(file('ca.pem')),
  };
}

// A proxy, which writes its port into the file `proxy`.
function startProxy(done) {
  const proxy = http.createServer();
  proxy.on('connect', (request, socket) => {
    const [host, port] = request.url.split(':');
    proxied.push(request.url);
    const other = net.connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      other.pipe(socket).pipe(other);
    });
    other.on('error', () => socket.destroy());
    socket.on('error', () => other.destroy());
  });
  proxy.listen(0, '127.0.0.1', () => {
    fs.writeFileSync(file('proxy'), `${proxy.address().port}`);
    done();
  });
}

let server;

function main() {
  makeAuthority('ca');
  makeAuthority('other');
  makeCertificate('server', '/CN=server', 'DNS:api.internal,IP:127.0.0.1');
  makeCertificate('renewed', '/CN=server', 'DNS:api.internal,IP:127.0.0.1', 'other');
  makeCertificate('named', '/CN=named', 'DNS:api.internal');
  makeCertificate('client', '/O=team/CN=ann', '');
  const name = process.argv[3] || 'server';
  const options = {
    ...context(name),
    requestCert: true,
    rejectUnauthorized: false,
    allowHTTP1: true,
  };
  server = http2.createSecureServer(options, (request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => take(request, response, Buffer.concat(pieces).toString()));
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  startProxy(() => {
    server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
  });
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
}

main();
