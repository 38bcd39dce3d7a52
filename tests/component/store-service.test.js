// SPDX-License-Identifier: Apache-2.0
'use strict';

// sonde-store: what controllers, sidecars and people get from it, and what it refuses.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { randomBytes, randomInt, randomUUID } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { zstdDecompressSync } = require('node:zlib');
const { ApiServer } = require('./support/api-server.js');
const { pageData } = require('./support/page.js');
const { Service, Sidecar, profileBytes, program, sha256 } = require('./support/store-service.js');
const { exited, isSanitized, start, temporary } = require('./support/sonde.js');
const { until } = require('./support/wait.js');

function refused(answer, status, code) {
  assert.deepEqual([answer.status, answer.json?.code], [status, code], answer.text);
  assert.ok(answer.json.message.length > 10);
}

test('a run goes from its registration to its report', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  assert.equal((await sidecar.beat('Connected')).json.cancel, false);
  const bytes = profileBytes();
  assert.equal((await sidecar.store('cpu.0', bytes)).status, 201);
  const cost = { attachMilliseconds: 20, inspectorOpenSeconds: 1.5, bytes: 7, rotations: 1 };
  const processes = [{ pid: 7, nodeVersion: 'v22.1.1', directory: '/app', cost }];
  assert.equal((await sidecar.done({ state: 'Succeeded', processes })).status, 200);
  const { json } = await sidecar.conclude();
  assert.match(json.summary.top, /^\d+% hot work\.js:1$/);
  assert.equal(json.summary.bytes, bytes.length);
  assert.ok(json.summary.findings > 0);
  assert.equal(json.artifacts[0].sha256, sha256(bytes));
  assert.deepEqual((await sidecar.conclude()).json, json);
  const report = await service.person('GET', 'runs/slow/report?namespace=clinic');
  assert.match(report.text, /^slow {2}Succeeded/);
  assert.match(report.text, /Deployment\/web, Node\.js v22\.1\.1/);
  const other = await service.run({ name: 'other', namespace: 'billing' });
  await other.store('cpu.0', bytes);
  const compare = (more) => service.person('GET', `compare?${more}`);
  const same = await compare(`namespace=clinic&before=slow&after=${sidecar.uid}&format=json`);
  assert.equal(same.json.before.uid, sidecar.uid);
  assert.ok(same.json.functions.every((one) => one.self.change === 0));
  assert.match((await compare('before=slow&after=other')).text, /^before .*\nafter .*other/);
  const both = await compare('namespace=clinic&before=slow&after=slow&format=html');
  assert.equal(both.headers['content-type'], 'text/html; charset=utf-8');
  assert.match(both.text, /^<!doctype html>/);
  // Rights in one namespace show nothing of another one.
  refused(await compare('namespace=clinic&before=slow&after=other'), 404, 'NotFound');
  refused(await compare('namespace=clinic&before=slow'), 400, 'Invalid');
  refused(await compare('namespace=clinic&before=slow&after=slow&format=png'), 400, 'Invalid');
  const page = await service.person('GET', 'runs/last/report?namespace=clinic&format=html');
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'], /^text\/html; charset=utf-8$/);
  assert.match(page.text, /^<!doctype html>[\s\S]*id="data">[\w+/=]{100}/);
  const [capture] = pageData(page.text).captures;
  assert.ok(capture.nodes.frame.length > 5 && capture.samples.node.length > 5);
  assert.ok(capture.lines.ticks.length > 0);
  const unknown = await service.person('GET', 'runs/last/report?namespace=clinic&format=pdf');
  assert.equal(unknown.status, 400);
  const asJson = await service.person('GET', 'runs/last/report?namespace=clinic&format=json');
  assert.equal(asJson.json.captures[0].functions[0].function, 'hot');
  for (const format of ['cpuprofile', 'speedscope', 'folded', 'pprof']) {
    const where = `runs/${sidecar.uid}/captures/cpu?namespace=clinic&format=${format}`;
    const answer = await service.person('GET', where);
    assert.equal(answer.status, 200);
    assert.ok(answer.text.length > 100);
  }
  const raw = await service.person('GET', `artifacts/${json.artifacts[0].id}?namespace=clinic`);
  assert.equal(sha256(raw.text), sha256(bytes));
  const logged = () => service.log().filter(({ message }) => message === 'download');
  await until(() => logged().length >= 11, 5000, 'the log of eleven downloads');
  const downloads = logged();
  assert.equal(downloads.length, 11);
  const { text } = await service.ask('GET', '/metrics');
  const number = (name) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        .split(' ')[1],
    );
  assert.equal(number('sonde_store_downloads_total'), 11);
  assert.equal(number('sonde_store_uploads_total'), 2);
  assert.equal(number('sonde_store_upload_bytes_total'), 2 * bytes.length);
  assert.equal(number('sonde_store_answers_total{class="2xx"}'), 21);
  assert.equal(downloads[0].user, '(the holder of the token)');
  assert.equal(downloads[0].namespace, 'clinic');
  assert.equal(downloads[0].run, sidecar.uid);
});

test('what cannot be analysed is concluded all the same', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  await sidecar.store('cpu.0', Buffer.from('{"no":"profile"}'));
  await sidecar.done();
  const { status, json } = await sidecar.conclude();
  assert.equal(status, 200);
  assert.equal(json.summary, null);
  assert.match(json.problem, /pod-a\.7\.cpu\.0: .*no nodes/);
  assert.equal(json.artifacts.length, 1);
  assert.deepEqual((await sidecar.conclude()).json, json);
  const { runs } = (await service.person('GET', 'runs')).json;
  assert.equal(runs[0].state, 'Succeeded');
});

test('processes of several pods are one profile', async (t) => {
  const service = await Service.start(t);
  const first = await service.run();
  const second = await service.run({ uid: first.uid, target: 'pod-b' });
  const bytes = profileBytes();
  await first.store('cpu.0', bytes);
  const one = await first.conclude();
  await first.service.person('DELETE', `runs/${first.uid}?namespace=clinic`);
  const both = await service.run({ uid: first.uid });
  const other = await service.run({ uid: first.uid, target: 'pod-b' });
  await both.store('cpu.0', bytes);
  await other.store('cpu.0', bytes);
  assert.equal((await both.conclude()).json.summary.top, one.json.summary.top);
  const where = `runs/${first.uid}/report?namespace=clinic&format=json`;
  const { json } = await service.person('GET', where);
  assert.equal(json.captures[0].windows, 2);
  assert.equal(second.uid, first.uid);
});

test('nothing is there before its commit, and only what arrived whole', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run({ spec: { maxBytes: 1048576 } });
  const bytes = Buffer.from('{"some":"content"}');
  const put = await sidecar.put('cpu.0', bytes);
  assert.deepEqual(put.json, { bytes: bytes.length, sha256: sha256(bytes) });
  assert.deepEqual(await sidecar.artifacts(), []);
  refused(await sidecar.commit('cpu.0', bytes, { bytes: 1 }), 409, 'Mismatch');
  refused(await sidecar.commit('cpu.0', bytes), 404, 'NotFound');
  await sidecar.put('cpu.0', bytes);
  refused(await sidecar.commit('cpu.0', bytes, { sha256: sha256('other') }), 409, 'Mismatch');
  await assert.rejects(sidecar.put('cpu.1', bytes, { cut: 5 }));
  assert.ok([404, 409].includes((await sidecar.commit('cpu.1', bytes)).status));
  assert.equal((await sidecar.store('cpu.1', bytes)).status, 201);
  assert.equal((await sidecar.store('cpu.0', bytes)).status, 201);
  assert.equal((await sidecar.commit('cpu.0', bytes)).status, 201); // its answer was lost
  refused(await sidecar.store('cpu.0', Buffer.from('{}')), 409, 'Exists');
  assert.deepEqual(await sidecar.artifacts(), ['pod-a.7.cpu.1', 'pod-a.7.cpu.0']);
  refused(await sidecar.put('cpu.2', Buffer.alloc(1048576)), 413, 'TooLarge');
  assert.equal((await sidecar.store('cpu.3', bytes)).status, 201);
});

test('an artifact of any size is handed out as it is kept', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  const line = `{"a":"${randomBytes(300).toString('hex')}"}\n`;
  const bytes = Buffer.from(line.repeat(120000)); // 73 MB
  assert.equal((await sidecar.store('cpu.0', bytes)).status, 201);
  const headers = { 'Accept-Encoding': 'gzip, zstd;q=0.9' };
  const ways = [
    `artifacts/${sidecar.uid}.pod-a.7.cpu.0?namespace=clinic`,
    `runs/${sidecar.uid}/captures/cpu?namespace=clinic&format=raw`,
  ];
  for (const where of ways) {
    const whole = await service.person('GET', where, { headers });
    assert.equal(whole.status, 200);
    assert.equal(whole.headers['content-encoding'], 'zstd');
    assert.ok(whole.bytes.length < bytes.length / 10);
    assert.equal(sha256(zstdDecompressSync(whole.bytes)), sha256(bytes));
    assert.equal(whole.headers['sonde-bytes'], String(bytes.length));
    assert.equal(whole.headers['sonde-sha256'], sha256(bytes));
    for (const refusal of [{}, { 'Accept-Encoding': 'zstd;q=0, gzip' }]) {
      const large = await service.person('GET', where, { headers: refusal });
      refused(large, 413, 'TooLarge');
      assert.match(large.json.message, /Accept-Encoding: zstd/);
    }
  }
  const missing = `artifacts/${sidecar.uid}.pod-a.7.cpu.1?namespace=clinic`;
  refused(await service.person('GET', missing, { headers }), 404, 'NotFound');
  const other = `runs/${sidecar.uid}/captures/cpu?namespace=billing&format=raw`;
  refused(await service.person('GET', other, { headers }), 404, 'NotFound');
  const downloads = service.log().filter(({ message }) => message === 'download');
  assert.equal(downloads.filter(({ user }) => user).length, 7);
});

test('what was cut on the disk is not handed out', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  const bytes = randomBytes(100000);
  assert.equal((await sidecar.store('cpu.0', bytes)).status, 201);
  const digest = sha256(bytes);
  const blob = path.join(service.directory, 'store/blobs', digest.slice(0, 2), `${digest}.zst`);
  fs.truncateSync(blob, 50000);
  for (const headers of [{ 'Accept-Encoding': 'zstd' }, {}]) {
    const ways = [
      `artifacts/${sidecar.uid}.pod-a.7.cpu.0?namespace=clinic`,
      `runs/${sidecar.uid}/captures/cpu?namespace=clinic&format=raw`,
      `runs/${sidecar.uid}/captures/cpu?namespace=clinic&format=pprof`,
    ];
    for (const where of ways) {
      const answer = await service.person('GET', where, { headers });
      refused(answer, 500, 'Unreadable');
      assert.match(answer.json.message, /cpu\.0 is damaged in the store .*: delete the run/);
    }
  }
  assert.ok(service.log().some(({ message }) => message === 'what is kept cannot be read'));
});

test('what was malformed when it was sent is no damage', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  const bytes = Buffer.from('{"no":"profile"}');
  assert.equal((await sidecar.store('cpu.0', bytes)).status, 201);
  const run = `runs/${sidecar.uid}`;
  const ways = [
    `${run}/report?namespace=clinic&format=json`,
    `${run}/captures/cpu?namespace=clinic&format=pprof`,
  ];
  for (const where of ways) {
    refused(await service.person('GET', where), 400, 'Malformed');
  }
  const ofDisk = () => service.log().some(({ level }) => level === 'error');
  assert.ok(!ofDisk(), JSON.stringify(service.log()));
  const digest = sha256(bytes);
  fs.rmSync(path.join(service.directory, 'store/blobs', digest.slice(0, 2), `${digest}.zst`));
  for (const where of ways) {
    refused(await service.person('GET', where), 500, 'Unreadable');
  }
  await until(ofDisk, 5000, 'the damage is logged');
});

test('artifacts that are sent at once have one bound together', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run({ spec: { maxBytes: 1000 } });
  const other = await service.run({ uid: sidecar.uid, target: 'pod-b', spec: { maxBytes: 1000 } });
  const held = {};
  const bytes = (length) => Buffer.alloc(length, 'x');
  const first = sidecar.put('cpu.0', bytes(500), { held });
  const unfinished = async () => (await sidecar.commit('cpu.0', bytes(500))).status === 409;
  await until(unfinished, 20000, 'the store has the beginning');
  refused(await other.put('cpu.0', bytes(600)), 413, 'TooLarge');
  assert.equal((await other.put('cpu.1', bytes(400))).status, 202); // not committed yet
  refused(await other.put('cpu.2', bytes(200)), 413, 'TooLarge');
  assert.equal((await other.commit('cpu.1', bytes(400))).status, 201);
  refused(await other.put('cpu.2', bytes(200)), 413, 'TooLarge');
  assert.equal((await other.store('cpu.2', bytes(100))).status, 201);
  held.end();
  assert.equal((await first).status, 202);
  assert.equal((await sidecar.commit('cpu.0', bytes(500))).status, 201);
  refused(await sidecar.put('cpu.3', bytes(1)), 413, 'TooLarge');
});

test('an artifact is sent anew while its first connection hangs', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  const bytes = Buffer.from('{"some":"content"}');
  const held = {};
  const first = sidecar.put('cpu.0', bytes, { held });
  const unfinished = async () => (await sidecar.commit('cpu.0', bytes)).status === 409;
  await until(unfinished, 20000, 'the store has the beginning');
  assert.equal((await sidecar.put('cpu.0', bytes)).status, 202);
  held.end();
  refused(await first, 409, 'Conflict');
  assert.equal((await sidecar.commit('cpu.0', bytes)).status, 201);
  assert.deepEqual(await sidecar.artifacts(), ['pod-a.7.cpu.0']);
});

test('names and types that are not a sidecar’s are refused', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  const bytes = Buffer.from('{}');
  const put = (name, headers = {}) =>
    sidecar.ask('PUT', `artifacts/${name}`, {
      body: bytes,
      headers: {
        'Content-Type': 'application/json',
        'Sonde-Capture': 'cpu',
        'Sonde-Type': 'CPUProfile',
        ...headers,
      },
    });
  for (const name of [
    'pod-b.7.cpu.0',
    'pod-a',
    'pod-ab.7',
    'pod-a.%2Fx',
    'pod-a.%22',
    'pod-a.%0A',
  ]) {
    refused(await put(name), 400, 'Invalid');
  }
  refused(await put('pod-a.1', { 'Sonde-Type': 'Other' }), 400, 'Invalid');
  refused(await put('pod-a.1', { 'Sonde-Capture': 'a"b' }), 400, 'Invalid');
  refused(await put('pod-a.1', { 'Content-Type': 'a/b\u00e9' }), 400, 'Invalid');
});

test('a token is for one target, one process and one time', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  const other = await service.run();
  const thief = new Sidecar(service, sidecar.uid, sidecar.target);
  refused(await thief.beat(), 401, 'TokenUnknown');
  thief.token = other.token;
  refused(await thief.beat(), 401, 'TokenUnknown');
  assert.equal((await sidecar.beat()).status, 200);
  thief.token = sidecar.token;
  refused(await thief.beat(), 403, 'TokenUsed');
  refused(await thief.store('cpu.0', Buffer.from('{}')), 403, 'TokenUsed');
  await service.restart();
  refused(await thief.beat(), 403, 'TokenUsed');
  assert.equal((await sidecar.done()).status, 200);
  refused(await sidecar.beat(), 403, 'TokenSpent');
  const late = new Sidecar(service, randomUUID(), 'pod-a');
  await late.register({ expires: 1_700_000_000 });
  refused(await late.beat(), 403, 'TokenExpired');
  assert.deepEqual(await sidecar.artifacts(), []);
});

test('a run may be registered again, with a few more tokens', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  assert.equal((await sidecar.register()).status, 200);
  for (let i = 1; i < 8; i++) {
    const again = new Sidecar(service, sidecar.uid, sidecar.target);
    assert.equal((await again.register()).status, 200);
    assert.equal((await again.beat()).status, 200);
  }
  refused(await new Sidecar(service, sidecar.uid, 'pod-a').register(), 413, 'TooLarge');
  assert.equal((await sidecar.beat()).status, 200);
  await sidecar.conclude();
  refused(await new Sidecar(service, sidecar.uid, 'pod-a').register(), 409, 'Conflict');
});

test('the controller hears at once how far targets are, also after a restart', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  const changes = (since, wait = 20) =>
    service.controller('GET', `changes?since=${since}&wait=${wait}`);
  const first = (await changes('')).json;
  assert.equal(first.all, true);
  const own = { uid: sidecar.uid, namespace: 'clinic', name: 'slow', target: 'pod-a' };
  assert.deepEqual(first.changes, [{ ...own, phase: 'Expected' }]);
  const waiting = [changes(first.next), changes(first.next)];
  await sidecar.beat('Connected');
  for (const answer of await Promise.all(waiting)) {
    assert.deepEqual(answer.json.changes, [{ ...own, phase: 'Connected' }]);
  }
  const next = (await changes(first.next)).json.next;
  assert.deepEqual((await changes(next, 1)).json.changes, []);
  await sidecar.beat('Capturing');
  await sidecar.beat('Connected'); // never back
  await sidecar.done({ state: 'Succeeded', processes: [], bytes: 3 });
  const told = (await changes(next)).json;
  assert.deepEqual(
    told.changes.map(({ phase }) => phase),
    ['Capturing', 'Done'],
  );
  assert.equal(told.changes[1].result.bytes, 3);
  await service.restart();
  const after = (await changes(told.next)).json;
  assert.equal(after.all, true);
  assert.equal(after.changes[0].phase, 'Done');
  await sidecar.conclude();
  assert.deepEqual((await changes('')).json.changes, []);
  const { json } = await changes(after.next, 0);
  const removed = await service.run();
  await removed.beat();
  await service.person('DELETE', `runs/${removed.uid}?namespace=clinic`);
  assert.deepEqual((await changes(json.next)).json.changes, []);
});

test('what sidecars say comes to the controller in pages', async (t) => {
  const service = await Service.start(t);
  const message = 'x'.repeat(1024);
  const processes = Array.from({ length: 64 }, (_, pid) => ({ pid, directory: message }));
  const result = { state: 'Failed', reason: 'Internal', message, processes: processes.slice(20) };
  const hostile = { ...result, x: Array(2000).fill(0) };
  const runs = await Promise.all(
    Array.from({ length: 24 }, (_, i) => service.run({ name: `r${i}` })),
  );
  const changes = async (since) => {
    const { status, json, text } = await service.controller('GET', `changes?since=${since}&wait=0`);
    assert.equal(status, 200);
    assert.ok(text.length < 1048576, `${text.length} bytes`);
    return json;
  };
  const told = async (since, all) => {
    const uids = new Set();
    let pages = 0;
    let page;
    do {
      page = await changes(page?.next ?? since);
      assert.equal(page.all, all);
      for (const change of page.changes) {
        assert.deepEqual(change.result, result);
        uids.add(change.uid);
      }
    } while (page.changes.length && ++pages && (!all || page.next.split('-').length > 2));
    assert.deepEqual(uids, new Set(runs.map(({ uid }) => uid)));
    assert.ok(pages > 1);
    return page.next;
  };
  const { next } = await changes('');
  for (const sidecar of runs) {
    assert.equal((await sidecar.done(hostile)).status, 200);
  }
  const last = await told(next, false);
  assert.equal(await told('', true), last);
  const odd = ['-', '--', `${next}-`, `${next}-x-y`, `x-1-${runs[0].uid}`, 'x'.repeat(5000)];
  for (const cursor of odd) {
    assert.equal((await changes(cursor)).all, true);
  }
});

test('a sidecar that falls silent is told of', async (t) => {
  const service = await Service.start(t, ['--lost-after', '1s']);
  const sidecar = await service.run();
  await sidecar.beat('Capturing');
  const { next } = (await service.controller('GET', 'changes')).json;
  const { json } = await service.controller('GET', `changes?since=${next}&wait=20`);
  assert.deepEqual(
    json.changes.map(({ uid, target, phase }) => [uid, target, phase]),
    [[sidecar.uid, 'pod-a', 'Lost']],
  );
});

test('a run that is cancelled or over says so to its sidecars', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  assert.equal((await sidecar.beat()).json.cancel, false);
  assert.equal((await service.controller('POST', `runs/${sidecar.uid}/cancel`, {})).status, 200);
  assert.equal((await sidecar.beat()).json.cancel, true);
  assert.equal((await sidecar.store('cpu.0', Buffer.from('{}'))).status, 201);
  const other = await service.run();
  await other.conclude('Failed');
  assert.equal((await other.beat()).json.cancel, true);
  refused(await other.put('cpu.0', Buffer.from('{}')), 409, 'Conflict');
  const nobody = randomUUID();
  refused(await service.controller('POST', `runs/${nobody}/cancel`, {}), 404, 'NotFound');
  const words = { state: 'Failed' };
  refused(await service.controller('POST', `runs/${nobody}/conclude`, words), 404, 'NotFound');
});

test('another namespace is not shown, and what is deleted is gone', async (t) => {
  const service = await Service.start(t);
  const sidecar = await service.run();
  await sidecar.store('cpu.0', Buffer.from('{}'));
  const own = `runs/${sidecar.uid}`;
  for (const where of [own, 'runs/slow', `${own}/report`, `${own}/document`]) {
    refused(await service.person('GET', `${where}?namespace=billing`), 404, 'NotFound');
  }
  const artifact = `artifacts/${sidecar.uid}.pod-a.7.cpu.0`;
  refused(await service.person('GET', `${artifact}?namespace=billing`), 404, 'NotFound');
  assert.deepEqual((await service.person('GET', 'runs?namespace=billing')).json.runs, []);
  assert.equal((await service.person('GET', 'runs')).json.runs[0].requester, 'ann');
  refused(await service.person('DELETE', `runs/slow?namespace=billing`), 404, 'NotFound');
  assert.equal((await service.person('DELETE', 'runs/slow?namespace=clinic')).status, 200);
  assert.deepEqual((await service.person('GET', 'runs')).json.runs, []);
});

test('what is malformed is refused', async (t) => {
  const service = await Service.start(t);
  for (const body of [Buffer.from('{'), Buffer.from('[]'), {}, { uid: 'x', document: {} }]) {
    const answer = await service.controller('POST', 'runs', body);
    assert.equal(answer.status, 400, answer.text);
  }
  refused(await service.api('GET', 'runs'), 401, 'Unauthenticated');
  refused(await service.api('GET', 'runs', { token: 'unknown' }), 401, 'Unauthenticated');
  refused(await service.person('POST', 'runs', { body: {} }), 401, 'Unauthenticated');
  refused(await service.person('GET', 'runs?limit=0'), 400, 'Invalid');
  refused(await service.person('GET', 'nothing'), 404, 'NotFound');
  const metrics = await service.ask('GET', '/metrics');
  for (const line of metrics.text.split('\n').slice(0, -1)) {
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [\d.e+]+)$/);
  }
  assert.equal((await service.ask('GET', '/readyz')).status, 200);
});

test('who somebody is and what they may, the API server is asked', async (t) => {
  const api = await new ApiServer(t).start();
  const reviews = [];
  api.review = (kind, spec) => {
    reviews.push([kind, spec]);
    if (kind === 'TokenReview') {
      const known = { 'of-ann': 'ann', 'of-controller': 'the-controller' };
      const audience = spec.token === 'of-controller' ? 'sonde-store' : undefined;
      const authenticated = spec.token in known && spec.audiences?.[0] === audience;
      return authenticated
        ? { authenticated, user: { username: known[spec.token], groups: ['g'] } }
        : { authenticated };
    }
    return { allowed: spec.resourceAttributes.namespace === 'clinic' };
  };
  const kubeconfig = api.kubeconfig();
  const more = ['--kubeconfig', kubeconfig, '--controller', 'the-controller'];
  const service = await Service.start(t, more);
  await service.run();
  const ann = (where) => service.api('GET', where, { token: 'of-ann' });
  assert.equal((await ann('runs?namespace=clinic')).json.runs.length, 1);
  const [, review] = reviews;
  assert.equal(review[1].user, 'ann');
  assert.deepEqual(review[1].groups, ['g']);
  const { verb, resource, group, namespace } = review[1].resourceAttributes;
  assert.deepEqual(
    [verb, resource, group, namespace],
    ['list', 'profileruns', 'sonde.dev', 'clinic'],
  );
  const before = reviews.length;
  assert.equal((await ann('runs?namespace=clinic')).status, 200);
  assert.equal(reviews.length, before); // known for some seconds
  const denied = await ann('runs?namespace=billing');
  refused(denied, 403, 'Denied');
  assert.match(
    denied.json.message,
    /ann may not list profileruns of sonde\.dev in namespace billing/,
  );
  refused(await ann('runs'), 403, 'Denied');
  await ann('runs/slow/report?namespace=clinic');
  assert.equal(reviews.at(-1)[1].resourceAttributes.subresource, 'report');
  await ann('compare?namespace=clinic&before=slow&after=slow');
  assert.equal(reviews.at(-1)[1].resourceAttributes.subresource, 'report');
  await ann('runs/slow/captures/cpu?namespace=clinic&format=folded');
  assert.equal(reviews.at(-1)[1].resourceAttributes.subresource, 'artifacts');
  assert.equal((await ann('runs/slow/document?namespace=clinic')).json.metadata.name, 'slow');
  const { subresource: none, verb: get } = reviews.at(-1)[1].resourceAttributes;
  assert.deepEqual([get, none], ['get', undefined]); // who may read the object
  const changes = (token) => service.api('GET', 'changes', { token });
  assert.equal((await changes('of-controller')).status, 200);
  assert.deepEqual(reviews.at(-1)[1].audiences, ['sonde-store']);
  refused(await changes('of-ann'), 401, 'Unauthenticated');
  const through = await service.api('GET', 'runs?namespace=clinic', {
    headers: { 'Sonde-Authorization': 'Bearer of-ann' },
  });
  assert.equal(through.status, 200);
  const sidecar = await service.run();
  const proxied = await sidecar.ask('POST', 'heartbeat', {
    token: undefined,
    headers: { 'Sonde-Authorization': `Bearer ${sidecar.token}` },
    body: { phase: 'Connected' },
  });
  refused(proxied, 401, 'Unauthenticated');
  assert.equal((await sidecar.beat('Connected')).status, 200);
  api.review = undefined;
  refused(await service.api('GET', 'runs', { token: 'new' }), 503, 'ReviewFailed');
});

test('a heap is seen with the right to heaps alone', async (t) => {
  const api = await new ApiServer(t).start();
  const may = new Set(['report', 'artifacts']);
  api.review = (kind, { token, resourceAttributes }) =>
    kind === 'TokenReview'
      ? { authenticated: true, user: { username: token } }
      : { allowed: may.has(resourceAttributes.subresource) };
  const service = await Service.start(t, ['--kubeconfig', api.kubeconfig()]);
  const sidecar = await service.run();
  await sidecar.store('cpu.0', profileBytes());
  const heap = { 'Sonde-Capture': 'snapshot', 'Sonde-Type': 'HeapSnapshot' };
  const bytes = Buffer.from('{"snapshot":{}}');
  assert.equal((await sidecar.store('snapshot.0', bytes, { headers: heap })).status, 201);
  const open = [
    'runs/slow/report?capture=cpu',
    'runs/slow/captures/cpu?format=folded',
    'compare?before=slow&after=slow&capture=cpu',
    `artifacts/${sidecar.uid}.pod-a.7.cpu.0?`,
  ];
  const closed = [
    'runs/slow/report?',
    'runs/slow/report?capture=',
    'compare?before=slow&after=slow&capture=',
    'runs/slow/findings?',
    'runs/slow/report?capture=snapshot',
    'runs/slow/report?capture=pod-a.7.snapshot',
    'runs/slow/captures/snapshot?format=raw',
    'runs/slow/captures/pod-a.7.snapshot.0?format=raw',
    'compare?before=slow&after=slow',
    'compare?before=slow&after=slow&capture=pod-a.7.snapshot',
    `artifacts/${sidecar.uid}.pod-a.7.snapshot.0?`,
  ];
  const ask = (where, token) => service.api('GET', `${where}&namespace=clinic`, { token });
  for (const where of open) {
    assert.equal((await ask(where, 'ann')).status, 200, where);
  }
  for (const where of closed) {
    const answer = await ask(where, 'ann');
    refused(answer, 403, 'Denied');
    assert.match(answer.json.message, /ann may not get profileruns\/heap .* in namespace clinic/);
  }
  may.add('heap');
  for (const where of closed.filter((one) => /captures|artifacts/.test(one))) {
    const answer = await ask(where, 'bob');
    assert.equal(answer.status, 200, where);
    assert.equal(answer.text, bytes.toString());
  }
  // Both runs are still known when the caller has been asked about: that one is no heap, is seen.
  const compared = await ask('compare?before=slow&after=slow&format=json&capture=snapshot', 'bob');
  refused(compared, 400, 'Malformed');
});

// A profile that takes a while to be analysed: `nodes` functions below each other by tens.
function largeProfile(nodes, samples) {
  const callFrame = (i) => ({ functionName: `f${i}`, url: `file:///app/${i % 97}.js` });
  const list = [{ id: 1, callFrame: { functionName: '(root)', url: '' }, children: [] }];
  for (let id = 2; id <= nodes; id++) {
    list.push({ id, callFrame: { ...callFrame(id), lineNumber: id, columnNumber: 1 } });
    const parent = list[id % 10 ? id - 2 : 0];
    parent.children = [...(parent.children ?? []), id];
  }
  const each = Array.from({ length: samples }, (_, i) => 2 + (i % (nodes - 1)));
  const profile = { nodes: list, startTime: 0, endTime: samples * 1000 };
  return Buffer.from(
    JSON.stringify({ ...profile, samples: each, timeDeltas: each.map(() => 1000) }),
  );
}

test('what people ask for holds up no conclusion, and has its bounds', async (t) => {
  const api = await new ApiServer(t).start();
  api.review = (kind, { token }) =>
    kind === 'TokenReview' ? { authenticated: true, user: { username: token } } : { allowed: true };
  const service = await Service.start(t, ['--kubeconfig', api.kubeconfig()]);
  const large = await service.run({ name: 'large' });
  await large.store('cpu.0', largeProfile(4000, 400000));
  const sidecar = await service.run({ name: 'small' });
  await sidecar.store('cpu.0', Buffer.from('{"no":"profile"}'));
  let answered = 0;
  const ask = async (token, localAddress = '127.0.0.1') => {
    const where = 'runs/large/report?namespace=clinic';
    const { status } = await service.api('GET', where, { token, localAddress });
    answered += status === 200;
    return status;
  };
  assert.equal(await ask('ann'), 200);
  // Each asks again until one of them is refused.
  const asking = [];
  const isRefused = (count, askOne) => {
    let refused = false;
    const one = async (_, i) => {
      for (let times = 0; times < 10 && !refused; times++) {
        refused ||= (await askOne(i)) === 503;
      }
      assert.ok(refused);
    };
    const all = Array.from({ length: count }, one);
    asking.push(...all);
    return Promise.any(all);
  };
  await isRefused(20, () => ask('ann')); // of one person only so many wait
  await isRefused(96, (i) => ask(`person-${i % 12}`, `127.0.1.${i % 12}`)); // nor do more in all
  const before = answered;
  const { status, json } = await sidecar.conclude();
  assert.equal(status, 200);
  assert.match(json.problem, /no nodes/);
  assert.ok(answered - before < 20, `${answered} reports came first`);
  service.agent.destroy();
  await Promise.allSettled(asking);
});

test('hostile captures take no more memory than the store has', async (t) => {
  const service = await Service.start(t);
  const nodes = (count, more) =>
    Array.from(
      { length: count },
      (_, i) =>
        `{"id":${i + 1},"callFrame":{"functionName":"f${i}${more}","url":"/a.js"},"parent":${i || 1}}`,
    );
  const list = nodes(700000, '');
  list[0] = '{"id":1,"callFrame":{"functionName":"(root)","url":""}}';
  const wide = Buffer.from(`{"nodes":[${list}],"startTime":0,"endTime":9}`);
  const samples = Array.from({ length: 5_000_000 }, () => 1);
  const long = Buffer.from(
    `{"nodes":[${list[0]}],"startTime":0,"endTime":9,"samples":[${samples}],"timeDeltas":[${samples}]}`,
  );
  for (const [bytes, problem] of [
    [wide, /KiB of memory/],
    [long, /too many samples/],
  ]) {
    const sidecar = await service.run();
    for (const capture of ['one', 'two']) {
      const headers = { 'Sonde-Capture': capture };
      assert.equal((await sidecar.store(`${capture}.0`, bytes, { headers })).status, 201);
    }
    const { status, json } = await sidecar.conclude();
    assert.equal(status, 200);
    assert.match(json.problem, problem);
    const report = await service.person('GET', `runs/${sidecar.uid}/report?namespace=clinic`);
    refused(report, 413, 'TooLarge');
  }
  const text = fs.readFileSync(`/proc/${service.running.child.pid}/status`, 'utf8');
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(text)[1]);
  t.diagnostic(`${peak} KiB`);
  assert.ok(peak < 200 << 10 || (await isSanitized()), `${peak} KiB`); // of 256 MiB
});

test('what was acknowledged survives being killed at any moment', async (t) => {
  const seed = Number(process.env.SONDE_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`SONDE_SEED=${seed}`);
  let state = seed;
  const draw = (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  const service = await Service.start(t);
  const sidecar = await service.run();
  const kept = new Map();
  for (let round = 0; round < 12; round++) {
    let going = true;
    const sending = (async () => {
      for (let i = 0; going; i++) {
        const bytes = Buffer.from(JSON.stringify({ round, i, pad: 'x'.repeat(draw(200000)) }));
        const name = `cpu.${round}-${i}`;
        const answer = await sidecar.store(name, bytes).catch(() => undefined);
        if (answer?.status === 201) {
          kept.set(`pod-a.7.${name}`, sha256(bytes));
        } else if (!answer) {
          return;
        }
      }
    })();
    await until(() => kept.size > round * 3 + draw(3), 20000, 'artifacts are sent');
    service.running.child.kill('SIGKILL');
    going = false;
    await sending;
    await service.running.done;
    await service.begin();
  }
  const names = new Set(await sidecar.artifacts());
  for (const [name, digest] of kept) {
    assert.ok(names.has(name), name);
    const where = `artifacts/${sidecar.uid}.${name}?namespace=clinic`;
    assert.equal(sha256((await service.person('GET', where)).text), digest);
  }
});

test('it ends when it is told to, after what is under way', async (t) => {
  const service = await Service.start(t);
  await service.run();
  const { next } = (await service.controller('GET', 'changes')).json;
  const waiting = service.controller('GET', `changes?since=${next}&wait=50`);
  await service.ask('GET', '/healthz');
  service.running.child.kill('SIGTERM');
  assert.deepEqual((await waiting).json.changes, []);
  service.agent.destroy();
  exited(await service.running.done, 0);
});

test('what is being sent or analysed when it is told to end is done first', async (t) => {
  const service = await Service.start(t);
  const large = await service.run({ name: 'large' });
  await large.store('cpu.0', largeProfile(4000, 400000));
  const sidecar = await service.run({ name: 'small' });
  const bytes = Buffer.from('{"some":"content"}');
  const held = {};
  const upload = sidecar.put('cpu.0', bytes, { held });
  const unfinished = async () => (await sidecar.commit('cpu.0', bytes)).status === 409;
  await until(unfinished, 20000, 'the store has the beginning');
  const order = [];
  const note = (what) => (answer) => {
    order.push(what);
    return answer;
  };
  const conclusion = large.conclude().then(note('conclusion'));
  const jobs = async () =>
    /^sonde_store_jobs 1$/m.test((await service.ask('GET', '/metrics')).text);
  await until(jobs, 20000, 'the analysis');
  service.running.child.kill('SIGTERM');
  await service.running.says(/"stopping"/);
  order.push('told');
  assert.match((await conclusion).json.summary.top, /^\d+% f\d+ /);
  held.end();
  assert.equal((await upload).status, 202);
  order.push('upload');
  service.agent.destroy();
  exited(await service.running.done, 0);
  assert.deepEqual(order, ['told', 'conclusion', 'upload']);
});

test('who holds connections shuts out nobody else', async (t) => {
  const service = await Service.start(t);
  const dial = (localAddress) => {
    const socket = net.connect({ port: service.port, host: '127.0.0.1', localAddress });
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    return socket.resume();
  };
  const held = Array.from({ length: 1100 }, () => dial('127.0.0.2'));
  const left = () => held.filter((one) => !one.closed).length;
  await until(() => left() === 64, 20000, 'the end of most');
  const sidecar = await service.run();
  assert.equal((await sidecar.beat()).status, 200);
  assert.equal((await service.ask('GET', '/healthz')).status, 200);
});

test("a shell's limit of descriptors does not bound its connections", async (t) => {
  const service = await Service.start(t, [], ['prlimit', '--nofile=128:2048']);
  const held = [2, 3, 4].flatMap((last) =>
    Array.from({ length: 60 }, async () => {
      const localAddress = `127.0.0.${last}`;
      const socket = net.connect({ port: service.port, host: '127.0.0.1', localAddress });
      t.after(() => socket.destroy());
      socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
      const [answer] = await once(socket, 'data');
      return answer.toString().slice(0, 12);
    }),
  );
  assert.deepEqual(new Set(await Promise.all(held)), new Set(['HTTP/1.1 200']));
});

test('old runs go, and the oldest when there is too much', async (t) => {
  const service = await Service.start(t, ['--keep', '1s']);
  const ended = await service.run({ name: 'ended' });
  await service.run({ name: 'running' });
  await ended.conclude();
  await service.restart(); // it looks a second after its start
  const listed = async () => (await service.person('GET', 'runs')).json.runs.map((r) => r.name);
  await until(async () => (await listed()).join() === 'running', 20000, 'the old run is gone');
  const small = await Service.start(t, ['--size-max', '2300']);
  const content = () => Buffer.from(`{"${randomBytes(300).toString('hex')}":1}`);
  const end = async (name, namespace) => {
    const sidecar = await small.run({ name, namespace });
    await sidecar.store('cpu.0', content());
    await sidecar.store('cpu.1', content());
    await sidecar.conclude('Failed');
  };
  await end('other', 'billing');
  for (const name of ['first', 'second', 'third', 'fourth']) {
    await end(name, 'clinic');
  }
  const live = await small.run({ name: 'live' });
  await live.store('cpu.0', content());
  const left = async () => (await small.person('GET', 'runs')).json.runs.map((r) => r.name);
  await small.restart();
  await until(
    async () => (await left()).join() === 'live,fourth,third,other',
    20000,
    'the oldest of those who have most are gone',
  );
});

test('a certificate that is renewed is served without a restart', async (t) => {
  const directory = temporary(t);
  const file = (name) => path.join(directory, name);
  const certificate = (name) =>
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...[
          '-keyout',
          file('key'),
          '-out',
          file('certificate'),
          '-days',
          '2',
          '-subj',
          `/CN=${name}`,
        ],
      ],
      { stdio: 'ignore' },
    );
  certificate('first');
  const more = ['--certificate', file('certificate'), '--key', file('key')];
  const service = await Service.start(t, more);
  const served = () =>
    new Promise((resolve, reject) => {
      const options = { port: service.port, path: '/healthz', rejectUnauthorized: false };
      https
        .get({ ...options, agent: false }, (response) => {
          resolve(response.socket.getPeerCertificate().subject.CN);
          response.resume();
        })
        .on('error', reject);
    });
  assert.equal(await served(), 'first');
  certificate('second');
  await until(async () => (await served()) === 'second', 30000, 'the new certificate');
});

test('it listens beyond this machine only with TLS, and says what is wrong', async (t) => {
  const directory = path.join(temporary(t), 'store');
  const cases = [
    [['--listen', '0.0.0.0:0'], /this machine only/],
    [['--listen', 'nonsense'], /no address and port/],
    [['--certificate', '/nonexistent'], /both --certificate and --key/],
    [['--certificate', '/nonexistent', '--key', '/nonexistent'], /nonexistent/],
    [['--keep', 'long'], /--keep/],
    [['word'], /only options/],
  ];
  for (const [more, pattern] of cases) {
    const args = ['--directory', directory, '--no-cluster', ...more];
    const result = await start(t, program, args).done;
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, pattern);
  }
});
