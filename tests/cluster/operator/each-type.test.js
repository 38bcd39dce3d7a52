// SPDX-License-Identifier: Apache-2.0
'use strict';

// Each type of capture in a pod, and all of them in one run: what kubectl sonde reports, exports and
// compares of them.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Person } = require('./support/people.js');
const { container } = require('./support/pods.js');
const { Run } = require('./support/run.js');
const { Space } = require('./support/space.js');

const allSeconds = 120;
// A service that keeps what it makes, blocks its loop, and has a function that nobody calls.
const patient = (node) => container({ node, env: { MODE: 'patient', BUSY_PERCENT: 20 } });

const raw = (check) => ({ raw: (text) => check(JSON.parse(text)) });

// For each type: its capture, what its report and comparison say, and a check of what each format
// exports.
const types = {
  cpu: {
    capture: { type: 'CPUProfile', durationSeconds: 2 },
    report: /hotLoop .*service\.js:\d+/,
    exports: {
      cpuprofile: (text) => assert.ok(JSON.parse(text).nodes.length > 5),
      folded: (text) => assert.match(text, /;hotLoop.* \d+/),
      speedscope: (text) => assert.match(text, /"hotLoop"/),
    },
    compare: /busy .*hotLoop|hotLoop/s,
  },
  heap: {
    capture: { type: 'AllocationSampling', durationSeconds: 3 },
    report: /keepVisits .*service\.js:\d+/,
    exports: {
      heapprofile: (text) => assert.match(text, /"keepVisits"/),
      folded: (text) => assert.match(text, /;keepVisits.* \d+/),
    },
    compare: /keepVisits/,
  },
  allocations: {
    capture: { type: 'AllocationSampling', includeCollected: true, durationSeconds: 3 },
    from: 20,
    report: /keepVisits .*service\.js:\d+/,
    exports: { heapprofile: (text) => assert.match(text, /"keepVisits"/) },
    compare: /keepVisits/,
  },
  snapshot: {
    capture: { type: 'HeapSnapshot' },
    report: /\bVisit\b/,
    exports: raw(({ snapshot, nodes, strings }) => {
      assert.equal(nodes.length, snapshot.node_count * snapshot.meta.node_fields.length);
      assert.ok(strings.includes('Visit'));
    }),
    compare: /\bVisit\b/,
  },
  timeline: {
    capture: { type: 'AllocationTimeline', durationSeconds: 2 },
    report: /timeline/,
    exports: raw(({ moments }) => assert.ok(moments.some(({ bytes }) => bytes > 0))),
    compare: /still in use/,
  },
  coverage: {
    capture: { type: 'Coverage', durationSeconds: 2 },
    report: /neverCalled .*service\.js:\d+/,
    exports: { coverage: (text) => assert.match(text, /"functionName":"hotLoop"/) },
    compare: /functions called/,
  },
  eventloop: {
    capture: { type: 'EventLoop', durationSeconds: 4 },
    // What blocks is short and called often: it has the time, or its caller, which may have it inlined.
    // Code that was replaced while it ran, before the capture, V8 counts in its caller, too.
    report: /stalls of .*(?:(?:block|hot)Loop .*service\.js:\d+|listOnTimeout)/s,
    exports: raw(({ stalls }) => assert.ok(stalls.length > 0)),
    compare: /delay p99/,
  },
  report: {
    capture: { type: 'Report' },
    report: /active handles/,
    exports: raw(({ header, environmentVariables }) => {
      assert.ok(header.nodejsVersion);
      assert.equal(environmentVariables, undefined);
    }),
    compare: /heap used/,
  },
};

async function done(person, args) {
  const { code, stdout, stderr } = await person.kubectl(['sonde', ...args]);
  assert.equal(code, 0, `kubectl sonde ${args.join(' ')}: ${stderr}`);
  return stdout;
}

// What people are shown of a capture of a run.
async function isShown(person, run, name) {
  const { report, exports } = types[name];
  assert.match(await done(person, ['report', run.name, '--capture', name]), report);
  for (const [format, check] of Object.entries(exports)) {
    const args = ['export', run.name, '--capture', name, '--format', format];
    check(await done(person, args));
  }
}

const captures = (names) => names.map((name) => ({ name, ...types[name].capture }));

// A pod, and somebody who may see heaps too.
async function clinic(t, node) {
  const space = await Space.make(t);
  const pod = await space.pod('target', [patient(node)]);
  const person = await Person.make(t, space, 'ann', 'sonde-requester', 'admin');
  return { space, pod, person };
}

describe('each type of capture', { concurrency: 3 }, () => {
  for (const name of Object.keys(types)) {
    test(name, async (t) => {
      const { space, pod, person } = await clinic(t, '22');
      const before = await Run.apply(space, { pod, name: 'before', captures: captures([name]) });
      const { status } = await before.succeeds();
      assert.equal(status.captureTypes, types[name].capture.type);
      await isShown(person, before, name);
      const after = await Run.apply(space, { pod, name: 'after', captures: captures([name]) });
      await after.succeeds();
      assert.match(await done(person, ['compare', 'before', 'after']), types[name].compare);
      JSON.parse(await done(person, ['compare', 'before', 'after', '--format', 'json']));
      await after.leftNothing(pod);
    });
  }
});

describe('all types in one run, one after the other', { concurrency: 2 }, () => {
  for (const node of ['18', '22', '24']) {
    test(`on Node.js ${node}`, async (t) => {
      const { space, pod, person } = await clinic(t, node);
      const names = Object.keys(types).filter((name) => Number(node) >= (types[name].from ?? 0));
      const run = await Run.apply(space, { pod, captures: captures(names) });
      const { status } = await run.succeeds(allSeconds);
      const taken = new Set(status.artifacts.map(({ capture }) => capture));
      assert.deepEqual([...taken].sort(), names.toSorted());
      for (const name of names) {
        await isShown(person, run, name);
      }
      const page = await done(person, ['report', run.name, '--format', 'html']);
      assert.match(page, /^<!doctype html>/i);
      await run.attachedOnce(pod);
      await run.leftNothing(pod);
    });
  }
});
