// SPDX-License-Identifier: Apache-2.0
'use strict';

// The parts of the page that need no browser.

const assert = require('node:assert/strict');
const test = require('node:test');
const chart = require('../../web/chart.js');
const colours = require('../../web/colours.js');
const format = require('../../web/format.js');
const functions = require('../../web/functions.js');
const layout = require('../../web/layout.js');
const states = require('../../web/state.js');
const trees = require('../../web/tree.js');
const { readDue, readLimit } = require('../../web/loadtest.js');
const { readTree } = require('../../web/capture.js');
const { squarify } = require('../../web/treemap.js');
const { timeBins } = require('../../web/timebins.js');
const { Stacks, exampleStacks } = require('./support/data.js');

const SEED = 20260131;

// Park and Miller's generator: the same numbers each time.
function random(seed) {
  let state = seed;
  return () => {
    state = (state * 48271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}

function randomStacks(next, count) {
  const categories = ['app', 'dependency', 'node', 'native', 'v8', 'idle'];
  const frames = Array.from({ length: 30 }, (_, i) => {
    const category = categories[i % 5];
    const name = category === 'dependency' ? `p${i % 3}` : '';
    return { name: `f${i}`, file: `file:///f${i}.js`, line: i, category, package: name };
  });
  const idle = { name: '(idle)', category: 'idle' };
  const stacks = new Stacks();
  for (let i = 0; i < count; i++) {
    const depth = 1 + Math.floor(next() * 12);
    const path = Array.from({ length: depth }, () => frames[Math.floor(next() * next() * 30)]);
    stacks.add(next() < 0.2 ? [idle] : path, 1 + Math.floor(next() * 5000));
  }
  return readTree(stacks.capture(), '');
}

const plain = { range: null, treatments: {} };
const nothing = { treatments: { idle: 'show' } };

test('numbers as a person reads them', () => {
  assert.equal(format.percent(0.12345), '12.3 %');
  assert.equal(format.percent(0.0001), '<0.1 %');
  assert.equal(format.percent(0), '0.0 %');
  assert.equal(format.percent(Number.NaN), '–');
  assert.equal(format.points(0.0312), '+3.1 pp');
  assert.equal(format.points(-0.5), '−50.0 pp');
  assert.equal(format.time(1234), '1.23 ms');
  assert.equal(format.time(12.4), '12 µs');
  assert.equal(format.time(98765432), '98.8 s');
  assert.equal(format.bytes(999), '999 B');
  assert.equal(format.bytes(1536000), '1.54 MB');
  assert.equal(format.count(1234567), '1\u202f234\u202f567');
  assert.equal(format.place('file:///srv/app/a.js', 3, '/srv/app'), 'a.js:3');
  assert.equal(
    format.place('file:///srv/application/a.js', 3, '/srv/app'),
    '/srv/application/a.js:3',
  );
  assert.equal(format.place('', 0), '');
});

test('a tree has all of the time, whatever is folded or hidden', (t) => {
  t.diagnostic(`seed ${SEED}`);
  const next = random(SEED);
  for (let round = 0; round < 20; round++) {
    const capture = randomStacks(next, 200);
    const whole = capture.nodes.self.reduce((sum, value) => sum + value, 0);
    for (const treatments of [
      { idle: 'show' },
      { idle: 'show', dependency: 'fold', node: 'hide' },
      { idle: 'show', app: 'fold', v8: 'hide', 'dependency/p1': 'hide' },
    ]) {
      const tree = trees.merged(capture, { range: null, treatments });
      assert.equal(tree.total[0], whole);
      checkTree(tree);
      const inTime = trees.ordered(capture, { range: null, treatments });
      checkTree(inTime, false);
      assert.ok(Math.abs(inTime.total[0] - whole) < 1e-6);
    }
  }
});

// Children lie within their parent, side by side; what they do not fill is its own.
function checkTree(tree, sorted = true) {
  for (let i = 0; i < tree.count; i++) {
    let at = tree.start[i];
    let sum = 0;
    let last = Number.POSITIVE_INFINITY;
    for (let k = tree.childFrom[i]; k < tree.childFrom[i + 1]; k++) {
      const child = tree.children[k];
      assert.equal(tree.parent[child], i);
      assert.ok(tree.start[child] >= at - 1e-6);
      assert.ok(!sorted || tree.total[child] <= last);
      last = tree.total[child];
      at = tree.start[child] + tree.total[child];
      sum += tree.total[child];
    }
    assert.ok(at <= tree.start[i] + tree.total[i] + 1e-6);
    assert.ok(Math.abs(sum + tree.self[i] - tree.total[i]) < 1e-6);
  }
}

test('functions count recursion once, and agree with a plain count', (t) => {
  t.diagnostic(`seed ${SEED}`);
  const next = random(SEED + 1);
  for (let round = 0; round < 20; round++) {
    const capture = randomStacks(next, 100);
    const rows = functions.byFunction(trees.merged(capture, plain));
    for (const row of rows) {
      let total = 0;
      for (let node = 1; node < capture.nodeCount; node++) {
        let on = false;
        for (let at = node; at !== 0; at = capture.nodes.parent[at]) {
          on = on || capture.nodes.frame[at] === row.frame;
        }
        total += on ? capture.nodes.self[node] : 0;
      }
      assert.ok(Math.abs(row.total - total) < 1e-6, capture.label[row.frame]);
    }
  }
});

test('callers and callees have what the function has', (t) => {
  t.diagnostic(`seed ${SEED}`);
  const next = random(SEED + 2);
  const capture = randomStacks(next, 300);
  const tree = trees.merged(capture, plain);
  for (const row of functions.byFunction(tree)) {
    const down = trees.callees(tree, row.frame);
    const up = trees.callers(tree, row.frame);
    assert.ok(Math.abs(down.total[0] - row.total) < 1e-6);
    assert.ok(Math.abs(up.total[0] - row.total) < 1e-6);
    checkTree(down);
    checkTree(up);
  }
});

test('a stretch takes its part of the samples that it cuts', () => {
  const capture = readTree(exampleStacks().capture(), '');
  const tree = trees.merged(capture, { range: { from: 6005e3, to: 6595e3 }, treatments: {} });
  assert.equal(Math.round(tree.total[0]), 590e3);
  assert.deepEqual(
    [...tree.frame].slice(1).map((frame) => capture.label[frame]),
    ['handle', 'render'],
  );
});

test('the box at a point is the one that is drawn there', (t) => {
  t.diagnostic(`seed ${SEED}`);
  const next = random(SEED + 3);
  const capture = randomStacks(next, 400);
  for (const tree of [trees.merged(capture, nothing), trees.ordered(capture, nothing)]) {
    for (const focus of [0, 1, Math.floor(tree.count / 2)]) {
      const shown = layout.visible(tree, focus, 800, 0.5);
      for (let row = 0; row + 1 < shown.rows.length; row++) {
        for (let i = shown.rows[row]; i < shown.rows[row + 1]; i++) {
          const node = shown.nodes[i];
          assert.equal(tree.depth[node], tree.depth[focus] + row);
          const middle = (tree.start[node] + tree.total[node] / 2 - shown.from) * shown.scale;
          assert.equal(layout.boxAt(tree, shown, row, middle), node);
          assert.ok(tree.total[node] * shown.scale >= 0.5);
        }
      }
      assert.equal(layout.boxAt(tree, shown, shown.rows.length, 1), -1);
    }
  }
});

test('arrows lead to the caller, the heaviest callee, and the one beside', () => {
  const capture = readTree(exampleStacks().capture(), '');
  const tree = trees.merged(capture, plain);
  const name = (node) => capture.label[tree.frame[node]];
  const handle = layout.neighbour(tree, 0, 'ArrowDown');
  const loadVisits = layout.neighbour(tree, handle, 'ArrowDown');
  assert.deepEqual([name(handle), name(loadVisits)], ['handle', 'loadVisits']);
  const render = layout.neighbour(tree, loadVisits, 'ArrowRight');
  assert.equal(name(render), 'render');
  assert.equal(layout.neighbour(tree, render, 'ArrowRight'), render);
  assert.equal(layout.neighbour(tree, render, 'ArrowLeft'), loadVisits);
  assert.equal(layout.neighbour(tree, render, 'ArrowUp'), handle);
  assert.equal(layout.neighbour(tree, 0, 'ArrowLeft'), 0);
  assert.deepEqual(layout.pathTo(tree, render), [0, handle, render]);
});

test('an address is read as it was printed, and anything else as nothing', () => {
  const state = {
    ...states.initial(),
    view: 'time',
    zoom: 42,
    search: 'a b&c=#%',
    colour: 'heat',
    range: { from: 5, to: 99 },
    treatments: { 'dependency/@x/y': 'fold', node: 'hide' },
    frame: 7,
    sort: 'place',
    ascending: true,
    filter: { text: 'x', category: 'app', package: '@x/y' },
  };
  const again = states.parse(states.print(state));
  assert.deepEqual({ ...again, treatments: { ...again.treatments } }, state);
  assert.equal(states.print(states.initial()), '');
  const bad = states.parse(
    '#zoom=-1&view=x&time=1&group=fold&group=x:y&sort=__proto__&capture=1e9',
  );
  assert.deepEqual({ ...bad, treatments: { ...bad.treatments } }, states.initial());
  assert.equal(states.parse(`#search=${'x'.repeat(5000)}`).search.length, 500);
  const polluted = states.parse('#group=fold:__proto__&group=hide:constructor');
  assert.equal(Object.prototype.fold, undefined);
  assert.equal(polluted.treatments.toString, undefined);
});

test('a treemap fills its box with the right areas', (t) => {
  t.diagnostic(`seed ${SEED}`);
  const next = random(SEED + 4);
  for (let round = 0; round < 50; round++) {
    const count = 1 + Math.floor(next() * 40);
    const values = Array.from({ length: count }, () => 1 + next() ** 4 * 1000).sort(
      (a, b) => b - a,
    );
    const sum = values.reduce((all, value) => all + value, 0);
    const boxes = squarify(values, { x: 3, y: 5, width: 300, height: 200 });
    assert.equal(boxes.length, count);
    boxes.forEach((box, i) => {
      assert.equal(box.index, i);
      assert.ok(Math.abs(box.width * box.height - (values[i] / sum) * 60000) < 1e-6);
      assert.ok(box.x >= 3 - 1e-6 && box.y >= 5 - 1e-6);
      assert.ok(box.x + box.width <= 303 + 1e-6 && box.y + box.height <= 205 + 1e-6);
    });
  }
  assert.deepEqual(squarify([], { x: 0, y: 0, width: 10, height: 10 }), []);
});

test('stretches of the timeline have all of the busy time', () => {
  const capture = readTree(exampleStacks().capture(), '');
  const { categories, sums, end } = timeBins(capture, 37);
  const all = sums.flatMap((row) => [...row]).reduce((sum, value) => sum + value, 0);
  assert.equal(end, 10e6);
  assert.ok(Math.abs((all * end) / 37 - 5e6) < 1);
  assert.ok(!categories.includes('idle'));
});

test('an axis has marks around all values, and not too many', (t) => {
  t.diagnostic(`seed ${SEED}`);
  const next = random(SEED);
  for (let round = 0; round < 200; round++) {
    const values = Array.from({ length: 5 }, () => 10 ** (next() * 9 - 1));
    const [low, high] = chart.logarithmicRange([0, ...values]);
    const marks = chart.logarithmicMarks([low, high], 8);
    const what = `${values}: ${marks}`;
    assert.ok(low <= Math.min(...values) * (1 + 1e-9) && high >= Math.max(...values), what);
    assert.ok(low > Math.min(...values) / 3 || high === low * 10, what);
    assert.ok(marks.length >= 1 && marks.length <= 8, what);
    assert.ok(
      marks.every((mark) => mark >= low * 0.999 && mark <= high * 1.001),
      what,
    );
    const steps = chart.linearMarks(values[0], 5);
    assert.ok(steps[0] === 0 && steps.at(-1) >= values[0] * (1 - 1e-9), what);
    assert.ok(steps.length >= 2 && steps.length <= 7, `${values[0]}: ${steps}`);
  }
  assert.deepEqual(chart.logarithmicRange([]), [1, 10]);
  assert.deepEqual(chart.linearMarks(0), [0, 1]);
});

test('where values stand in a chart, and which is nearest', () => {
  const x = chart.logarithmic([1, 1000], [0, 300]);
  assert.deepEqual([1, 10, 1000].map(x).map(Math.round), [0, 100, 300]);
  assert.equal(x(0), 0);
  assert.deepEqual([0, 5].map(chart.linear([0, 10], [100, 0])), [100, 50]);
  assert.equal(chart.path([null, [1, 2], [3, 4], null, [5, 6]]), 'M1.0 2.0L3.0 4.0M5.0 6.0');
  assert.deepEqual(
    [-5, 1.4, 1.6, 99].map((at) => chart.nearest([0, 1, 2, 7], at)),
    [0, 1, 2, 3],
  );
  assert.ok(Math.abs(chart.nines(0.999) - 3) < 1e-9);
});

test('what was asked of a load test', () => {
  assert.deepEqual(readLimit('http_req_duration: p(50) <= 2.5'), { share: 0.5, value: 2500 });
  assert.deepEqual(readLimit('http_req_duration: p(99)<250'), { share: 0.99, value: 250000 });
  assert.equal(readLimit('http_req_duration{name:a}: p(99)<250'), null);
  const stages = [
    { durationSeconds: 10, rate: 100, ramp: true },
    { durationSeconds: 5, rate: 100, ramp: false },
    { durationSeconds: 5, rate: 20, ramp: false },
  ];
  assert.deepEqual(readDue({ stages }, 20), [
    ...[
      [0, 0],
      [10, 100],
      [10, 100],
      [15, 100],
      [15, 20],
      [20, 20],
    ],
  ]);
  assert.deepEqual(readDue({ rate: 7 }, 3), [
    [0, 7],
    [3, 7],
  ]);
  assert.deepEqual(readDue(null, 3), []);
});

// WCAG 2: relative luminance and contrast.
function contrast(hsl, hex) {
  const light = ([r, g, b]) => {
    const part = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const { h, s, l } = { h: hsl.h, s: hsl.s / 100, l: hsl.l / 100 };
  const channel = (n) => {
    const k = (n + h / 30) % 12;
    return l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  };
  const a = light([channel(0), channel(8), channel(4)]);
  const b = light([1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255));
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

test('the text on every box can be read: contrast of at least 4.5', () => {
  for (const [name, theme] of Object.entries(colours.THEMES)) {
    for (const category of Object.keys(colours.HUES)) {
      for (let i = 0; i < 40; i++) {
        const capture = { label: [`f${i}`], category: [category], package: [`p${i * 31}`] };
        for (const mode of Object.keys(colours.MODES)) {
          for (const value of [-1, -0.5, -0.1, 0, 0.1, 0.5, 1]) {
            const colour = colours.MODES[mode](capture, 0, theme, value);
            const seen = contrast(colour, theme.text);
            assert.ok(seen >= 4.5, `${name} ${mode} ${category} ${value}: ${seen.toFixed(2)}`);
          }
        }
      }
    }
  }
});
