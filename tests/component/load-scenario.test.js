// SPDX-License-Identifier: Apache-2.0
'use strict';

// Scenarios: what a real server is asked for, in which order, and what is made of its answers.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const test = require('node:test');
const { listen } = require('./support/load.js');
const { Sonde, exited, temporary } = require('./support/sonde.js');

// {port, requests}: `answer` gets the request with its body, and answers it.
async function serve(t, answer) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const { method, url, headers } = request;
    const own = { method, url, headers, body: '', port: request.socket.remotePort };
    requests.push(own);
    request.on('data', (chunk) => {
      own.body += chunk;
    });
    request.on('end', () => answer(own, response));
  });
  const port = await listen(t, server);
  return { port, requests };
}

const ok = (_, response) => response.end('{}');

async function load(t, port, files, ...words) {
  const directory = temporary(t);
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(path.join(directory, name), text);
  }
  const own = words.map((word) => (word in files ? path.join(directory, word) : word));
  return new Sonde(t).run(['load', `http://127.0.0.1:${port}`, '--no-store', '-j', ...own]);
}

function parts(result) {
  const all = JSON.parse(result.stdout).sonde.parts;
  return Object.fromEntries(all.map((part) => [part.name ?? part.address, part]));
}

const users = 'name,password\nada,"engine, the"\ngrace,compiler\nbo,b\n';

const visit = `
order: Sequence
data:
  name: {configMapRef: {name: users, key: users.csv}, order: Sequential}
  password: {configMapRef: {name: users, key: users.csv}, order: Sequential}
requests:
- name: sign-in
  method: POST
  path: /sign-in
  headers: {Content-Type: application/json}
  body: '{"name": "{{name}}", "password": "{{password}}"}'
  extract: [{name: token, pointer: /session/token}, {name: next, header: Location}]
- name: visits
  path: /visits?of={{name}}&next={{next}}
  headers: {Authorization: "Bearer {{token}}"}
  expect: {status: 200, bodyMatches: "visits of \\\\w+"}
`;

// Knows the passwords, and gives tokens that are good for one name.
function clinic(request, response) {
  const known = { ada: 'engine, the', grace: 'compiler', bo: 'b' };
  if (request.url === '/sign-in') {
    const { name, password } = JSON.parse(request.body);
    response.setHeader('Location', '/a b');
    response.statusCode = known[name] === password ? 200 : 401;
    response.end(JSON.stringify({ session: { token: `t-${name}` } }));
  } else {
    const name = new URL(request.url, 'http://h').searchParams.get('of');
    response.statusCode = request.headers.authorization === `Bearer t-${name}` ? 200 : 403;
    response.end(`visits of ${name}`);
  }
}

test('a session signs in, and uses what it was given', async (t) => {
  const { port, requests } = await serve(t, clinic);
  const files = { 'users.csv': users, 'visit.yaml': visit };
  const words = ['--scenario', 'visit.yaml', '-a', '120', '-c', '4', '-w', '2'];
  const result = await load(t, port, files, ...words);
  exited(result, 0);
  const all = JSON.parse(result.stdout);
  assert.equal(all.mismatches, 0);
  assert.equal(all.non2xx, 0);
  assert.equal(all.resets, 0);
  const { 'sign-in': signIn, visits } = parts(result);
  assert.equal(signIn.answered + visits.answered, 120);
  assert.ok(signIn.answered - visits.answered >= 0 && signIn.answered - visits.answered <= 4);
  const names = requests.filter(({ url }) => url === '/sign-in').map(({ body }) => body);
  assert.equal(new Set(names).size, 3);
  // One after the other, on each connection.
  const last = new Map();
  for (const { url, port: from } of requests) {
    assert.equal(url === '/sign-in', last.get(from) !== '/sign-in', `${from}: ${url}`);
    last.set(from, url);
  }
  const used = requests.filter(({ url }) => url !== '/sign-in');
  assert.ok(used.every(({ url }) => url.endsWith('&next=%2Fa%20b')));
});

test('what is not as expected is a mismatch, has failed, and breaks the threshold of its name', async (t) => {
  let count = 0;
  const { port } = await serve(t, (_, response) => {
    count++;
    response.statusCode = count % 2 ? 404 : 200;
    response.setHeader('X-Kind', count % 4 ? 'a' : 'b');
    response.end(count % 4 ? 'one two' : 'one');
  });
  const scenario = `
requests:
- {name: missing, path: /a, expect: {status: 404}}
`;
  const right = await load(
    t,
    port,
    { 's.yaml': scenario },
    '--scenario',
    's.yaml',
    '-a',
    '40',
    '-c',
    '1',
  );
  exited(right, 0);
  assert.equal(JSON.parse(right.stdout).mismatches, 20);
  for (const [expect, wrong] of [
    ['headers: {X-Kind: a}, status: 200', 30],
    ['bodyEquals: one two, status: 404', 20],
    ['bodyContains: two, status: 200', 30],
    ['bodyMatches: "^one$", status: 200', 30],
  ]) {
    count = 0;
    const text = `requests: [{name: a, path: /, expect: {${expect}}}, {name: b, path: /b, weight: 1}]`;
    const one = text.replace(', {name: b, path: /b, weight: 1}', '');
    const words = ['--scenario', 's.yaml', '-a', '40', '-c', '1'];
    const threshold = ['--threshold', 'http_req_failed{name:a}: rate<0.1'];
    const result = await load(t, port, { 's.yaml': one }, ...words, ...threshold);
    exited(result, 99);
    assert.equal(JSON.parse(result.stdout).mismatches, wrong, expect);
    assert.equal(parts(result).a.wrong, wrong, expect);
  }
});

test('an answer without what is needed begins the sequence anew', async (t) => {
  let count = 0;
  const { port, requests } = await serve(t, (request, response) => {
    response.end(request.url === '/a' && ++count % 2 ? '{}' : '{"id": 7}');
  });
  const scenario = `
order: Sequence
requests:
- {name: a, path: /a, extract: [{name: id, pointer: /id}]}
- {name: b, path: "/b/{{id}}"}
`;
  const result = await load(
    t,
    port,
    { 's.yaml': scenario },
    '--scenario',
    's.yaml',
    '-a',
    '30',
    '-c',
    '1',
  );
  exited(result, 0);
  const own = requests.map(({ url }) => url);
  assert.deepEqual(own.slice(0, 6), ['/a', '/a', '/b/7', '/a', '/a', '/b/7']);
  assert.equal(JSON.parse(result.stdout).resets, 10);
});

test('cookies are kept in a session, and by no other', async (t) => {
  const { port, requests } = await serve(t, (request, response) => {
    if (!request.headers.cookie) {
      response.setHeader('Set-Cookie', [`id=${request.port}; Path=/`, 'other=1; Path=/elsewhere']);
    }
    response.end('{}');
  });
  const scenario = 'cookies: true\nrequests: [{name: a, path: /a}, {name: b, path: /b}]';
  exited(
    await load(t, port, { 's.yaml': scenario }, '--scenario', 's.yaml', '-a', '60', '-c', '3'),
    0,
  );
  const ports = new Set(requests.map(({ port }) => port));
  assert.equal(ports.size, 3);
  assert.equal(requests.filter(({ headers }) => !headers.cookie).length, 3);
  const kept = requests.filter(({ headers }) => headers.cookie);
  assert.ok(kept.every(({ headers, port }) => headers.cookie === `id=${port}`));
});

test('weights, values of JSON lines, and ids', async (t) => {
  const { port, requests } = await serve(t, ok);
  const scenario = `
data: {who: {configMapRef: {name: x, key: who.jsonl, column: name}}}
requests:
- {name: often, path: "/often/{{who}}/[<id>]", weight: 9}
- {name: seldom, path: /seldom, weight: 1}
`;
  const files = { 's.yaml': scenario, 'who.jsonl': '{"name": "a/b"}\n{"name": "c", "x": [1]}\n' };
  const result = await load(t, port, files, '--scenario', 's.yaml', '-a', '2000', '-c', '5', '-I');
  exited(result, 0);
  const often = requests.filter(({ url }) => url.startsWith('/often/'));
  // Beyond this once in a million times.
  assert.ok(Math.abs(often.length - 1800) < 70, `${often.length}`);
  assert.equal(new Set(often.map(({ url }) => url)).size, often.length);
  const values = new Set(often.map(({ url }) => url.split('/')[2]));
  assert.deepEqual([...values].sort(), ['a%2Fb', 'c']);
  assert.equal(parts(result).often.answered, often.length);
});

test('somebody thinks between two requests', async (t) => {
  const { port, requests } = await serve(t, ok);
  const scenario = 'requests: [{name: a, path: /, thinkMilliseconds: 200}]';
  exited(
    await load(t, port, { 's.yaml': scenario }, '--scenario', 's.yaml', '-d', '1s', '-c', '2'),
    0,
  );
  assert.ok(requests.length >= 2 && requests.length <= 12, `${requests.length}`);
});

test('HTTP/1.1 pipelining and looks at bodies go together', async (t) => {
  const { port } = await serve(t, (request, response) => response.end(request.url));
  const scenario = `
requests:
- {name: a, path: /a, expect: {bodyEquals: /a}}
- {name: b, path: /b, expect: {bodyEquals: /b}}
`;
  const words = ['--scenario', 's.yaml', '-a', '400', '-c', '2', '-p', '8'];
  const result = await load(t, port, { 's.yaml': scenario }, ...words);
  exited(result, 0);
  assert.equal(JSON.parse(result.stdout).mismatches, 0);
});

test('a HAR file: what goes to the server, in its order', async (t) => {
  const { port, requests } = await serve(t, ok);
  const entry = (method, url, more) => ({
    request: { method, url, headers: [{ name: 'X-One', value: '1' }], ...more },
  });
  const har = {
    log: {
      entries: [
        entry('GET', `http://127.0.0.1:${port}/first`),
        entry('GET', 'http://elsewhere.example/'),
        entry('POST', `http://127.0.0.1:${port}/second`, {
          postData: { mimeType: 'text/plain', text: 'hello' },
        }),
      ],
    },
  };
  const files = { 'visit.har': JSON.stringify(har) };
  const result = await load(t, port, files, '--har', 'visit.har', '-a', '6', '-c', '1');
  exited(result, 0);
  assert.match(result.stderr, /left out http:\/\/elsewhere\.example\/: /);
  assert.match(result.stderr, /^sonde: 2 requests of .*visit\.har$/m);
  const own = requests.map(({ method, url, body }) => `${method} ${url} ${body}`);
  assert.deepEqual(own.slice(0, 3), ['GET /first ', 'POST /second hello', 'GET /first ']);
  assert.ok(requests.every(({ headers }) => headers['x-one'] === '1'));
});

test('an OpenAPI description: one request of each operation with examples', async (t) => {
  const { port, requests } = await serve(t, ok);
  const api = `
openapi: 3.1.0
paths:
  /patients/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}, example: 7}]
    delete:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
  /patients:
    post:
      requestBody: {content: {application/json: {example: {name: Ada}}}}
`;
  const result = await load(
    t,
    port,
    { 'api.yaml': api },
    '--openapi',
    'api.yaml',
    '-a',
    '20',
    '-c',
    '1',
  );
  exited(result, 0);
  assert.match(result.stderr, /left out DELETE \/patients\/\{id\}: /);
  assert.match(result.stderr, /^sonde: 2 requests of .*api\.yaml$/m);
  const kinds = new Set(requests.map(({ method, url, body }) => `${method} ${url} ${body}`));
  assert.deepEqual([...kinds].sort(), ['GET /patients/7 ', 'POST /patients {"name":"Ada"}']);
});

test('a form, and a body that is expected', async (t) => {
  const { port, requests } = await serve(t, (_, response) => response.end('done'));
  const directory = temporary(t);
  fs.writeFileSync(path.join(directory, 'scan.png'), 'PNG\r\n--');
  const form = {
    note: { type: 'text', value: 'as of today' },
    scan: { type: 'file', path: path.join(directory, 'scan.png') },
  };
  const type = ['-H', 'content-type=multipart/form-data']; // that of -F is sent, once
  const words = ['-F', JSON.stringify(form), '-a', '3', '-E', 'done', ...type];
  const result = await load(t, port, {}, ...words);
  exited(result, 0);
  assert.equal(JSON.parse(result.stdout).mismatches, 0);
  for (const { method, headers, body } of requests) {
    assert.equal(method, 'POST');
    const own = await new Response(body, {
      headers: { 'content-type': headers['content-type'] },
    }).formData();
    assert.equal(own.get('note'), 'as of today');
    assert.equal(await own.get('scan').text(), 'PNG\r\n--');
    assert.equal(own.get('scan').type, 'image/png');
  }
  const other = await load(t, port, {}, '-a', '5', '-E', 'nothing');
  assert.equal(JSON.parse(other.stdout).mismatches, 5);
});

test('figures of each address', async (t) => {
  const { port } = await serve(t, ok);
  const result = await load(t, port, {}, '--per-address', '-a', '50');
  exited(result, 0);
  const own = parts(result)[`127.0.0.1:${port}`];
  assert.equal(own.answered, 50);
  assert.ok(own.responseMicroseconds.p50 > 0);
});

test('what cannot be played is said', async (t) => {
  const sequence = 'order: Sequence\nrequests: [{name: a, path: "/{{x}}"}]';
  const cases = [
    [{ 's.yaml': 'requests: [{name: a, pat: /}]' }, [], /s\.yaml:1:\d+: .*did you mean path\?/],
    [{ 's.yaml': sequence }, [], /s\.yaml:2:11: .*must define each/],
    [{ 's.yaml': 'requests: [{name: a}]' }, ['-m', 'PUT'], /the file says methods/],
    [
      { 's.yaml': 'requests: [{name: a}]' },
      ['--threshold', 'http_reqs{name:b}: count>0'],
      /there is no request of name:b/,
    ],
    [
      {
        's.yaml':
          'headersFrom: [{name: X-Key, secretKeyRef: {name: s, key: k}}]\nrequests: [{name: a}]',
      },
      [],
      /s\.yaml: the header X-Key is from a Secret/,
    ],
    [
      {
        's.yaml':
          'data: {x: {configMapRef: {name: a, key: gone.csv}}}\nrequests: [{name: a, path: "/{{x}}"}]',
      },
      [],
      /s\.yaml: .*gone\.csv/,
    ],
  ];
  for (const [files, words, message] of cases) {
    const result = await load(t, 9, files, '--scenario', 's.yaml', '-a', '1', ...words);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, message);
  }
});
