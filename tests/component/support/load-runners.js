// SPDX-License-Identifier: Apache-2.0
'use strict';

// Load tests in a store, with runners that are played: they send what they are told to.

const assert = require('node:assert/strict');
const { randomBytes, randomUUID } = require('node:crypto');
const hdr = require('hdr-histogram-js');
const { sha256 } = require('./store-service.js');

const never = 4_000_000_000;
const errors = [
  ...['refused', 'unreachable', 'proxy', 'tls', 'tlsExpired', 'tlsAuthority', 'tlsName'],
  ...['tlsClient', 'tlsAlpn', 'upgrade', 'reset', 'timeout', 'protocol', 'resources'],
];

function histogram(values) {
  const own = hdr.build({
    ...{ bitBucketSize: 64, lowestDiscernibleValue: 1, highestTrackableValue: 3_600_000_000 },
    ...{ numberOfSignificantValueDigits: 3, autoResize: false },
  });
  for (const value of values) {
    own.recordValue(value);
  }
  const [minimum, maximum] = [Math.min(...values), Math.max(...values)];
  return { minimum, maximum, clipped: 0, histogram: hdr.encodeIntoCompressedBase64(own) };
}

// Of requests that took so many µs each; `wrong` of them were answered with 503.
function tally(times, { wrong = 0, timeouts = 0, labels = 0, parts = [], more = {} } = {}) {
  const answered = times.length - timeouts;
  const counts = {
    ...{ sent: times.length, answered, failed: timeouts, censored: 0, unsent: 0, late: 0 },
    ...{ received: 0, wrong, mismatches: 0, restarts: 0, connects: 0, connectFailures: 0 },
    ...{ bytesRead: 100 * answered, bytesWritten: 50 * times.length, ...more },
  };
  const ofErrors = Object.fromEntries(errors.map((name) => [name, 0]));
  const own = {
    ...{ labels, counts, errors: { ...ofErrors, timeout: timeouts } },
    statuses: { ...(answered - wrong && { 200: answered - wrong }), ...(wrong && { 503: wrong }) },
    parts,
  };
  if (times.length) {
    own.response = own.service = histogram(times);
    own.sendLag = histogram(times.map(() => 3));
  }
  return own;
}

class Runner {
  constructor(test, number) {
    this.test = test;
    this.number = number;
    this.token = test.tokens[number];
    this.renew();
  }

  // As a new process.
  renew() {
    this.instance = randomBytes(16).toString('hex');
    this.totals = { sent: 0, answered: 0, failed: 0, censored: 0, unsent: 0 };
    this.sequence = 0;
  }

  ask(method, where, body, more = {}) {
    const { service, uid } = this.test;
    const headers = {
      ...{ 'Sonde-Target': `runner-${this.number}`, 'Sonde-Instance': this.instance },
      ...more.headers,
    };
    const all = { token: this.token, body, ...more, headers };
    return service.api(method, `runs/${uid}/runners/${this.number}${where}`, all);
  }

  ready({ round = 0, labels = [], wait = 20, ...more } = {}) {
    const body = { round, offset: 0, uncertainty: 200, labels, pod: 'p', node: 'n', ...more };
    return this.ask('POST', `/ready?wait=${wait}`, body);
  }

  // The next second of a round; what is sent again counts once.
  interval(own, { round = 0, sequence = this.sequence, end, ...more } = {}) {
    const body = {
      ...{ round, sequence, end: end ?? (sequence + 1) * 1_000_000, warmUp: false, tally: own },
      ...{ started: sequence === 0 ? this.number * 1000 : undefined, ...more },
    };
    return this.ask('POST', '/interval', body);
  }

  async second(own, more = {}) {
    const answer = await this.interval(own, more);
    if (answer.status === 200) {
      this.sequence++;
      for (const name of Object.keys(more.warmUp ? {} : this.totals)) {
        this.totals[name] += own.counts[name];
      }
    }
    return answer;
  }

  finish(more = {}) {
    const duration = this.sequence * 1_000_000;
    const body = {
      ...{ round: 0, intervals: this.sequence, ...this.totals, durationMicroseconds: duration },
      ...{ cpuMicroseconds: 1000, throttledMicroseconds: 0, threads: 1, connections: 2 },
      ...{ stopped: false, ...more },
    };
    return this.ask('POST', '/done', body);
  }
}

class LoadTest {
  static async make(service, runners, spec = {}, more = {}) {
    const test = new LoadTest(service, runners, spec, more);
    const { status, text } = await test.register(more);
    if (status > 201) {
      throw new Error(`the test is not taken: ${status} ${text}`);
    }
    return test;
  }

  constructor(service, count, spec, { name = 'patients-500', namespace = 'clinic' } = {}) {
    this.service = service;
    this.uid = randomUUID();
    this.name = name;
    this.namespace = namespace;
    this.tokens = Array.from({ length: count }, () => randomBytes(32).toString('hex'));
    this.document = {
      ...{ apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest', metadata: { name, namespace } },
      spec: {
        target: { service: { name: 'patients', port: 80 } },
        scenario: { requests: [{ name: 'one', path: '/' }] },
        ...(spec.search ? {} : { arrival: { rate: 100, durationSeconds: 60 } }),
        ...{ parallelism: count, ...spec },
      },
    };
    this.runners = this.tokens.map((_, number) => new Runner(this, number));
  }

  register(more = {}) {
    return this.service.controller('POST', 'runs', {
      ...{ uid: this.uid, name: this.name, namespace: this.namespace, kind: 'LoadTest' },
      ...{ requester: 'ann', document: this.document },
      targets: this.tokens.map((token, number) => {
        return { target: `runner-${number}`, tokenSha256: sha256(token), expires: never };
      }),
      ...more,
    });
  }

  // All are ready, and are told the same start.
  async begin(more = {}) {
    const answers = await Promise.all(this.runners.map((runner) => runner.ready(more)));
    return answers.map(({ json }) => json);
  }

  lost(number, reason = 'RunnerLost', message = 'its pod was evicted') {
    return this.service.controller('POST', `runs/${this.uid}/runners/${number}/lost`, {
      ...{ reason, message },
    });
  }

  live(query = '') {
    return this.service.person('GET', `runs/${this.uid}/live?namespace=${this.namespace}${query}`);
  }

  conclude(more = {}) {
    return this.service.controller('POST', `runs/${this.uid}/conclude`, {
      ...{ state: 'Succeeded', reason: 'Completed', message: '', target: 'Service/patients' },
      ...more,
    });
  }
}

// A test whose requests took about so many µs, in seconds that differ a little.
async function tested(service, name, microseconds, { uid, schedule, thresholds } = {}) {
  const test = new LoadTest(service, 2, { thresholds }, { name });
  test.uid = uid ?? test.uid;
  assert.ok((await test.register({ schedule })).status <= 201);
  await test.begin();
  for (let second = 0; second < 10; second++) {
    const times = Array.from({ length: 100 }, (_, i) => microseconds + 10 * i + 7 * (second % 3));
    for (const runner of test.runners) {
      assert.equal((await runner.second(tally(times))).status, 200);
    }
  }
  for (const runner of test.runners) {
    assert.equal((await runner.finish()).status, 200);
  }
  assert.equal((await test.conclude()).status, 200);
  return test;
}

module.exports = { LoadTest, tally, tested };
