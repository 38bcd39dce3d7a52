// SPDX-License-Identifier: Apache-2.0
'use strict';

// Schedules in sonde-controller; the API server, and who may do what, is played. No clock is:
// schedules are made to be due by when they were created and what they have served.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { conditionWords, open, until } = require('./support/cluster.js');
const { fakeStore } = require('./support/service.js');

const minuteMs = 60_000;
const text = (time) => new Date(time).toISOString().replace(/\.\d+/, '');
const aWhileAgo = () => text(Date.now() - 10 * minuteMs);

// A time some minutes ago, and the schedule that has it once a day.
function due(minutesAgo = 2) {
  const time = Math.floor(Date.now() / minuteMs - minutesAgo) * minuteMs;
  const at = new Date(time);
  return {
    ...{ time, minutes: time / minuteMs },
    schedule: `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`,
  };
}

const kinds = {
  ProfileSchedule: { schedules: 'profileschedules', runs: 'profileruns' },
  LoadTestSchedule: { schedules: 'loadtestschedules', runs: 'loadtests' },
};

// A schedule that is due once, and what the test asks of it.
class Nightly {
  constructor(
    clinic,
    { kind = 'ProfileSchedule', metadata, status, firing = due(), ...spec } = {},
  ) {
    this.cluster = clinic.cluster;
    this.firing = firing;
    this.kind = kind;
    this.plurals = kinds[kind];
    const make = kind === 'ProfileSchedule' ? 'schedule' : 'loadSchedule';
    this.object = this.cluster[make]('nightly', {
      metadata: { creationTimestamp: aWhileAgo(), ...metadata },
      schedule: firing.schedule,
      ...spec,
    });
    if (status) {
      this.change((object) => {
        object.status = status;
      });
    }
    this.name = `nightly-${firing.minutes}`;
  }

  change(edit) {
    this.cluster.change(this.plurals.schedules, 'nightly', edit);
  }

  // A run of the schedule, which does not end by itself.
  owned(name, { metadata, status } = {}) {
    const { uid } = this.object.metadata;
    const owner = { apiVersion: 'sonde.dev/v1alpha1', kind: this.kind, name: 'nightly' };
    const own = { ownerReferences: [{ ...owner, uid, controller: true }], ...metadata };
    if (this.kind === 'ProfileSchedule') {
      this.cluster.run(name, { metadata: own, target: { podName: 'nobody' } });
    } else {
      this.cluster.load(name, { metadata: own, paused: true });
    }
    if (status) {
      this.ends(name, status);
    }
  }

  ends(name, { succeeded = 'True', completionTime = text(Date.now()) } = {}) {
    this.cluster.change(this.plurals.runs, name, (object) => {
      const condition = { type: 'Succeeded', status: succeeded, reason: 'Completed', message: '' };
      object.status = { completionTime, conditions: [condition] };
    });
  }

  status() {
    return this.cluster.get(this.plurals.schedules, 'nightly').status ?? {};
  }

  ready() {
    const [ready] = this.status().conditions ?? [{}];
    return conditionWords(ready);
  }

  run(name = this.name) {
    return this.cluster.get(this.plurals.runs, name);
  }

  tries() {
    return this.cluster.asked('POST', `/${this.plurals.runs}`).length;
  }

  made(name = this.name) {
    return until(() => this.run(name), 15000, `the run ${name}`);
  }

  says(words) {
    return until(() => this.ready() === words, 15000, `Ready ${words}, not ${this.ready()}`);
  }

  serves(what = 'lastScheduleTime') {
    const time = () => Date.parse(this.status()[what]) === this.firing.time;
    return until(time, 15000, `the status ${what}`);
  }

  events(reason, name = 'nightly') {
    return this.cluster
      .asked('POST', '/namespaces/clinic/events')
      .map(({ body }) => body)
      .filter((event) => event.regarding.name === name && event.reason === reason);
  }
}

// A run called `before` takes its time to end: the test says when it has.
function holdsEnd(cluster, { method, name, sub }, response) {
  const ending = method === 'PATCH' && name === 'before' && sub === 'status';
  if (ending) {
    cluster.status(response, 503, 'ServiceUnavailable', 'not yet');
  }
  return ending;
}

async function nightly(t, more) {
  const clinic = await open(t);
  return { clinic, cluster: clinic.cluster, it: new Nightly(clinic, more) };
}

test('a firing makes a run of the template, and the status tells', async (t) => {
  const { clinic, cluster, it } = await nightly(t, {
    runTemplate: {
      metadata: {
        labels: { team: 'a', 'sonde.dev/schedule': 'other' },
        annotations: { note: 'n', 'sonde.dev/requester': 'eve' },
      },
      spec: {
        target: { podName: 'pod-a' },
        captures: [{ name: 'cpu', type: 'CPUProfile', durationSeconds: 7 }],
      },
    },
  });
  clinic.controller();
  const run = await it.made();
  assert.deepEqual(run.metadata.labels, { team: 'a', 'sonde.dev/schedule': 'nightly' });
  const { annotations } = run.metadata;
  assert.equal(annotations['sonde.dev/requester'], 'ann');
  assert.equal(Date.parse(annotations['sonde.dev/scheduled-for']), it.firing.time);
  assert.equal(annotations.note, 'n');
  assert.deepEqual(run.metadata.ownerReferences, [
    {
      ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'ProfileSchedule', name: 'nightly' },
      ...{ uid: it.object.metadata.uid, controller: true },
    },
  ]);
  assert.equal(run.spec.captures[0].durationSeconds, 7);
  await it.serves();
  const active = () => it.status().active?.includes(it.name);
  await until(active, 10000, 'the run in status.active');
  assert.equal(it.status().activeCount, 1);
  assert.equal(it.status().missedRuns, 0);
  assert.equal(it.status().requester, 'ann');
  assert.equal(it.ready(), 'True Scheduled');
  const next = Date.parse(it.status().nextScheduleTime);
  assert.equal(next, it.firing.time + 24 * 60 * minuteMs);
  await cluster.attached('pod-a');
  await clinic.sidecar('pod-a').captures();
  await until(() => it.status().activeCount === 0, 15000, 'no active run');
  assert.deepEqual(it.status().active, []);
  const { completionTime } = it.run().status;
  assert.equal(Date.parse(it.status().lastSuccessfulTime), Date.parse(completionTime));
  await until(() => it.events('Fired').length, 10000, 'the event');
  assert.match(it.events('Fired')[0].note, new RegExp(it.name));
  assert.equal(it.tries(), 1);
});

test('whose right counts is asked for each right that the run takes', async (t) => {
  const { clinic, cluster, it } = await nightly(t, {
    metadata: {
      annotations: { 'sonde.dev/requester': 'ann', 'sonde.dev/requester-groups': 'one\ntwo: a,b' },
    },
  });
  clinic.controller();
  await it.made();
  const asked = cluster.asked('POST', '/localsubjectaccessreviews').map(({ body }) => body);
  for (const { metadata, spec } of asked) {
    assert.equal(metadata.namespace, 'clinic');
    assert.equal(spec.user, 'ann');
    assert.deepEqual(spec.groups, ['one', 'two: a,b']);
  }
  assert.deepEqual(
    asked.map(({ spec }) => spec.resourceAttributes),
    [
      { verb: 'create', namespace: 'clinic', group: 'sonde.dev', resource: 'profileruns' },
      { verb: 'patch', namespace: 'clinic', resource: 'pods', subresource: 'ephemeralcontainers' },
    ],
  );
});

test('who may no longer do it makes nothing, and that is said', async (t) => {
  const { clinic, cluster, it } = await nightly(t);
  cluster.allows = ({ resourceAttributes }) => resourceAttributes.verb !== 'patch';
  clinic.controller();
  await it.serves('lastMissedTime');
  await it.says('False RequesterNotAllowed');
  const { message } = it.status().conditions[0];
  assert.match(
    message,
    /user "ann".* may not patch pods\/ephemeralcontainers in namespace "clinic"/,
  );
  assert.equal(it.status().missedRuns, 1);
  assert.equal(it.status().lastScheduleTime, undefined);
  await until(() => it.events('RequesterNotAllowed').length, 10000, 'the event');
  assert.equal(it.tries(), 0);
  cluster.change('profileschedules', 'nightly', ({ metadata }) => {
    metadata.generation++;
    metadata.annotations['sonde.dev/requester'] = 'bob';
  });
  await it.says('True Scheduled');
  assert.equal(it.status().requester, 'bob');
  assert.equal(it.tries(), 0);
});

const broken = [
  ['RequesterUnknown', { metadata: { annotations: {} } }],
  ['TimeZoneUnknown', { timeZone: 'Europe/Nowhere' }],
  ['NeverFires', { schedule: '0 0 30 2 *' }],
  ['InvalidSpec', { schedule: '61 * * * *' }],
];
for (const [reason, more] of broken) {
  test(`what can never fire says why: ${reason}`, async (t) => {
    const { clinic, cluster, it } = await nightly(t, more);
    clinic.controller();
    await it.says(`False ${reason}`);
    assert.equal(it.status().nextScheduleTime, undefined);
    assert.notEqual(it.status().conditions[0].message, '');
    assert.equal(it.tries(), 0);
    assert.equal(cluster.asked('POST', '/localsubjectaccessreviews').length, 0);
  });
}

for (const kind of Object.keys(kinds)) {
  test(`${kind}: one that is suspended waits, and serves what it has not missed once it is resumed`, async (t) => {
    const { clinic, it } = await nightly(t, { kind, suspend: true });
    clinic.controller();
    await it.says('False Suspended');
    assert.equal(it.status().nextScheduleTime, undefined);
    it.change(({ metadata, spec }) => {
      metadata.generation++;
      spec.suspend = false;
    });
    await it.made();
    await it.says('True Scheduled');
    it.change(({ metadata, spec }) => {
      metadata.generation++;
      spec.suspend = true;
    });
    await it.says('False Suspended');
    const silent = () => it.status().nextScheduleTime === undefined;
    await until(silent, 10000, 'no next time');
    assert.equal(it.tries(), 1);
  });
}

test('a firing waits for its jitter', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const firing = due();
  // Of three one may be put off by less than has passed since.
  const names = ['first', 'second', 'third'];
  for (const name of names) {
    const annotations = { 'sonde.dev/requester': 'ann' };
    const metadata = { creationTimestamp: aWhileAgo(), annotations };
    cluster.schedule(name, { metadata, schedule: firing.schedule, jitterSeconds: 86400 });
  }
  clinic.controller();
  const next = (name) => {
    const { status } = cluster.get('profileschedules', name);
    return Date.parse(status?.nextScheduleTime);
  };
  await until(() => names.every(next), 15000, 'the next times');
  const waiting = names.filter((name) => next(name) < firing.time + 24 * 60 * minuteMs);
  assert.notEqual(waiting.length, 0);
  for (const name of waiting) {
    assert.ok(next(name) > Date.now(), name);
    assert.equal(cluster.get('profileruns', `${name}-${firing.minutes}`), undefined);
  }
});

test('what is too late is missed', async (t) => {
  const { clinic, it } = await nightly(t, { startingDeadlineSeconds: 10 });
  clinic.controller();
  await it.serves('lastMissedTime');
  assert.equal(it.status().missedRuns, 1);
  assert.equal(it.ready(), 'True Scheduled');
  await until(() => it.events('Missed').length, 10000, 'the event');
  assert.match(it.events('Missed')[0].note, /startingDeadlineSeconds/);
  assert.equal(it.tries(), 0);
});

test('of many that were missed the last one is made', async (t) => {
  const last = due(7).time;
  const { clinic, it } = await nightly(t, {
    schedule: '* * * * *',
    status: { lastScheduleTime: text(last), missedRuns: 5 },
  });
  clinic.controller();
  await until(() => it.status().missedRuns > 5, 15000, 'the missed ones');
  const fired = Date.parse(it.status().lastScheduleTime);
  assert.equal(it.status().missedRuns, 5 + (fired - last) / minuteMs - 1);
  assert.ok(it.run(`nightly-${fired / minuteMs}`));
});

for (const kind of Object.keys(kinds)) {
  test(`${kind}: with Forbid it waits for the one that runs`, async (t) => {
    const { clinic, it } = await nightly(t, { kind });
    it.owned('before');
    clinic.controller();
    const active = () => it.status().active?.includes('before');
    await until(active, 10000, 'the active one');
    assert.equal(it.tries(), 0);
    it.ends('before');
    await it.made();
    await it.serves();
    assert.equal(it.status().missedRuns, 0);
  });
}

for (const kind of Object.keys(kinds)) {
  test(`${kind}: with Allow it does not wait`, async (t) => {
    const { clinic, it } = await nightly(t, { kind, concurrencyPolicy: 'Allow' });
    it.owned('before');
    clinic.controller();
    await it.made();
    await until(() => it.status().activeCount === 2, 10000, 'two active ones');
    assert.deepEqual(it.status().active, ['before', it.name].sort());
  });
}

for (const kind of Object.keys(kinds)) {
  test(`${kind}: with Replace it cancels the one that runs, and waits for its end`, async (t) => {
    const { clinic, cluster, it } = await nightly(t, { kind, concurrencyPolicy: 'Replace' });
    cluster.answer = (request, response) => holdsEnd(cluster, request, response);
    it.owned('before');
    clinic.controller();
    await until(() => it.run('before').spec.cancel, 10000, 'the cancellation');
    assert.equal(it.run(), undefined);
    it.ends('before', { succeeded: 'False' });
    await it.made();
    await it.serves();
  });
}

test('what was in time and had to wait for the one that it replaces is not missed', async (t) => {
  const firing = due();
  const deadline = Math.ceil((Date.now() - firing.time) / 1000) + 12;
  const { clinic, cluster, it } = await nightly(t, {
    ...{ firing, concurrencyPolicy: 'Replace', startingDeadlineSeconds: deadline },
  });
  cluster.answer = (request, response) => holdsEnd(cluster, request, response);
  it.owned('before');
  clinic.controller();
  await until(() => it.run('before').spec.cancel, 10000, 'the cancellation');
  const late = firing.time + (deadline + 1) * 1000;
  await until(() => Date.now() > late, 20000, 'the deadline');
  it.ends('before', { succeeded: 'False' });
  await it.made();
  await it.serves();
  assert.equal(it.status().missedRuns, 0);
});

test('the right is asked for before anything is cancelled', async (t) => {
  const { clinic, cluster, it } = await nightly(t, { concurrencyPolicy: 'Replace' });
  cluster.allows = () => false;
  it.owned('before');
  clinic.controller();
  await it.says('False RequesterNotAllowed');
  assert.equal(it.run('before').spec.cancel, undefined);
});

test('killed between the run and the status, nothing is made twice', async (t) => {
  const { clinic, cluster, it } = await nightly(t);
  let deaf = true;
  cluster.answer = ({ method, kind, sub }) =>
    deaf && method === 'PATCH' && kind === 'profileschedules' && sub === 'status';
  const first = clinic.controller();
  const { uid } = (await it.made()).metadata;
  first.child.kill('SIGKILL');
  await first.done;
  deaf = false;
  clinic.controller();
  await it.serves();
  assert.equal(it.run().metadata.uid, uid);
  assert.equal(it.status().missedRuns, 0);
  assert.equal(it.ready(), 'True Scheduled');
});

test('what is made already, and not seen yet, is found', async (t) => {
  const { clinic, cluster, it } = await nightly(t);
  const { uid } = it.object.metadata;
  cluster.answer = ({ method, kind, body }) => {
    if (method === 'POST' && kind === 'profileruns') {
      const metadata = {
        ...body.metadata,
        namespace: 'clinic',
        uid: 'first',
        resourceVersion: '1',
      };
      cluster.objects.set(cluster.key(kind, it.name), { ...body, metadata }); // no watch tells
    }
    return false;
  };
  clinic.controller();
  await it.serves();
  assert.equal(it.tries(), 1);
  assert.equal(it.run().metadata.uid, 'first');
  assert.equal(it.run().metadata.ownerReferences[0].uid, uid);
  assert.equal(it.status().missedRuns, 0);
});

test("a name that is another's is left alone, and that is said", async (t) => {
  const { clinic, cluster, it } = await nightly(t);
  const { uid } = cluster.run(it.name, { target: { podName: 'nobody' } }).metadata;
  clinic.controller();
  await it.serves('lastMissedTime');
  assert.equal(it.ready(), 'False RunRefused');
  assert.equal(it.status().missedRuns, 1);
  assert.equal(it.run().metadata.uid, uid);
});

test('what a policy refuses is tried again', async (t) => {
  const { clinic, cluster, it } = await nightly(t);
  let refuses = true;
  cluster.answer = ({ method, kind }, response) => {
    const refused = refuses && method === 'POST' && kind === 'profileruns';
    if (refused) {
      cluster.status(response, 403, 'Forbidden', 'ValidatingAdmissionPolicy "x" denied it');
    }
    return refused;
  };
  clinic.controller();
  await it.says('False RunRefused');
  assert.match(it.status().conditions[0].message, /ValidatingAdmissionPolicy/);
  await until(() => it.tries() > 2, 15000, 'three tries');
  refuses = false;
  await it.made();
  await it.says('True Scheduled');
  assert.equal(it.status().missedRuns, 0);
  await until(() => it.events('RunRefused').length, 10000, 'the event');
});

test('before each try the right is asked for again', async (t) => {
  const { clinic, cluster, it } = await nightly(t);
  let allowed = true;
  cluster.allows = () => allowed;
  cluster.answer = ({ method, kind }, response) => {
    const refused = allowed && method === 'POST' && kind === 'profileruns';
    if (refused) {
      allowed = false; // taken away meanwhile
      cluster.status(response, 403, 'Forbidden', 'a quota is used up');
    }
    return refused;
  };
  clinic.controller();
  await it.says('False RequesterNotAllowed');
  assert.equal(it.tries(), 1);
  assert.equal(it.run(), undefined);
  assert.equal(it.status().missedRuns, 1);
});

test('after the wait for the one that is replaced the right is asked for again', async (t) => {
  const { clinic, cluster, it } = await nightly(t, { concurrencyPolicy: 'Replace' });
  let allowed = true;
  cluster.allows = () => allowed;
  cluster.answer = (request, response) => holdsEnd(cluster, request, response);
  it.owned('before');
  clinic.controller();
  await until(() => it.run('before').spec.cancel, 10000, 'the cancellation');
  allowed = false;
  it.ends('before', { succeeded: 'False' });
  await it.says('False RequesterNotAllowed');
  assert.equal(it.tries(), 0);
});

test('a refusal in other words each time is no reason to hurry', async (t) => {
  const { clinic, cluster } = await nightly(t);
  const times = [];
  cluster.answer = ({ method, kind }, response) => {
    const refused = method === 'POST' && kind === 'profileruns';
    if (refused) {
      times.push(performance.now());
      cluster.status(response, 403, 'Forbidden', `used: ${times.length}`);
    }
    return refused;
  };
  clinic.controller();
  await until(() => times.length > 4, 30000, 'five tries');
  // 0.2, 0.4, 0.8 and 1.6 s apart.
  assert.ok(times[4] - times[0] >= 2900, `${times}`);
});

test('conditions of others are left alone', async (t) => {
  const { clinic, cluster, it } = await nightly(t, { suspend: true });
  const foreign = { type: 'Audited', status: 'True', reason: 'Other', message: '' };
  let writes = 0;
  cluster.answer = ({ method, kind, name, sub, body }, response) => {
    const isOurs = method === 'PATCH' && sub === 'status' && name === 'nightly';
    if (isOurs) {
      writes++;
      const conditions = [...body.status.conditions, foreign];
      const object = { ...it.object, ...cluster.get(kind, name) };
      object.status = { ...body.status, conditions };
      cluster.send(response, 200, cluster.put(kind, object));
    }
    return isOurs;
  };
  clinic.controller();
  await it.says('False Suspended');
  cluster.schedule('other', { suspend: true });
  const looked = () => cluster.get('profileschedules', 'other').status?.conditions;
  await until(looked, 10000, 'a look at the other one');
  assert.equal(writes, 1);
});

test('one that is being deleted fires no more', async (t) => {
  const metadata = { deletionTimestamp: aWhileAgo(), finalizers: ['other.example/wait'] };
  const { clinic, cluster, it } = await nightly(t, {
    metadata: { ...metadata, annotations: { 'sonde.dev/requester': 'ann' } },
  });
  const { schedule, minutes } = it.firing;
  cluster.schedule('other', {
    metadata: {
      annotations: { 'sonde.dev/requester': 'ann' },
      creationTimestamp: aWhileAgo(),
    },
    schedule,
  });
  clinic.controller();
  await it.made(`other-${minutes}`);
  await it.says('True Scheduled');
  assert.equal(it.run(), undefined);
  assert.equal(it.status().nextScheduleTime, undefined);
});

test('an API server that does not say who may do what makes nothing missed', async (t) => {
  const { clinic, cluster, it } = await nightly(t);
  let failures = 0;
  cluster.answer = ({ kind }, response) => {
    const fails = kind === 'localsubjectaccessreviews' && failures++ < 2;
    if (fails) {
      cluster.status(response, 500, 'InternalError', 'etcdserver: no leader');
    }
    return fails;
  };
  clinic.controller();
  await it.made();
  await it.serves();
  assert.equal(failures, 4);
  assert.equal(it.status().missedRuns, 0);
});

for (const kind of Object.keys(kinds)) {
  test(`${kind}: the oldest that are more than the history keeps are deleted`, async (t) => {
    const { clinic, cluster, it } = await nightly(t, {
      ...{ kind, suspend: true, successfulRunsHistoryLimit: 2, failedRunsHistoryLimit: 1 },
    });
    const past = (name, minutesAgo, succeeded) => {
      const annotations = { 'sonde.dev/scheduled-for': text(Date.now() - minutesAgo * minuteMs) };
      it.owned(name, { metadata: { annotations }, status: { succeeded } });
    };
    past('good-9', 9, 'True');
    past('bad-8', 8, 'False');
    past('good-7', 7, 'True');
    past('good-6', 6, 'True');
    past('bad-5', 5, 'False');
    it.owned('own', { metadata: { ownerReferences: [] }, status: {} });
    clinic.controller();
    const gone = () => !it.run('good-9') && !it.run('bad-8');
    await until(gone, 15000, 'the oldest are deleted');
    for (const name of ['good-7', 'good-6', 'bad-5', 'own']) {
      assert.ok(it.run(name), name);
    }
    await until(() => it.status().lastSuccessfulTime, 10000, 'the last success');
    assert.ok(
      cluster.asked('DELETE', `/${it.plurals.runs}`).every(({ body }) => body.preconditions.uid),
    );
  });
}

// A run of a schedule with a baseline, of which the store says this.
async function compared(t, regression) {
  const { clinic, cluster, it } = await nightly(t, {
    baseline: { strategy: 'RollingMedian', runs: 5, since: '2026-01-01T00:00:00Z' },
  });
  clinic.store = await fakeStore(t, (step, _count, response, { url }) => {
    if (step === 'conclude') {
      response.end(JSON.stringify({ artifacts: [{ id: 'a' }], regression }));
    }
    return step === 'conclude' || url.includes('/changes');
  });
  clinic.controller();
  await it.made();
  await cluster.attached('pod-a');
  const sidecar = clinic.sidecar('pod-a');
  sidecar.runs();
  sidecar.ends('{"state":"Succeeded","reason":"Completed","processes":[{"pid":7}]}');
  const ended = await cluster.ends(it.name, 30000);
  const { baseline } = JSON.parse(clinic.store.bodies.conclude);
  assert.deepEqual(baseline, { strategy: 'RollingMedian', runs: 5, since: 1767225600 });
  return { cluster, it, ended };
}

test('the store is told which series a run is one of', async (t) => {
  const clinic = await open(t);
  clinic.store = await fakeStore(t, (_step, _count, _response, { url }) =>
    url.includes('/changes'),
  );
  clinic.cluster.run('main-abcde', { metadata: { labels: { 'sonde.dev/series': 'main' } } });
  clinic.controller();
  const told = await until(() => clinic.store.bodies.runs, 15000, 'the run at the store');
  assert.equal(JSON.parse(told).schedule, 'series/main');
});

test('one that is worse than the baseline fails, with all that it captured', async (t) => {
  const message = 'loadVisits takes 12 % more';
  const regression = { worse: true, message, with: 'nightly-1' };
  const { cluster, it, ended } = await compared(t, regression);
  assert.equal(conditionWords(ended), 'False Regression');
  assert.match(ended.message, new RegExp(message));
  assert.equal(conditionWords(cluster.condition(it.name, 'ArtifactsStored')), 'True Completed');
  await until(() => it.status().activeCount === 0, 10000, 'no active run');
  assert.equal(it.status().lastSuccessfulTime, undefined);
});

test('one that is not worse succeeds, and says than what', async (t) => {
  const message = 'no worse than nightly-1';
  const { it, ended } = await compared(t, { compared: true, worse: false, message });
  assert.equal(conditionWords(ended), 'True Completed');
  assert.match(ended.message, /no worse than nightly-1$/);
  assert.equal(it.events('NotCompared', it.name).length, 0);
});

test('one that is not compared succeeds, and says so', async (t) => {
  const message = 'no run called nightly-1 has succeeded before this one';
  const { it, ended } = await compared(t, { compared: false, worse: false, message });
  assert.equal(conditionWords(ended), 'True Completed');
  assert.match(ended.message, new RegExp(`${message}$`));
  await until(() => it.events('NotCompared', it.name).length, 10000, 'the event');
  assert.equal(it.events('NotCompared', it.name)[0].note, message);
});

test('a LoadTestSchedule makes LoadTests, with Secrets that its author may read', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const firing = due();
  const secretKeyRef = { name: 'api', key: 'token' };
  const spec = {
    target: { service: { name: 'web' } },
    scenario: {
      requests: [{ name: 'one', path: '/' }],
      headersFrom: [{ name: 'Authorization', secretKeyRef }],
    },
    arrival: { rate: 10, durationSeconds: 10 },
  };
  const annotations = { 'sonde.dev/requester': 'ann' };
  cluster.make(
    'loadtestschedules',
    { name: 'load', creationTimestamp: aWhileAgo(), annotations },
    {
      ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTestSchedule' },
      spec: { schedule: firing.schedule, testTemplate: { spec } },
    },
  );
  clinic.controller();
  const name = `load-${firing.minutes}`;
  const made = await until(() => cluster.get('loadtests', name), 15000, 'the test');
  assert.deepEqual(made.spec.scenario, spec.scenario);
  assert.equal(made.metadata.ownerReferences[0].kind, 'LoadTestSchedule');
  const asked = cluster.asked('POST', '/localsubjectaccessreviews');
  assert.deepEqual(
    asked.map(({ body }) => body.spec.resourceAttributes),
    [
      { verb: 'create', namespace: 'clinic', group: 'sonde.dev', resource: 'loadtests' },
      { verb: 'get', namespace: 'clinic', resource: 'secrets', name: 'api' },
    ],
  );
  const status = () => cluster.get('loadtestschedules', 'load').status;
  await until(() => status()?.active?.includes(name), 10000, 'the test in status.active');
});

test('many schedules do not ask all at once', async (t) => {
  const clinic = await open(t);
  const { cluster } = clinic;
  const held = [];
  let most = 0;
  cluster.answer = (request, response) => {
    const isStatus = request.method === 'PATCH' && request.sub === 'status';
    if (isStatus) {
      held.push(() => cluster.serve(request, response));
      most = Math.max(most, held.length);
    }
    return isStatus;
  };
  const names = Array.from({ length: 100 }, (_, index) => `one-${index}`);
  for (const name of names) {
    cluster.schedule(name, { suspend: true });
  }
  clinic.controller();
  const all = () => {
    for (const answer of held.splice(0)) {
      answer();
    }
    return names.every((name) => cluster.get('profileschedules', name).status);
  };
  await until(all, 60000, 'all to have a status');
  assert.ok(most > 1 && most <= 32, `${most} at once`);
});

test('nothing is asked for where nothing changes', async (t) => {
  const { clinic, cluster, it } = await nightly(t);
  clinic.controller();
  await it.made();
  await cluster.attached('pod-a');
  await clinic.sidecar('pod-a').captures();
  await until(() => it.status().activeCount === 0 && it.status().lastSuccessfulTime, 15000, 'rest');
  const count = cluster.requests.length;
  cluster.schedule('other', { suspend: true });
  const looked = () => cluster.get('profileschedules', 'other').status?.conditions;
  await until(looked, 10000, 'a look at the other one');
  const more = cluster.requests.slice(count).filter(({ path }) => path.includes('nightly'));
  assert.deepEqual(more, []);
});
