// SPDX-License-Identifier: Apache-2.0
'use strict';

// Made-up data of the page (web/README.md), from stacks that a person can add up.

const CATEGORIES = ['app', 'dependency', 'node', 'native', 'v8', 'wasm', 'idle', 'root', 'sonde'];

function interner() {
  const strings = [];
  const index = new Map();
  return {
    strings,
    of(text) {
      if (!index.has(text)) {
        index.set(text, strings.length);
        strings.push(text);
      }
      return index.get(text);
    },
  };
}

// A call tree of frames {name, file, line, category, package, version, ticks: {line: count}}.
class Stacks {
  constructor() {
    this.texts = interner();
    this.frames = [];
    this.nodes = { frame: [], parent: [], self: [], samples: [] };
    this.children = new Map();
    this.samples = { node: [], duration: [] };
    this.node(-1, { name: '(root)', category: 'root' });
  }

  frame(frame) {
    const at = this.frames.indexOf(frame);
    return at >= 0 ? at : this.frames.push(frame) - 1;
  }

  node(parent, frame) {
    const key = `${parent} ${this.frame(frame)}`;
    if (!this.children.has(key)) {
      const node = this.nodes.frame.length;
      this.children.set(key, node);
      this.nodes.frame.push(this.frame(frame));
      this.nodes.parent.push(parent < 0 ? 0 : node - parent);
      this.nodes.self.push(0);
      this.nodes.samples.push(0);
    }
    return this.children.get(key);
  }

  // amount: microseconds or bytes of the innermost frame, as `samples` samples.
  add(path, amount, samples = 1) {
    const node = path.reduce((at, frame) => this.node(at, frame), 0);
    this.nodes.self[node] += amount;
    this.nodes.samples[node] += samples;
    for (let i = 0; i < samples; i++) {
      this.samples.node.push(node);
      this.samples.duration.push(amount / samples);
    }
    return this;
  }

  capture({
    name = 'cpu',
    kind = 'cpu',
    unit = 'microseconds',
    sources = [],
    before = false,
  } = {}) {
    const lines = { frame: [], line: [], ticks: [] };
    this.frames.forEach((frame, i) => {
      for (const [line, ticks] of Object.entries(frame.ticks ?? {})) {
        lines.frame.push(i);
        lines.line.push(Number(line));
        lines.ticks.push(ticks);
      }
    });
    const text = (field) => this.frames.map((frame) => this.texts.of(frame[field] ?? ''));
    const frames = {
      name: text('name'),
      file: text('file'),
      line: this.frames.map((frame) => frame.line ?? 0),
      column: this.frames.map(() => 1),
      category: this.frames.map((frame) => CATEGORIES.indexOf(frame.category)),
      package: text('package'),
      version: text('version'),
    };
    return {
      kind,
      unit,
      name,
      at: 0,
      ...(before ? { before } : {}),
      frames,
      nodes: this.nodes,
      lines,
      ...(kind === 'cpu' ? { samples: this.samples } : {}),
      sources: sources.map((source) => ({ ...source, file: this.texts.of(source.file) })),
      strings: this.texts.strings,
      categories: CATEGORIES,
    };
  }
}

const example = {
  handle: { name: 'handle', file: 'file:///srv/app/server.js', line: 10, category: 'app' },
  loadVisits: {
    name: 'loadVisits',
    file: 'file:///srv/app/routes/visits.js',
    line: 41,
    category: 'app',
    ticks: { 43: 30, 45: 10 },
  },
  render: { name: 'render', file: 'file:///srv/app/render.js', line: 7, category: 'app' },
  findAll: {
    name: 'findAll',
    file: 'file:///srv/app/node_modules/sequelize/lib/model.js',
    line: 1200,
    category: 'dependency',
    package: 'sequelize',
    version: '6.37.3',
  },
  build: {
    name: 'build',
    file: 'file:///srv/app/node_modules/sequelize/lib/model.js',
    line: 80,
    category: 'dependency',
    package: 'sequelize',
    version: '6.37.3',
  },
  query: {
    name: 'query',
    file: 'file:///srv/app/node_modules/mysql2/lib/connection.js',
    line: 5,
    category: 'dependency',
    package: 'mysql2',
    version: '3.9.1',
  },
  stringify: { name: 'stringify', file: '', line: 0, category: 'native' },
  timers: { name: 'listOnTimeout', file: 'node:internal/timers', line: 500, category: 'node' },
  gc: { name: '(garbage collector)', category: 'v8' },
  idle: { name: '(idle)', category: 'idle' },
};

// Ten seconds, five of them busy:
//   handle                   4.0 s
//     loadVisits             3.0 s, 0.4 s its own
//       findAll              2.6 s, 0.5 s its own
//         build              1.1 s
//         query              1.0 s
//     render                 1.0 s, 0.6 s its own
//       stringify            0.4 s
//   listOnTimeout            0.5 s
//   (garbage collector)      0.5 s
//   (idle)                   5.0 s
function exampleStacks(frames = example) {
  const { handle, loadVisits, render, findAll, build, query, stringify, timers, gc, idle } = frames;
  return new Stacks()
    .add([idle], 1e6, 100)
    .add([handle, loadVisits], 0.4e6, 40)
    .add([handle, loadVisits, findAll], 0.5e6, 50)
    .add([handle, loadVisits, findAll, build], 1.1e6, 110)
    .add([idle], 2e6, 200)
    .add([handle, loadVisits, findAll, query], 1e6, 100)
    .add([handle, render], 0.6e6, 60)
    .add([handle, render, stringify], 0.4e6, 40)
    .add([timers], 0.5e6, 50)
    .add([idle], 2e6, 200)
    .add([gc], 0.5e6, 50);
}

const exampleReport = {
  name: 'slow-patients',
  uid: '0f7b1d3e-8a52-4f6e-9c1d-2b3a4c5d6e7f',
  state: 'Succeeded',
  reason: 'Completed',
  message: '',
  created: '2026-01-31T12:34:56.789Z',
  target: 'Deployment/patients',
  nodeVersion: 'v22.11.0',
  directory: '/srv/app',
  captures: [
    {
      name: 'cpu',
      samples: 1000,
      stalls: [
        {
          startMilliseconds: 5000,
          milliseconds: 2500,
          samples: 250,
          function: 'loadVisits',
          functionShare: 0.4,
        },
        {
          startMilliseconds: 1000,
          milliseconds: 2000,
          samples: 200,
          function: 'loadVisits',
          functionShare: 1,
        },
        {
          startMilliseconds: 9500,
          milliseconds: 500,
          samples: 5,
          function: 'chance',
          functionShare: 1,
        },
      ],
      findings: [
        {
          tool: 'cpu',
          kind: 'hot-function',
          severity: 70,
          confidence: 0.9,
          title: '60 % of the busy time is spent in loadVisits, most of it in findAll',
          advice: 'Call the package sequelize less often, or with less data.',
          evidence: { busyShare: { value: 0.6, unit: 'share' }, time: { value: 3000, unit: 'ms' } },
          where: [
            {
              function: 'loadVisits',
              file: 'file:///srv/app/routes/visits.js',
              line: 41,
              column: 1,
            },
          ],
        },
      ],
      functions: [],
    },
  ],
  eventLoop: {
    utilization: 0.5,
    delayMeanMilliseconds: 1.5,
    delayP50Milliseconds: 1.25,
    delayP99Milliseconds: 20.5,
    delayMaxMilliseconds: 80.25,
  },
  cost: {
    attachMilliseconds: 180.5,
    inspectorOpenSeconds: 31.25,
    startStallMilliseconds: 12.5,
    stopStallMilliseconds: 7.5,
    rotations: 2,
    rotationStallP50Milliseconds: 3.25,
    rotationStallP99Milliseconds: 4.5,
    rotationStallMaxMilliseconds: 4.5,
    bytes: 1234567,
  },
};

function exampleData(options = {}) {
  return {
    version: 1,
    report: exampleReport,
    captures: [exampleStacks(options.frames).capture(options)],
  };
}

// Against exampleStacks: query takes 2.0 s more, stringify is gone, compress is new. Ten seconds busy.
//   handle                   8.0 s of 10
//     loadVisits             6.0 s, 0.4 s its own
//       findAll              5.6 s, 0.5 s its own
//         build              1.1 s
//         query              4.0 s
//     render                 2.0 s, 0.5 s its own
//       compress             1.5 s
//   listOnTimeout            1.5 s
//   (garbage collector)      0.5 s
function laterStacks() {
  const { handle, loadVisits, render, findAll, build, query, timers, gc, idle } = example;
  const compress = {
    name: 'compress',
    file: 'file:///srv/app/render.js',
    line: 70,
    category: 'app',
  };
  return new Stacks()
    .add([idle], 1e6, 100)
    .add([handle, loadVisits], 0.4e6, 40)
    .add([handle, loadVisits, { ...findAll, line: 1234 }], 0.5e6, 50)
    .add([handle, loadVisits, findAll, build], 1.1e6, 110)
    .add([handle, loadVisits, findAll, query], 4e6, 400)
    .add([handle, render], 0.5e6, 50)
    .add([handle, render, compress], 1.5e6, 150)
    .add([timers], 1.5e6, 150)
    .add([gc], 0.5e6, 50);
}

function comparisonData(changes) {
  const later = {
    ...exampleReport,
    name: 'after-the-change',
    uid: '1a2b3c4d-0000-4000-8000-000000000000',
  };
  return {
    version: 1,
    report: later,
    before: exampleReport,
    captures: [laterStacks().capture(), exampleStacks().capture({ before: true })],
    comparison: { pairs: [{ before: 1, after: 0, changes }] },
  };
}

const heapCapture = (report) => ({
  ...exampleReport.captures[0],
  ...report,
  stalls: [],
  functions: [],
});

// 100 MB: a Map of sessions holds 60, one of them 20; a cache 25.
function snapshot({ growth = false, evil = '' } = {}) {
  const object = (name, kind, id, parent, shallowBytes, retainedBytes) => ({
    name,
    class: kind,
    id,
    parent,
    shallowBytes,
    retainedBytes,
  });
  const grown = (name, before, after, added, freed, shallow, retained) => ({
    name,
    before,
    after,
    added,
    freed,
    shallowGrowthBytes: shallow,
    retainedGrowthBytes: retained,
  });
  const sessions = grown('Session', 1000, 41000, 40500, 500, 5e6, 54e6);
  const held = 'app.js(){sessions} → Map[17] → Session';
  return {
    type: 'HeapSnapshot',
    name: 'heap',
    nodes: 1234567,
    edges: 4567890,
    totalBytes: 100e6,
    detachedBytes: 0,
    biggest: [
      {
        class: 'Map',
        id: 3,
        retainedBytes: 60e6,
        heapShare: 0.6,
        dominated: 41000,
        path: 'app.js(){sessions}',
      },
    ],
    tree: [
      object('', '(root)', 1, 0, 0, 100e6),
      object(`sessions${evil}`, 'Map', 3, 0, 5e6, 60e6),
      object('LRUCache', 'LRUCache', 5, 0, 1e6, 25e6),
      object('Session', 'Session', 77, 1, 2e6, 20e6),
      object('history', 'Array', 79, 3, 18e6, 18e6),
      object('Session', 'Session', 81, 1, 1e6, 4e6),
    ],
    classes: [
      {
        name: 'Map',
        count: 12,
        shallowBytes: 5e6,
        retainedBytes: 60e6,
        path: 'app.js(){sessions}',
      },
      { name: 'Session', count: 41000, shallowBytes: 6e6, retainedBytes: 55e6, path: held },
      { name: '(string)', count: 900000, shallowBytes: 30e6, retainedBytes: 30e6 },
    ],
    duplicateStrings: [{ count: 5000, wastedBytes: 2e6, text: 'application/json' }],
    ...(growth
      ? {
          growth: [
            sessions,
            grown('(string)', 880000, 900000, 30000, 10000, 2e6, 2e6),
            grown('Socket', 90, 40, 0, 50, -1e6, -2e6),
          ],
          suspects: [{ ...sessions, sampled: 256, heldAlike: 250, path: held }],
        }
      : {}),
  };
}

// Allocations by function, then the snapshot.
function heapData(options) {
  const { handle, loadVisits, findAll, query, render } = example;
  const allocations = new Stacks()
    .add([handle, loadVisits, findAll], 6e6, 60)
    .add([handle, loadVisits, findAll, query], 2e6, 4000)
    .add([handle, render], 2e6, 20)
    .capture({ name: 'allocations', kind: 'allocation', unit: 'bytes' });
  const finding = {
    ...exampleReport.captures[0].findings[0],
    title: '60 % of the heap is retained by a Map called sessions',
    where: [],
  };
  return {
    version: 1,
    report: {
      ...exampleReport,
      captures: [
        heapCapture({ name: 'allocations', findings: [] }),
        { ...snapshot(options), findings: [finding] },
      ],
    },
    captures: [allocations],
    parts: [{ at: 1, name: 'heap', type: 'HeapSnapshot', text: 'heap: 100 MB\n' }],
  };
}

// Of 1000 characters 300 never ran, 200 of them in visits.ts, whose text is there.
const coverageCapture = {
  name: 'coverage',
  type: 'Coverage',
  findings: [
    {
      tool: 'coverage',
      kind: 'never-called',
      severity: 10,
      confidence: 1,
      title: '2 of 5 functions of yours were never called, the longest of them mergeVisits',
      advice: 'What nothing reaches can go.',
      evidence: { neverCalled: { value: 2, unit: 'count' } },
      where: [
        { function: 'mergeVisits', file: 'file:///srv/app/src/visits.ts', line: 4, column: 0 },
      ],
    },
  ],
  scripts: 2,
  functionCount: 5,
  calledCount: 3,
  characters: 1000,
  executedCharacters: 700,
  mostCalled: [
    {
      function: 'handle',
      url: 'file:///srv/app/server.js',
      start: 10,
      end: 90,
      line: 3,
      count: 900,
    },
    {
      ...{ function: 'loadVisits', url: 'file:///srv/app/dist/a.js', start: 0, end: 300, line: 1 },
      ...{ sourceFile: 'file:///srv/app/src/visits.ts', sourceLine: 1, count: 12 },
    },
  ],
  neverCalled: [
    {
      ...{ function: 'mergeVisits', url: 'file:///srv/app/dist/a.js', start: 300, end: 480 },
      ...{ line: 1, sourceFile: 'file:///srv/app/src/visits.ts', sourceLine: 4, count: 0 },
    },
    {
      function: 'evil\u202e',
      url: 'file:///srv/app/server.js',
      start: 5,
      end: 105,
      line: 0,
      count: 0,
    },
  ],
  neverReached: [
    {
      ...{ function: 'loadVisits', url: 'file:///srv/app/dist/a.js', start: 20, end: 40, line: 1 },
      ...{ lastLine: 1, sourceFile: 'file:///srv/app/src/visits.ts', sourceLine: 1 },
      ...{ firstSourceLine: 2, lastSourceLine: 3 },
    },
  ],
  files: [
    {
      ...{ file: 'file:///srv/app/src/visits.ts', functionCount: 2, calledCount: 1 },
      ...{ characters: 500, executedCharacters: 300 },
    },
    {
      ...{ file: 'file:///srv/app/server.js', functionCount: 3, calledCount: 2 },
      ...{ characters: 500, executedCharacters: 400 },
    },
  ],
};

function coverageData({ compared = false } = {}) {
  const { handle } = example;
  const cpu = new Stacks().add([handle], 1e6, 1000).capture();
  const report = { ...exampleReport, captures: [...exampleReport.captures, coverageCapture] };
  const changes = {
    unit: 'calls',
    before: { uid: '11111111-2222', name: 'monday' },
    after: { uid: '33333333-4444', name: 'tuesday' },
    functions: [
      {
        ...{ function: 'mergeVisits', file: 'src/visits.ts', lineBefore: 4, lineAfter: 4 },
        ...{ callsBefore: 7, callsAfter: 0, characters: 180 },
      },
      {
        ...{ function: 'handle', file: 'server.js', lineBefore: 3, lineAfter: 3 },
        ...{ callsBefore: 100, callsAfter: 900, characters: 80 },
      },
    ],
    stretches: [
      {
        ...{ function: 'loadVisits', file: 'src/visits.ts', executed: 'before', characters: 20 },
        ...{ start: 20, end: 40, line: 2, lastLine: 3 },
      },
    ],
  };
  return {
    version: 1,
    report,
    captures: [cpu],
    coverage: [
      {
        at: 1,
        sources: [
          {
            file: 'file:///srv/app/src/visits.ts',
            first: 1,
            lines: [
              'function loadVisits() {',
              '\tif (none) { return <b>[]</b>; }',
              '',
              'function mergeVisits() {}',
            ],
            least: [12, 0, -1, 0],
            most: [12, 12, -1, 0],
          },
        ],
      },
    ],
    parts: [],
    ...(compared
      ? {
          before: exampleReport,
          comparison: { pairs: [], coverage: [{ before: 1, after: 1, changes }] },
        }
      : {}),
  };
}

module.exports = {
  coverageData,
  heapData,
  comparisonData,
  Stacks,
  example,
  exampleData,
  exampleReport,
  exampleStacks,
};
