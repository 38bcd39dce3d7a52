// SPDX-License-Identifier: Apache-2.0
'use strict';

// Each flag of autocannon as docs/from-autocannon.md says it, and the program called by that name.

const assert = require('node:assert/strict');
const { lookup } = require('node:dns/promises');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { listen } = require('./support/load.js');
const { Sonde, bin, exited, root, start, temporary } = require('./support/sonde.js');
const { alive } = require('./support/target.js');
const { until } = require('./support/wait.js');

const app = path.join(__dirname, 'support', 'load-app.js');

// {port, requests, connections}: answers 200 "hello" unless `answer` does it.
async function startServer(t, answer = (_request, response) => response.end('hello'), at) {
  const seen = { requests: [], connections: 0 };
  const server = http.createServer((request, response) => {
    seen.requests.push({ url: request.url, headers: request.headers });
    answer(request, response);
  });
  server.on('connection', () => {
    seen.connections++;
  });
  seen.port = await listen(t, server, at);
  return seen;
}

const load = (t, words, options) => new Sonde(t).run(['load', ...words], options);

async function json(t, words, options) {
  const result = await load(t, ['-j', ...words], options);
  exited(result, 0);
  return JSON.parse(result.stdout);
}

// The program under the name autocannon.
function autocannon(t, words, options) {
  const link = path.join(temporary(t), 'autocannon');
  fs.symlinkSync(bin, link);
  return start(t, link, words, options).done;
}

const withoutPort = () => {
  const { PORT: _, ...environment } = process.env;
  return environment;
};

test('values without a space, and flags in one word', async (t) => {
  const { port, requests, ...rest } = await startServer(t);
  const said = await json(t, [`http://127.0.0.1:${port}/`, '-c3', '-a=30', '-p', '2']);
  assert.equal(said.connections, 3);
  assert.equal(said.pipelining, 2);
  assert.equal(requests.length, 30);
  assert.ok(rest);
  const silent = await load(t, [`127.0.0.1:${port}`, '-jn', '-a1']);
  assert.equal(JSON.parse(silent.stdout).url, `http://127.0.0.1:${port}`);
});

test('-d: seconds, or as timestring has it', async (t) => {
  const { port } = await startServer(t);
  for (const duration of ['1', '1s', '1 second', '0m1s']) {
    const said = await json(t, [`127.0.0.1:${port}`, '-d', duration]);
    assert.ok(said.duration >= 1 && said.duration < 1.9, `${duration}: ${said.duration}`);
  }
  const refused = await load(t, [`127.0.0.1:${port}`, '-d', '1500ms']);
  exited(refused, 2);
  assert.match(refused.stderr, /--duration: give whole seconds/);
  const none = await load(t, [`127.0.0.1:${port}`, '-d', '0']);
  exited(none, 2);
  assert.match(none.stderr, /--duration 0: give a duration from 1s to 2592000s, such as/);
});

test('-l: all percentiles; --no-verbose: no table; -n: nothing', async (t) => {
  const { port } = await startServer(t);
  const words = [`127.0.0.1:${port}`, '-a', '100'];
  const all = await load(t, [...words, '-l', '--renderStatusCodes']);
  exited(all, 0);
  assert.match(all.stdout, /^ *percentile +response +service +send lag$/m);
  assert.match(all.stdout, /^ {2}99\.999 % +\d/m);
  // Of a hundred ten lie beyond the 90th percentile, five beyond the next.
  assert.match(all.stdout, /^ {6}90 %[^*]*$/m);
  assert.match(all.stdout, /^ {6}95 %( +[^ ]+ [^ ]+\*){3}$/m);
  assert.match(all.stdout, /^ {5}2\.5 %( +[^ ]+ [^ ]+\*){3}$/m);
  assert.match(all.stdout, /^status: 200 100 times$/m);
  const brief = await load(t, [...words, '--no-verbose']);
  assert.doesNotMatch(brief.stdout, /^response/m);
  assert.match(brief.stdout, /^100 requests in /m);
  const silent = await load(t, [...words, '-n']);
  exited(silent, 0);
  assert.equal(silent.stdout + silent.stderr, '');
  const quiet = await load(t, [...words, '--no-progress']);
  assert.match(quiet.stdout, /^response/m);
});

test('-W: a test before the test, with options and results of its own', async (t) => {
  const { port, requests } = await startServer(t);
  const words = [
    '-W',
    '[',
    '-c',
    '1',
    '-a',
    '7',
    ']',
    `127.0.0.1:${port}/x`,
    '-a',
    '20',
    '-c',
    '2',
  ];
  const said = await json(t, words);
  assert.equal(requests.length, 27);
  assert.equal(said.requests.total, 20);
  assert.equal(said.connections, 2);
  assert.equal(said.warmup.requests.total, 7);
  assert.equal(said.warmup.connections, 1);
  assert.equal(said.warmup.url, said.url);
  for (const bracket of [['[', '-c', '0', ']'], ['[', 'http://x', ']'], ['[', '-W', ']'], ['[']]) {
    exited(await load(t, [`127.0.0.1:${port}`, '-a', '1', '-W', ...bracket]), 2);
  }
});

test('several URLs: connections take them in turn', async (t) => {
  const servers = [await startServer(t), await startServer(t), await startServer(t)];
  const urls = servers.map(({ port }, i) => `127.0.0.1:${port}/of/${i}`);
  const said = await json(t, [...urls, '-c', '6', '-M', '5']);
  assert.deepEqual(
    said.url,
    urls.map((url) => `http://${url}`),
  );
  for (const [i, { requests, connections, port }] of servers.entries()) {
    assert.equal(requests.length, 10);
    assert.ok(requests.every(({ url }) => url === `/of/${i}`));
    assert.equal(requests[0].headers.host, `127.0.0.1:${port}`);
    assert.equal(connections, 2);
  }
  exited(await load(t, [...Array(33).fill(urls[0]), '-a', '1']), 2);
});

test('-M: each connection sends so many, and it ends when all have', async (t) => {
  const perSocket = new Map();
  const { port, requests } = await startServer(t, (request, response) => {
    perSocket.set(request.socket, (perSocket.get(request.socket) ?? 0) + 1);
    response.end('hello');
  });
  for (const rest of [
    ['-c', '4', '-M', '7'],
    ['-c', '4', '-M', '7', '-w', '3', '-p', '5'],
    ['-c', '4', '-M', '7', '-R', '100'],
  ]) {
    perSocket.clear();
    requests.length = 0;
    const said = await json(t, [`127.0.0.1:${port}`, ...rest]);
    assert.equal(said.requests.total, 28);
    assert.deepEqual([...perSocket.values()], [7, 7, 7, 7]);
    assert.equal(said.errors, 0);
  }
  // With connections that are opened again: so many in all.
  perSocket.clear();
  const again = await json(t, [`127.0.0.1:${port}`, '-c', '1', '-M', '7', '-D', '3']);
  assert.equal(again.requests.total, 7);
  assert.deepEqual([...perSocket.values()], [3, 3, 1]);
});

test('-x: answers other than 2xx are counted, but their times are not', async (t) => {
  let count = 0;
  const { port } = await startServer(t, (_request, response) => {
    response.statusCode = count++ % 2 ? 500 : 200;
    response.end('hello');
  });
  const words = [`127.0.0.1:${port}`, '-a', '40', '-c', '1'];
  const all = await json(t, words);
  assert.equal(all.latency.totalCount, 40);
  const good = await json(t, [...words, '-x']);
  assert.equal(good.latency.totalCount, 20);
  assert.equal(good.requests.total, 40);
  assert.equal(good['5xx'], 20);
  assert.equal(good.non2xx, 20);
});

test('--stage: rates that follow each other', async (t) => {
  const { port } = await startServer(t);
  const said = await json(t, [
    `127.0.0.1:${port}`,
    ...['--stage', '1s:50', '--stage', '1s:150:ramp', '--stage', '1s:20'],
  ]);
  // 50, then from 50 to 150, then 20.
  assert.equal(said.sonde.sent + said.sonde.unsent, 50 + 100 + 20);
  assert.ok(said.duration >= 2.5 && said.duration < 6, `${said.duration}`);
  const wrong = await load(t, [`127.0.0.1:${port}`, '--stage', '1s']);
  exited(wrong, 2);
  assert.match(wrong.stderr, /the stage "1s" has no rate/);
  for (const more of [['-R', '5'], ['-d', '5'], ['-a', '5'], ['-f']]) {
    const refused = await load(t, [`127.0.0.1:${port}`, '--stage', '1s:5', ...more]);
    exited(refused, 2);
    assert.match(refused.stderr, /--stage says itself how long/);
  }
});

test('a Unix socket is not behind a proxy', async (t) => {
  const both = ['-S', '/tmp/socket', '--proxy', 'http://127.0.0.1:9'];
  const refused = await load(t, ['http://127.0.0.1:1/', ...both]);
  exited(refused, 2);
  assert.match(refused.stderr, /--socketPath and --proxy say each what is connected to/);
});

test('-L: how long a sample takes', async (t) => {
  const { port } = await startServer(t);
  for (const [milliseconds, samples, each] of [
    [200, 10, 10],
    [1000, 2, 50],
    [2000, 1, 100],
  ]) {
    const words = ['-R', '50', '-d', '2', '-L', String(milliseconds)];
    const said = await json(t, [`127.0.0.1:${port}`, ...words]);
    assert.equal(said.sampleInt, milliseconds);
    // One that a busy machine ends late has some of the next one.
    assert.ok(Math.abs(said.samples - samples) <= samples * 0.2, `${said.samples} samples`);
    assert.ok(Math.abs(said.requests.average - each) <= each * 0.3, `${said.requests.average}`);
    assert.equal(said.requests.total, 100);
  }
});

test('--max-rate: hosts beyond this machine and cluster are spared', async (t) => {
  // Only a proxy of this machine is ever connected to, and nobody listens there.
  const far = ['http://clinic.example/', '--proxy', 'http://127.0.0.1:9'];
  for (const [words, says] of [
    [['-R', '101'], /clinic\.example: 101 requests a second are more than the 100/],
    [['--stage', '1s:1', '--stage', '1s:101'], /clinic\.example: 101 requests a second are more/],
    [[], /clinic\.example: at most 100 requests a second are allowed, and without a rate/],
  ]) {
    const refused = await load(t, [...far, '--max-rate', '100', ...words]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, says);
  }
  const more = ['--max-rate', '100', '--allow-host', '*.example', '-R', '200', '-d', '1'];
  const allowed = await load(t, [...far, ...more]);
  assert.doesNotMatch(allowed.stderr, /allowed/);
  const { port } = await startServer(t);
  await json(t, [`127.0.0.1:${port}`, '--max-rate', '1', '-R', '20', '-d', '1']);
});

test('on a terminal: one line that says how it goes', async (t) => {
  const { port } = await startServer(t, (_request, response) => {
    response.statusCode = 503;
    response.end();
  });
  const line = `"${bin}" load 127.0.0.1:${port} -R 50 -d 3 --no-store`;
  const environment = { ...process.env, TERM: 'xterm' };
  const terminal = start(t, 'script', ['-qefc', `stty cols 120; ${line}`, '/dev/null'], {
    env: environment,
  });
  const { stdout } = await terminal.done;
  const lines = stdout.split('\r\x1b[K');
  assert.match(
    lines[1],
    /^1 s {2}[▁-█] {2}\d+\/s {2}p50 \S+ .?s {2}p99 \S+ .?s {2}0 errors {2}\d+ wrong {2}2 s left$/u,
  );
  assert.match(lines[2], /^2 s {2}[▁-█]{2} /u);
  assert.match(lines.at(-1), /^http:/);
});

test('user and password of the URL are sent, and do not stand in the results', async (t) => {
  const seen = [];
  const { port } = await startServer(t, (request, response) => {
    seen.push(request.headers.authorization);
    response.end();
  });
  const url = `foo:b%40r@127.0.0.1:${port}/x?a@b`;
  const said = await json(t, [`http://${url}`, '-a', '2']);
  const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;
  assert.equal(said.url, `http://127.0.0.1:${port}/x?a@b`);
  await json(t, [url, '-a', '1', '-H', 'authorization: mine']);
  const words = [`http://other@127.0.0.1:${port}`, url, '-c', '2', '-M', '1'];
  await json(t, words);
  assert.deepEqual(seen.slice(0, 3), [basic('foo:b@r'), basic('foo:b@r'), 'mine']);
  assert.deepEqual(seen.slice(3).sort(), [basic('foo:b@r'), basic('other:')].sort());
  const refused = await load(t, ['http://a%zz@127.0.0.1/']);
  exited(refused, 2);
  assert.match(refused.stderr, /the URL's user and password: give USER:PASSWORD@ before its host/);
});

test("autocannon's own test servers: what they do", async (t) => {
  // Trailers; no answer; a socket that is destroyed; answers that come late.
  const trailers = await startServer(t, (_request, response) => {
    response.writeHead(200, { Trailer: 'Content-MD5' });
    response.write('hello ');
    response.addTrailers({ 'Content-MD5': '7895bf4b8828b55ceaf47747b4bca667' });
    response.end('world');
  });
  const good = await json(t, [`127.0.0.1:${trailers.port}`, '-a', '20']);
  assert.deepEqual([good['2xx'], good.errors], [20, 0]);
  const silent = await startServer(t, () => {});
  const words = [`127.0.0.1:${silent.port}`, '-c', '2', '-t', '1', '-d', '2', '-j'];
  const late = JSON.parse((await load(t, words)).stdout);
  assert.ok(late.timeouts >= 2 && late.errors === late.timeouts, JSON.stringify(late));
  assert.equal(late['2xx'], 0);
  const destroying = await startServer(t, (request) => request.socket.destroy());
  const broken = await load(t, [`127.0.0.1:${destroying.port}`, '-c', '1', '-d', '1', '-j']);
  assert.ok(JSON.parse(broken.stdout).errors > 0);
  const delayed = await startServer(t, (_request, response) => {
    setTimeout(() => response.end(), 100);
  });
  const slow = await json(t, [`127.0.0.1:${delayed.port}`, '-c', '1', '-a', '5']);
  assert.ok(slow.latency.min >= 99, `${slow.latency.min} ms`);
});

test('-B: errors end it, connections that are dropped among them', async (t) => {
  const server = net.createServer((socket) => socket.once('data', () => socket.destroy()));
  const port = await listen(t, server);
  const result = await load(t, [`127.0.0.1:${port}`, '-f', '-B', '3']);
  exited(result, 1);
  assert.match(result.stderr, /ended after \d+ errors \(--bailout 3\)/);
  assert.match(result.stdout, /errors: \d+ reset/);
});

test('-a: it ends when nobody can be connected to for as long as the time limit', async (t) => {
  const free = net.createServer();
  await new Promise((resolve) => free.listen(0, '127.0.0.1', resolve));
  const { port } = free.address();
  await new Promise((resolve) => free.close(resolve));
  const result = await load(t, [`127.0.0.1:${port}`, '-a', '5', '-t', '1', '--debug']);
  exited(result, 1);
  assert.match(result.stderr, /nobody could be connected to for \d+ s/);
  assert.match(result.stderr, /^1 s: \d+ refused$/m);
});

test('-r before -R; -C: latency from when a request was sent', async (t) => {
  // Two connections do 20 a second: half of the requests wait.
  const { port } = await startServer(t, (_, response) => setTimeout(() => response.end(), 100));
  const words = [`127.0.0.1:${port}`, '-c', '2', '--max-connections', '2', '-d', '2'];
  const due = await json(t, [...words, '-r', '20', '-R', '1']);
  assert.ok(due.latency.p50 > 300, `${due.latency.p50} ms`);
  const sent = await json(t, [...words, '-R', '40', '-C']);
  assert.ok(sent.latency.p50 < 300, `${sent.latency.p50} ms`);
  assert.ok(sent.sonde.responseMicroseconds.p50 > 300000);
  const refused = await load(t, [`127.0.0.1:${port}`, '-C']);
  exited(refused, 2);
  assert.match(refused.stderr, /--ignoreCoordinatedOmission needs a rate: give -R or -r, too/);
});

test('IPv6, and both addresses of localhost', async (t) => {
  const six = await startServer(t, undefined, '::1');
  const said = await json(t, [`http://[::1]:${six.port}/`, '-a', '10']);
  assert.equal(said.requests.total, 10);
  assert.equal(six.requests[0].headers.host, `[::1]:${six.port}`);
  const addresses = await lookup('localhost', { all: true });
  const families = addresses.map(({ family }) => family);
  for (const [family, seen] of [
    [6, six],
    [4, await startServer(t)],
  ]) {
    if (families.includes(family)) {
      const local = await json(t, [`http://localhost:${seen.port}/`, '-a', '50']);
      assert.equal(local.errors, 0);
      assert.equal(local.requests.total, 50);
    }
  }
});

test('$PORT: a path alone', async (t) => {
  const { port, requests } = await startServer(t);
  const environment = { ...process.env, PORT: String(port) };
  const said = await json(t, ['/a/b', '-a', '3'], { env: environment });
  assert.equal(said.url, `http://localhost:${port}/a/b`);
  assert.equal(requests[2].url, '/a/b');
  const none = await load(t, ['/a/b', '-a', '3'], { env: withoutPort() });
  exited(none, 2);
  assert.match(none.stderr, /a path alone needs a server behind --, or the variable PORT/);
  const wrong = await load(t, ['/', '-a', '3'], { env: { ...process.env, PORT: 'http' } });
  exited(wrong, 2);
  assert.match(wrong.stderr, /the variable PORT is "http": set a number from 1 to 65535/);
});

test('--on-port: the server behind -- is loaded when it listens, and ends with the test', async (t) => {
  const file = path.join(temporary(t), 'pids');
  const environment = { ...withoutPort(), PIDS: file };
  const commands = [
    [process.execPath, app],
    // Its inspector listens first, on any port: it is none to be loaded.
    [process.execPath, '--inspect=0', app],
    [process.execPath, '--inspect=0', app],
    [process.execPath, '--inspect=0', app],
    // A shell that starts the server, and something that does not end by itself.
    ['sh', '-c', `"${process.execPath}" "${app}" & trap "" INT; sleep 1000 & wait`],
  ];
  for (const command of commands) {
    fs.writeFileSync(file, '');
    const words = ['-j', '--on-port', '/path', '-a', '20', '--', ...command];
    const result = await load(t, words, { env: environment });
    exited(result, 0);
    const said = JSON.parse(result.stdout);
    assert.equal(said.requests.total, 20);
    assert.match(said.url, /^http:\/\/localhost:\d+\/path$/);
    assert.match(result.stderr, /says on stdout/);
    assert.match(result.stderr, /says on stderr/);
    const pids = fs.readFileSync(file, 'utf8').trim().split('\n').map(Number);
    assert.ok(pids.length > 0);
    for (const pid of pids) {
      await until(() => !alive(pid), 10000, `process ${pid} to end`);
    }
  }
  // The name of this machine without a port; a URL with one is what it says.
  const other = await startServer(t);
  const bare = await json(t, ['localhost/x', '-a', '5', '--', process.execPath, app]);
  assert.match(bare.url, /^http:\/\/localhost:\d+\/x$/);
  await json(t, [`http://localhost:${other.port}/`, '-a', '5', '--', process.execPath, app]);
  assert.equal(other.requests.length, 5);
});

test('--on-port: what cannot be started, or ends, is said', async (t) => {
  for (const [words, says] of [
    [['--on-port', '/'], /--on-port needs a command/],
    [['/', '--'], /give a command after --/],
    [['/', '--', 'true'], /true ended before it listened on a port/],
    [['/', '--', '/nonexistent'], /cannot start \/nonexistent: No such file/],
  ]) {
    const result = await load(t, words);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, says);
  }
  const leaves = [process.execPath, app, 'leave'];
  const result = await load(t, ['/', '-d', '2', '--', ...leaves]);
  assert.match(result.stderr, /ended before the test did/);
});

test('interrupted twice: it ends at once, and the server with it', async (t) => {
  const file = path.join(temporary(t), 'pids');
  const words = ['load', '/never', '-f', '-t', '1h', '--', process.execPath, app];
  const running = new Sonde(t).start(words, { env: { ...withoutPort(), PIDS: file } });
  await running.says(/asked for \/never/);
  const pid = Number(fs.readFileSync(file, 'utf8'));
  running.child.kill('SIGINT');
  running.child.kill('SIGTERM');
  const result = await running.done;
  assert.ok([130, 143].includes(result.code), `${result.code}`);
  await until(() => !alive(pid), 10000, 'the server to end');
});

test('the name autocannon: what goes where, and exit code 0', async (t) => {
  const { port } = await startServer(t);
  const table = await autocannon(t, [`http://127.0.0.1:${port}`, '-a', '10']);
  exited(table, 0);
  assert.equal(table.stdout, '');
  assert.match(table.stderr, /^response/m);
  const lines = await autocannon(t, ['-j', '-a', '10', `127.0.0.1:${port}`]);
  exited(lines, 0);
  assert.equal(JSON.parse(lines.stdout)['2xx'], 10);
  assert.equal(lines.stderr, '');
  exited(await autocannon(t, ['-d', '1', 'http://127.0.0.1:1/']), 0);
  exited(await autocannon(t, []), 2);
  exited(await autocannon(t, ['-c', '0', 'http://127.0.0.1:1/']), 2);
  const version = await autocannon(t, ['--version']);
  exited(version, 0);
  assert.match(version.stdout, /^sonde \d/);
  const threshold = ['--threshold', 'http_reqs: count>10'];
  exited(await autocannon(t, ['-a', '10', ...threshold, `127.0.0.1:${port}`]), 99);
});

test('the name autocannon, as clinic --on-port and 0x call it', async (t) => {
  const { port, requests } = await startServer(t);
  const directory = temporary(t);
  fs.symlinkSync(bin, path.join(directory, 'autocannon'));
  const environment = { ...process.env, PORT: `${port}`, PATH: `${directory}:${process.env.PATH}` };
  const command = 'autocannon -m POST -c 2 -a 10 /items && autocannon -a 3 localhost:$PORT/more';
  const result = await start(t, 'sh', ['-c', command], { env: environment }).done;
  exited(result, 0);
  assert.deepEqual(
    requests.map(({ url }) => url),
    [...Array(10).fill('/items'), ...Array(3).fill('/more')],
  );
});

test("every flag of autocannon's own help is in the table, and one of ours", async (t) => {
  const table = fs.readFileSync(path.join(root, 'docs/from-autocannon.md'), 'utf8');
  const { stdout } = await load(t, ['--help']);
  for (const version of ['8', '9']) {
    const script = require.resolve(`autocannon-${version}/autocannon.js`);
    const help = fs.readFileSync(path.join(path.dirname(script), 'help.txt'), 'utf8');
    const lines = help.match(/^ {2}-\S+/gm);
    assert.ok(lines.length > 30);
    for (const flag of lines.flatMap((line) => line.trim().split('/'))) {
      assert.ok(table.includes(`\`${flag}\``), `${flag} in the table`);
      const listed = new RegExp(`(^|\\s)${flag}(,|\\s|$)`, 'm');
      assert.ok(listed.test(stdout), `${flag} in the help`);
    }
  }
});
