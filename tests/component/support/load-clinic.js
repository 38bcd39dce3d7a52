// SPDX-License-Identifier: Apache-2.0
'use strict';

// A cluster and a store for sonde-controller's LoadTests, both played.

const path = require('node:path');
const { open, until } = require('./cluster.js');
const { fakeStore } = require('./service.js');

// A store that tells of load tests what the test says.
class PlayedStore {
  static async open(t) {
    const store = new PlayedStore();
    Object.assign(store, { posts: [], told: [], waiting: undefined, conclusion: {}, refuse: {} });
    const server = await fakeStore(t, (_step, _count, response, request) =>
      store.serve(server, response, request),
    );
    store.server = server;
    return Object.assign(store, {
      ...{ url: server.url, certificate: server.certificate, directory: server.directory },
    });
  }

  serve(server, response, { method, url }) {
    const { pathname, searchParams } = new URL(url, 'https://h');
    const where = pathname.replace('/api/v1/', '');
    if (method === 'GET') {
      const since = Number(searchParams.get('since') || -1);
      this.waiting = { response, since };
      this.flush();
      return true;
    }
    const body = JSON.parse(server.bodies[path.basename(pathname)]);
    this.posts.push({ where, body });
    response.statusCode = this.refuse[path.basename(pathname)] ?? 200;
    const refusal = { code: 'Full', message: '64 load tests go on: wait until one has ended' };
    const answer = where.endsWith('/conclude') ? this.conclusion : {};
    response.end(JSON.stringify(response.statusCode < 300 ? answer : refusal));
    return true;
  }

  // All that was told since.
  flush() {
    if (this.waiting && (this.waiting.since < this.told.length || this.waiting.since < 0)) {
      const { response, since } = this.waiting;
      this.waiting = undefined;
      const changes = this.told.slice(Math.max(since, 0));
      response.end(JSON.stringify({ all: since < 0, changes, next: String(this.told.length) }));
    }
  }

  tell({ metadata: { uid, namespace, name } }, load) {
    this.told.push({ uid, namespace, name, load: { ready: 0, active: 0, lost: 0, ...load } });
    this.flush();
  }

  posted(end) {
    return this.posts.filter(({ where }) => where.endsWith(end)).map(({ body }) => body);
  }

  wait(end, count = 1, milliseconds = 15000) {
    return until(() => this.posted(end)[count - 1], milliseconds, `${count} × ${end}`);
  }
}

const good = {
  ...{ succeeded: true, reason: 'Completed', message: '', requests: 100, rate: 10 },
  ...{ errorRate: 0.0012, p50: 850, p99: 231000, startSkewMicroseconds: 1200, valid: true },
  ...{ invalidReason: '', lostRunners: 0, artifact: 'a.1' },
  thresholds: [{ threshold: 'http_req_duration: p(99)<250', value: 231, holds: true }],
};

async function begin(t) {
  const clinic = await open(t);
  clinic.store = await PlayedStore.open(t);
  clinic.store.conclusion = { artifacts: [], summary: null, load: good };
  clinic.cluster.service('web');
  return clinic;
}

// A test whose runners are at work.
async function running(t, spec) {
  const clinic = await begin(t);
  const { cluster, store } = clinic;
  const made = cluster.load('peak', spec);
  clinic.process = clinic.controller();
  const job = await cluster.job('peak');
  const pods = Array.from({ length: job.spec.parallelism }, (_, i) => cluster.runner(job, i));
  const ready = pods.length;
  store.tell(made, { phase: 'Running', ready, active: ready });
  await until(
    () => cluster.loadCondition('peak', 'Running')?.status === 'True',
    10000,
    'the beginning',
  );
  return { ...clinic, process: clinic.process, clinic, cluster, store, made, job, pods };
}

module.exports = { begin, good, running };
