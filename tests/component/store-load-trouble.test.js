// SPDX-License-Identifier: Apache-2.0
'use strict';

// Load tests on several runners in a real store: what dies, is deleted, or cannot be kept.

const assert = require('node:assert/strict');
const test = require('node:test');
const { LoadTest, tally } = require('./support/load-runners.js');
const { Service, Sidecar, sql } = require('./support/store-service.js');
const { until } = require('./support/wait.js');

function refused(answer, status, code) {
  assert.deepEqual([answer.status, answer.json?.code], [status, code], answer.text);
  assert.ok(answer.json.message.length > 10);
}

const own = tally([1000, 2000]);

// Nothing of that kind can be kept from now on: as if the disk refused it.
const kinds = { lost: 4, cancel: 5 };
const refuse = (service, kind) =>
  sql(
    service,
    `CREATE TRIGGER no BEFORE INSERT ON load_events WHEN NEW.kind = ${kinds[kind]} ` +
      "BEGIN SELECT RAISE(ABORT, 'no'); END",
  );
const allow = (service) => sql(service, 'DROP TRIGGER no');

const asSidecar = (runner) =>
  Object.assign(new Sidecar(runner.test.service, runner.test.uid, `runner-${runner.number}`), {
    ...{ token: runner.token, instance: runner.instance },
  });

const failure = {
  state: 'Failed',
  reason: 'HostNotAllowed',
  message: 'patients.example is outside',
};

async function state(load) {
  return (await load.live()).json;
}

// The store does not see for a while that a connection has died.
test('a runner that died while it waited does not begin', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 3, { onRunnerLoss: 'Replace' });
  const [first, second, third] = load.runners;
  const dead = first.ready();
  const others = [second.ready()];
  await until(async () => (await state(load)).ready === 2, 10000, 'two to be ready');
  assert.deepEqual((await load.lost(0)).json, { replaced: true });
  // Should it live, it has to say so again.
  assert.deepEqual((await dead).json, { wait: true });
  others.push(third.ready());
  await until(async () => (await state(load)).ready === 2, 10000, 'the third to be ready');
  assert.equal((await state(load)).phase, 'Waiting');
  first.renew();
  const starts = await Promise.all([first.ready(), ...others]);
  assert.ok(starts.every(({ json }) => json.start === starts[0].json.start));
  assert.equal(starts[0].json.from, undefined, 'it takes part from the beginning');
  for (const runner of load.runners) {
    assert.equal((await runner.second(own)).status, 200);
    await runner.finish();
  }
  const { json } = await load.conclude();
  assert.deepEqual([json.load.succeeded, json.load.requests], [true, 6]);
});

test('a process that another takes the place of is not let in again', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 2, {
    ...{ onRunnerLoss: 'Replace', connections: 2, arrival: { amount: 100000 } },
  });
  await load.begin();
  const [first, second] = load.runners;
  await first.second(own);
  await second.second(own);
  const orders = second.ask('GET', '/orders?wait=1');
  assert.deepEqual((await load.lost(1)).json, { replaced: true });
  // It was only out of reach, and would end the test by its last word.
  assert.ok([200, 403].includes((await orders).status)); // it may come behind the loss
  refused(await second.interval(own), 403, 'TokenUsed');
  refused(await second.ready(), 403, 'TokenUsed');
  refused(await asSidecar(second).done(failure), 403, 'TokenUsed');
  await service.restart('SIGKILL');
  refused(await second.interval(own), 403, 'TokenUsed');
  second.renew();
  const { json } = await second.ready();
  const end = json.from + 1_000_000;
  assert.equal((await second.second(own, { end })).status, 200);
  while (first.sequence * 1_000_000 < end) {
    assert.equal((await first.second(own)).status, 200);
  }
  await first.finish();
  assert.equal((await second.finish()).status, 200);
  const concluded = (await load.conclude()).json.load;
  assert.deepEqual([concluded.reason, concluded.lostRunners], ['Completed', 1]);
  assert.equal(concluded.requests, 2 * first.sequence + 4);
});

// A search waits for the others between its trials.
test('one that ends before it says anything keeps its token from nobody', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 2, {
    ...{ onRunnerLoss: 'Replace', thresholds: ['http_req_duration: p(99)<50'] },
    search: { startRate: 100, maxRate: 200, trialSeconds: 10 },
  });
  await load.begin();
  const [first] = load.runners;
  assert.equal((await first.finish()).status, 200);
  const lost = async (pod) => {
    const words = { reason: 'RunnerLost', message: 'its pod was evicted', pod };
    return (await service.controller('POST', `runs/${load.uid}/runners/0/lost`, words)).json;
  };
  assert.deepEqual(await lost('p'), { replaced: true });
  refused(await first.ask('POST', '/clock', {}), 403, 'TokenUsed');
  first.renew();
  assert.equal((await first.ask('POST', '/clock', {})).status, 200);
  assert.deepEqual(await lost('second'), { replaced: true });
  first.renew();
  assert.equal((await first.ask('POST', '/clock', {})).status, 200);
  const { json } = await first.ready({ pod: 'third', wait: 0 });
  assert.deepEqual(json, { wait: true });
});

test('a test that is deleted takes no other with it', async (t) => {
  const service = await Service.start(t);
  const stays = await LoadTest.make(service, 2);
  await stays.begin();
  const orders = stays.runners[0].ask('GET', '/orders?round=0&wait=20');
  for (let i = 0; i < 10; i++) {
    const goes = await LoadTest.make(service, 2, {}, { name: `other-${i}` });
    await goes.begin();
    const waiting = goes.runners[0].ask('GET', '/orders?round=0&wait=20');
    const answers = await Promise.all([
      ...stays.runners.map((runner) => runner.second(own)),
      goes.lost(0),
      service.person('DELETE', `runs/${goes.uid}?namespace=clinic`),
      goes.runners[1].second(own),
      ...stays.runners.map((runner) => runner.interval(own, { sequence: runner.sequence })),
    ]);
    const [one, two, , deleted] = answers;
    assert.deepEqual([one.status, two.status, deleted.status], [200, 200, 200]);
    // It may have come before the deletion or after it, when nobody knows the token.
    const { status } = await waiting;
    assert.ok([200, 401, 404].includes(status), `${status}`);
    const after = (await goes.runners[1].second(own)).status;
    assert.ok([401, 404].includes(after), `${after}`);
  }
  for (const runner of stays.runners) {
    assert.equal((await runner.finish({ stopped: true })).status, 200);
  }
  assert.equal((await orders).json.stop, true);
  const { json } = await stays.conclude();
  assert.deepEqual([json.load.succeeded, json.load.requests], [true, 40]);
});

// By another process on the same directory.
test('one whose run is gone is told so, and only that one', async (t) => {
  const service = await Service.start(t);
  const stays = await LoadTest.make(service, 1);
  const goes = await LoadTest.make(service, 1, {}, { name: 'other' });
  await Promise.all([stays.begin(), goes.begin()]);
  sql(service, `DELETE FROM loads WHERE run = '${goes.uid}'`);
  const waiting = goes.runners[0].ask('GET', '/orders?round=0&wait=20');
  const [gone, kept] = await Promise.all([
    goes.runners[0].second(own),
    stays.runners[0].second(own),
  ]);
  assert.deepEqual([gone.status, kept.status], [404, 200]);
  assert.equal((await waiting).status, 404);
});

test('a cancellation that could not be kept is said again', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 1);
  await load.begin();
  const [runner] = load.runners;
  const cancel = () => service.controller('POST', `runs/${load.uid}/cancel`, {});
  const orders = async () => (await runner.ask('GET', '/orders?round=0&wait=1')).json;
  refuse(service, 'cancel');
  assert.equal((await cancel()).status, 500);
  allow(service);
  assert.equal((await cancel()).status, 200);
  assert.deepEqual(await orders(), { stop: true, cancel: true });
  await service.restart('SIGKILL');
  assert.deepEqual(await orders(), { stop: true, cancel: true });
  await runner.finish({ stopped: true });
  assert.equal((await load.conclude()).json.load.reason, 'Cancelled');
});

test('a run that is noted as cancelled is told so after a restart', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 1);
  await load.begin();
  refuse(service, 'cancel');
  await service.controller('POST', `runs/${load.uid}/cancel`, {});
  allow(service);
  await service.restart('SIGKILL');
  const { json } = await load.runners[0].ask('GET', '/orders?round=0&wait=10');
  assert.deepEqual(json, { stop: true, cancel: true });
});

test('the last word of a runner is kept before it is answered', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 2);
  await load.begin();
  const [first, second] = load.runners;
  refuse(service, 'lost');
  assert.equal((await asSidecar(first).done(failure)).status, 500);
  allow(service);
  assert.equal((await asSidecar(first).done(failure)).status, 200);
  await service.restart('SIGKILL');
  const orders = await second.ask('GET', '/orders?round=0&wait=20');
  assert.deepEqual(orders.json, { stop: true, cancel: false });
  await second.finish({ stopped: true });
  const { json } = await load.conclude();
  assert.deepEqual([json.load.succeeded, json.load.reason], [false, 'HostNotAllowed']);
});

test('who watches is told each second once, however many news come before it', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 12);
  await load.begin();
  for (const runner of load.runners) {
    await runner.second(own);
  }
  assert.equal((await state(load)).next, 1);
  let early = true;
  const waiting = load.live('&since=1&wait=20').then(({ json }) => [json, early]);
  const orders = load.runners[0].ask('GET', '/orders?round=0&wait=20');
  // One by one: each is on the disk by itself.
  for (const runner of load.runners.slice(0, 11)) {
    assert.equal((await runner.second(own)).status, 200);
  }
  early = false;
  assert.equal((await load.runners[11].second(own)).status, 200);
  const [json, wasEarly] = await waiting;
  assert.equal(wasEarly, false, JSON.stringify(json));
  assert.deepEqual([json.seconds.map(({ second }) => second), json.next], [[2], 2]);
  await service.controller('POST', `runs/${load.uid}/cancel`, {});
  assert.deepEqual((await orders).json, { stop: true, cancel: true });
});

test('the token of a runner is good for nothing that sidecars do', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 1);
  await load.begin();
  const sidecar = asSidecar(load.runners[0]);
  refused(await sidecar.put('cpu.0', Buffer.from('{}')), 403, 'Denied');
  refused(await sidecar.commit('cpu.0', Buffer.from('{}')), 403, 'Denied');
  refused(await sidecar.beat(), 403, 'Denied');
  assert.deepEqual(await sidecar.artifacts(), []);
  assert.equal((await load.runners[0].second(own)).status, 200);
});

test('a test for which there is no room leaves nothing behind', async (t) => {
  const service = await Service.start(t);
  const tests = [];
  for (let i = 0; i < 64; i++) {
    tests.push(await LoadTest.make(service, 1, {}, { name: `test-${i}` }));
  }
  const more = new LoadTest(service, 1, {}, { name: 'more' });
  refused(await more.register(), 503, 'Busy');
  assert.equal((await service.person('GET', `runs/${more.uid}?namespace=clinic`)).status, 404);
  // One that is over, and that nobody concludes, does not keep others out.
  const [forgotten] = tests;
  await service.controller('POST', `runs/${forgotten.uid}/cancel`, {});
  await until(async () => (await state(forgotten)).phase === 'Over', 10000, 'its end');
  assert.equal((await more.register()).status, 201);
  refused(await new LoadTest(service, 1, {}).register(), 503, 'Busy');
  const { json } = await forgotten.conclude();
  assert.deepEqual([json.load.succeeded, json.load.reason], [false, 'Cancelled']);
  await service.restart('SIGKILL');
  await more.begin();
  assert.equal((await more.runners[0].second(own)).status, 200);
});

test('as many runners go on as can be connected', async (t) => {
  const service = await Service.start(t);
  const tests = [];
  for (let i = 0; i < 3; i++) {
    tests.push(await LoadTest.make(service, 100, {}, { name: `test-${i}` }));
  }
  const more = new LoadTest(service, 1, {}, { name: 'more' });
  refused(await more.register(), 503, 'Busy');
  // Each waits for orders, and all but one of a test for the start: the others are served.
  const waiting = tests.flatMap(({ runners }, i) =>
    runners.flatMap((runner, n) => {
      const localAddress = `127.0.${i + 1}.${n + 1}`;
      const ready = { round: 0, offset: 0, uncertainty: 200, labels: [], pod: 'p', node: 'n' };
      const orders = runner.ask('GET', '/orders?round=0&wait=20', undefined, { localAddress });
      return n ? [orders, runner.ask('POST', '/ready?wait=20', ready, { localAddress })] : [orders];
    }),
  );
  for (const one of tests) {
    await until(async () => (await state(one)).ready === 99, 30000, 'the runners');
  }
  assert.equal((await service.controller('GET', 'changes')).status, 200);
  const sidecar = await service.run({ name: 'slow' });
  assert.equal((await sidecar.beat()).status, 200);
  for (const one of tests) {
    await service.controller('POST', `runs/${one.uid}/cancel`, {});
  }
  assert.ok((await Promise.all(waiting)).every(({ status }) => status === 200));
  await tests[0].conclude({ state: 'Failed', reason: 'RunnersNotReady', message: 'no node' });
  assert.equal((await more.register()).status, 201);
});

test('what another version has kept is no verdict', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 1);
  await load.begin();
  const [runner] = load.runners;
  await runner.second(own);
  sql(service, `UPDATE loads SET state = x'630101' WHERE run = '${load.uid}'`);
  await service.restart('SIGKILL');
  const again = await runner.second(own);
  refused(again, 409, 'Conflict');
  assert.match(again.json.message, /another version of the store/);
  assert.equal((await state(load)).phase, 'Over');
  assert.equal((await asSidecar(runner).done(failure)).status, 200);
  const { status, json, text } = await load.conclude();
  assert.equal(status, 200, text);
  assert.deepEqual([json.load.succeeded, json.load.reason], [false, 'Interrupted']);
  assert.match(json.load.message, /another version of the store .* run it again/);
  assert.deepEqual(json.artifacts, []);
  const run = await service.person('GET', `runs/${load.uid}?namespace=clinic`);
  assert.deepEqual([run.json.state, run.json.reason], ['Failed', 'Interrupted']);
  assert.equal(sql(service, 'SELECT * FROM loads'), '[]\n');
});

for (const [what, change] of [
  ['document', `UPDATE runs SET spec = replace(spec, '"rate":100', '"rate":-1')`],
  ['runner', 'UPDATE load_events SET runner = 50 WHERE kind = 2'],
]) {
  test(`a ${what} that this version refuses is no verdict`, async (t) => {
    const service = await Service.start(t);
    const load = await LoadTest.make(service, 1);
    await load.begin();
    const [runner] = load.runners;
    await runner.second(own);
    sql(service, change);
    await service.restart('SIGKILL');
    refused(await runner.second(own), 400, 'Malformed');
    const { status, json, text } = await load.conclude();
    assert.equal(status, 200, text);
    assert.deepEqual([json.load.succeeded, json.load.reason], [false, 'StoreFailed']);
    assert.match(json.load.message, /what is kept of run .* run it again/);
    assert.equal(sql(service, 'SELECT * FROM loads'), '[]\n');
  });
}

// As of a test whose state is larger than what is kept of one, or a disk that refuses it.
test('a state that cannot be kept does not let the disk fill up', async (t) => {
  const service = await Service.start(t);
  const load = await LoadTest.make(service, 1);
  await load.begin();
  const [runner] = load.runners;
  const second = () => runner.second({ ...own, padding: 'x'.repeat(1 << 20) });
  sql(service, "CREATE TRIGGER no BEFORE UPDATE ON loads BEGIN SELECT RAISE(ABORT, 'no'); END");
  let answer = await second();
  while (answer.status === 200) {
    assert.ok(runner.sequence < 80, 'what is said of it is taken without end');
    answer = await second();
  }
  refused(answer, 503, 'Busy');
  assert.ok(runner.sequence > 60, `${runner.sequence}`);
  // Those who go on are told what they need.
  assert.equal((await runner.ask('GET', '/orders?round=0&wait=0')).status, 200);
  allow(service);
  const taken = async () => (await runner.second(own)).status === 200;
  await until(taken, 20000, 'the state to be kept');
  assert.equal((await runner.finish()).status, 200);
  const { json } = await load.conclude();
  assert.deepEqual([json.load.succeeded, json.load.requests], [true, 2 * runner.sequence]);
});
