// SPDX-License-Identifier: Apache-2.0
'use strict';

// `sonde load` as a person types it, and its JSON beside autocannon's own.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const test = require('node:test');
const { promisify } = require('node:util');
const { listen } = require('./support/load.js');
const { Sonde, exited, temporary } = require('./support/sonde.js');

const run = promisify(execFile);

// {port, requests}: of each request method, url, headers and body.
async function startServer(t, status = 200) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const { method, url, headers } = request;
    const own = { method, url, headers, body: '' };
    requests.push(own);
    request.on('data', (chunk) => {
      own.body += chunk;
    });
    request.on('end', () => {
      response.statusCode = status;
      response.end('hello');
    });
  });
  const port = await listen(t, server);
  return { port, requests };
}

async function load(t, port, ...words) {
  return new Sonde(t).run(['load', `http://127.0.0.1:${port}${words[0]}`, ...words.slice(1)]);
}

test('an amount: the table, and what was sent', async (t) => {
  const { port, requests } = await startServer(t);
  const result = await load(t, port, '/a?b=c', '--amount', '100', '-c', '3');
  exited(result, 0);
  assert.match(result.stdout, /^http:\S+\/a\?b=c\n/);
  assert.match(result.stdout, /100 answered, 0 failed, 0 without an answer at the end, 0 not sent/);
  assert.match(result.stdout, /status: 200 100 times/);
  for (const row of ['response', 'service', 'send lag']) {
    assert.match(result.stdout, new RegExp(`^${row}( +[\\d.e+]+ (µs|ms|s)\\*?){6}$`, 'm'));
  }
  assert.equal(requests.length, 100);
  assert.ok(requests.every(({ method, url }) => method === 'GET' && url === '/a?b=c'));
});

test('method, headers, bodies and ids', async (t) => {
  const { port, requests } = await startServer(t);
  const words = ['-m', 'PUT', '-H', 'X-One=1', '-H', 'X-Two: 2=3', '-b', 'id [<id>]', '-I'];
  exited(await load(t, port, '/[<id>]', '-a', '20', ...words), 0);
  assert.equal(new Set(requests.map(({ body }) => body)).size, 20);
  for (const { method, url, headers, body } of requests) {
    assert.equal(method, 'PUT');
    assert.equal(headers['x-one'], '1');
    assert.equal(headers['x-two'], '2=3');
    assert.match(body, /^id \w{24}$/);
    assert.equal(url, `/${body.slice(3)}`);
  }
  const file = path.join(temporary(t), 'body');
  fs.writeFileSync(file, 'from a file');
  requests.length = 0;
  exited(await load(t, port, '/', '-a', '5', '-m', 'POST', '-i', file), 0);
  assert.ok(requests.every(({ body }) => body === 'from a file'));
});

test('a Unix socket', async (t) => {
  const socket = path.join(temporary(t), 'socket');
  const server = http.createServer((_request, response) => response.end('hello'));
  await new Promise((resolve) => server.listen(socket, resolve));
  t.after(() => server.close() && server.closeAllConnections());
  const result = await load(t, 80, '/', '-a', '50', '-S', socket, '-j');
  exited(result, 0);
  assert.equal(JSON.parse(result.stdout).requests.total, 50);
});

test('nobody listens: the exit code says so', async (t) => {
  const { port } = await startServer(t);
  const free = http.createServer();
  await new Promise((resolve) => free.listen(0, '127.0.0.1', resolve));
  const unused = free.address().port;
  await new Promise((resolve) => free.close(resolve));
  const result = await load(t, unused, '/', '-d', '1', '-l');
  exited(result, 1);
  assert.match(result.stdout, /errors: \d+ refused \(nobody listens on that port\)/);
  assert.match(result.stdout, /^ +99 % +- +- +-$/m);
  exited(await load(t, port, '/', '-a', '1'), 0);
});

test('interrupted: it ends, and says what there is', async (t) => {
  const { port, requests } = await startServer(t);
  const sonde = new Sonde(t);
  const running = sonde.start(['load', `http://127.0.0.1:${port}/`, '-f', '-c', '2']);
  while (requests.length < 100) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  running.child.kill('SIGINT');
  const result = await running.done;
  exited(result, 0);
  assert.match(result.stdout, /\d+ answered, 0 failed/);
});

test('thresholds: what holds, what is broken, and the exit code', async (t) => {
  const { port } = await startServer(t, 503);
  const good = [
    '--threshold',
    'http_req_duration: p(99)<10000',
    '--threshold',
    'http_reqs: count==50',
  ];
  const kept = await load(t, port, '/', '-a', '50', ...good);
  exited(kept, 0);
  assert.match(kept.stdout, /holds {2}http_reqs: count==50: 50\n/);
  const broken = await load(
    t,
    port,
    '/',
    '-a',
    '50',
    '-j',
    ...good,
    '--threshold',
    'http_req_failed: rate<0.5',
  );
  exited(broken, 99);
  const said = JSON.parse(broken.stdout).sonde.thresholds;
  assert.deepEqual(
    said.map(({ holds }) => holds),
    [true, true, false],
  );
  assert.equal(said[2].value, 1);
  const early = [
    '-f',
    '--abort-on-fail',
    '--delay-abort',
    '1s',
    '--threshold',
    'http_req_failed: rate<0.5',
  ];
  exited(await load(t, port, '/', ...early), 99);
});

test('what is not measured yet does not end a test', async (t) => {
  const slow = http.createServer((_, response) => setTimeout(() => response.end(), 1500));
  await new Promise((resolve) => slow.listen(0, '127.0.0.1', resolve));
  t.after(() => slow.close() && slow.closeAllConnections());
  const words = ['-c', '1', '-d', '4', '--abort-on-fail', '--delay-abort', '1s', '-j'];
  const kept = ['--threshold', 'http_req_duration: p(50)<60000'];
  const result = await load(t, slow.address().port, '/', ...words, ...kept);
  exited(result, 0);
  assert.ok(JSON.parse(result.stdout).duration >= 4, result.stdout);
});

test('what could not be sent makes it invalid, and an invalid test keeps no threshold', async (t) => {
  const silent = http.createServer(() => {});
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => silent.close() && silent.closeAllConnections());
  const words = ['-R', '100', '-d', '1', '-c', '3', '--max-connections', '3', '-t', '300ms'];
  const result = await load(t, silent.address().port, '/', ...words);
  exited(result, 1);
  assert.match(
    result.stdout,
    /^INVALID: nothing was answered: \d+ timeout \(no answer in time: --timeout\)$/m,
  );
  // Answers take 50 ms each: three connections do 60 a second.
  const slow = http.createServer((_, response) => setTimeout(() => response.end(), 50));
  await new Promise((resolve) => slow.listen(0, '127.0.0.1', resolve));
  t.after(() => slow.close() && slow.closeAllConnections());
  const kept = ['--threshold', 'http_req_failed: rate<0.5', '-j'];
  const late = await load(t, slow.address().port, '/', ...words, ...kept);
  exited(late, 99);
  const { sonde } = JSON.parse(late.stdout);
  assert.equal(sonde.valid, false);
  assert.match(sonde.invalidReason, /could not be sent, no connection being free/);
  const [{ text, value }] = sonde.thresholds;
  assert.deepEqual(sonde.thresholds, [{ text, value, holds: false, wouldHold: true }]);
  const said = await load(t, slow.address().port, '/', ...words, ...kept.slice(0, -1));
  assert.match(said.stdout, /^would hold http_req_failed: rate<0\.5: 0$/m);
});

for (const [words, says] of [
  [['-c', '0'], /--connections 0: give a whole number from 1 to 100000/],
  [['-H', 'nothing'], /--headers nothing: give NAME=VALUE/],
  [['-H', 'a b=c'], /a b: c is no header field/],
  [['-m', 'G T'], /G T is no method/],
  [['--conections', '3'], /unknown option --conections: did you mean --connections\?/],
  [['--ca', '/nonexistent'], /\/nonexistent/],
  [['--threshold', 'http_req_duration: p(99)'], /http_req_duration: p\(99\)/],
]) {
  test(`refused: ${words.join(' ')}`, async (t) => {
    const result = await load(t, 1, '/', ...words);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, says);
  });
}

// Every name of theirs is in ours, with a value of its type.
function assertShape(theirs, ours, where) {
  for (const [name, value] of Object.entries(theirs)) {
    const at = `${where}.${name}`;
    assert.equal(typeof ours[name], typeof value, at);
    if (value !== null && typeof value === 'object') {
      assertShape(value, ours[name], at);
    }
  }
}

for (const version of ['8', '9']) {
  for (const status of [200, 404]) {
    test(`autocannon ${version}: the same names, and the same numbers, of ${status}`, async (t) => {
      const { port } = await startServer(t, status);
      const url = `http://127.0.0.1:${port}/`;
      const words = ['-j', '-a', '500', '-c', '5', '-T', 'a title', url];
      const script = require.resolve(`autocannon-${version}/autocannon.js`);
      const { stdout } = await run(process.execPath, [script, '-n', ...words]);
      const theirs = JSON.parse(stdout);
      const result = await new Sonde(t).run(['load', ...words]);
      const ours = JSON.parse(result.stdout);
      assertShape(theirs, ours, '');
      for (const name of ['title', 'url', 'connections', 'pipelining', 'sampleInt', 'errors']) {
        assert.equal(ours[name], theirs[name], name);
      }
      for (const name of ['timeouts', 'mismatches', 'non2xx', 'resets', '2xx', '4xx']) {
        assert.equal(ours[name], theirs[name], name);
      }
      assert.deepEqual(ours.statusCodeStats, theirs.statusCodeStats);
      assert.equal(ours.requests.total, theirs.requests.total);
      assert.equal(ours.requests.sent, theirs.requests.sent);
      assert.equal(ours.latency.totalCount, theirs.latency.totalCount);
    });
  }
}
