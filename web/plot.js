// SPDX-License-Identifier: Apache-2.0
'use strict';

// A chart with lines and bars, drawn as SVG; what stands at a place is told under the pointer and by
// the arrow keys.

const { byId, draw, make, replace } = require('./dom.js');
const {
  linear,
  linearMarks,
  logarithmic,
  logarithmicMarks,
  logarithmicRange,
} = require('./chart.js');
const { nearest, path } = require('./chart.js');

const LEFT = 64; // pixels around the drawing
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 24;
const TIP_GAP = 14;
const LEAST = 1.5; // of a bar

class Plot {
  // id: of the drawing; height in pixels.
  constructor({ id, label, height }) {
    this.label = label;
    this.height = height;
    this.svg = draw('svg', {
      id,
      class: 'plot',
      role: 'img',
      tabindex: '0',
      pointermove: (event) => this.point(event),
      pointerleave: () => this.look(-1),
      blur: () => this.look(-1),
      keydown: (event) => this.step(event),
    });
    this.tip = make('div', { class: 'tip', hidden: true });
    this.element = make('div', { class: 'plot-view' }, this.svg, this.tip);
  }

  // data: {x: {values, range, marks: [{at, text}]}, y: {marks: 'linear' or 'logarithmic', show},
  // series: [{key, values (null: none), shape: 'line' or 'bars'}], lines: [{key, points}],
  // bands: [{from, to, text}], tip(i) → {title, rows: [[key, word, text]]}, said}
  show(data) {
    this.data = data;
    this.width = Math.max(240, this.element.clientWidth);
    const { x, y, series, lines = [] } = data;
    const all = [
      ...series.flatMap(({ values }) => values),
      ...lines.flatMap(({ points }) => points.map((point) => point[1])),
    ].filter((value) => value !== null && value !== undefined);
    const place = [this.height - BOTTOM, TOP];
    this.x = linear(x.range, [LEFT, this.width - RIGHT]);
    if (y.marks === 'logarithmic') {
      const range = logarithmicRange(all);
      this.marks = logarithmicMarks(range, Math.floor(this.height / 28));
      this.y = logarithmic(range, place);
    } else {
      this.marks = linearMarks(
        all.reduce((a, b) => Math.max(a, b), 0),
        this.height > 150 ? 5 : 3,
      );
      this.y = linear([0, this.marks.at(-1)], place);
    }
    this.at = -1;
    this.svg.setAttribute('width', this.width);
    this.svg.setAttribute('height', this.height);
    this.svg.setAttribute('aria-label', `${this.label}: ${data.said}`);
    this.cursor = draw('g', { class: 'cursor' });
    replace(
      this.svg,
      ...(data.bands ?? []).map((band) => this.band(band)),
      ...this.axes(),
      ...series.filter(({ shape }) => shape === 'bars').map((one) => this.bars(one)),
      ...lines.map(({ key, points }) => this.line(key, points)),
      ...series.filter(({ shape }) => shape !== 'bars').map((one) => this.curve(one)),
      this.cursor,
    );
    this.tip.hidden = true;
  }

  axes() {
    const { x, y } = this.data;
    const floor = this.height - BOTTOM;
    const rows = this.marks.flatMap((mark) => [
      draw('line', {
        class: 'grid',
        ...{ x1: LEFT, x2: this.width - RIGHT, y1: this.y(mark), y2: this.y(mark) },
      }),
      draw('text', {
        class: 'mark end',
        ...{ x: LEFT - 8, y: this.y(mark) + 4, text: y.show(mark) },
      }),
    ]);
    const columns = x.marks.flatMap(({ at, text }) => [
      draw('line', { class: 'grid', x1: this.x(at), x2: this.x(at), y1: TOP, y2: floor + 4 }),
      draw('text', { class: 'mark middle', x: this.x(at), y: floor + 17, text }),
    ]);
    return [...rows, ...columns];
  }

  band({ from, to, text }) {
    const left = Math.max(LEFT, this.x(from));
    const right = Math.min(this.width - RIGHT, this.x(to));
    const width = Math.max(LEAST, right - left);
    return draw(
      'g',
      { class: 'band' },
      draw('rect', { x: left, y: TOP, width, height: this.height - BOTTOM - TOP }),
      draw('text', { class: 'mark', x: left + 4, y: TOP + 12, text }),
    );
  }

  curve({ key, values }) {
    const { x } = this.data;
    const points = values.map((value, i) =>
      value === null || value === undefined ? null : [this.x(x.values[i]), this.y(value)],
    );
    // A value between two gaps is a dot.
    const dots = points.filter((point, i) => point && !points[i - 1] && !points[i + 1]);
    return draw(
      'g',
      { class: `series ${key}` },
      draw('path', { d: path(points) }),
      ...dots.map(([cx, cy]) => draw('circle', { cx, cy, r: 2.5 })),
    );
  }

  line(key, points) {
    const d = path(points.map(([x, y]) => [this.x(x), this.y(y)]));
    return draw('g', { class: `series ${key}` }, draw('path', { d }));
  }

  bars({ key, values }) {
    const { x } = this.data;
    const floor = this.height - BOTTOM;
    const width = Math.max(LEAST, (this.width - LEFT - RIGHT) / Math.max(1, values.length) - 1);
    return draw(
      'g',
      { class: `bars ${key}` },
      ...values.map((value, i) => {
        const y = Math.min(this.y(value), floor - LEAST);
        const left = Math.max(LEFT, this.x(x.values[i]) - width / 2);
        const right = Math.min(this.width - RIGHT, this.x(x.values[i]) + width / 2);
        return value > 0
          ? draw('rect', { x: left, y, width: Math.max(LEAST, right - left), height: floor - y })
          : null;
      }),
    );
  }

  point(event) {
    const left = this.svg.getBoundingClientRect().left;
    const values = this.data.x.values.map(this.x);
    this.look(values.length ? nearest(values, event.clientX - left) : -1);
  }

  step(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const count = this.data.x.values.length;
    if (move && count) {
      event.preventDefault();
      const from = this.at < 0 ? (move > 0 ? -1 : count) : this.at;
      this.look(Math.max(0, Math.min(count - 1, from + move)));
      const { title, rows } = this.data.tip(this.at);
      byId('announce').textContent =
        `${title}: ${rows.map(([, word, text]) => `${word} ${text}`).join(', ')}`;
    }
  }

  // Marks the place of a value, and tells what is there; -1: of none.
  look(at) {
    this.at = at;
    this.tip.hidden = at < 0;
    if (at < 0) {
      replace(this.cursor);
      return;
    }
    const x = this.x(this.data.x.values[at]);
    const { title, rows } = this.data.tip(at);
    const dots = this.data.series
      .filter(({ shape, values }) => shape !== 'bars' && values[at] > 0)
      .map(({ key, values }) =>
        draw('circle', { class: key, cx: x, cy: this.y(values[at]), r: 3.5 }),
      );
    replace(
      this.cursor,
      draw('line', { x1: x, x2: x, y1: TOP, y2: this.height - BOTTOM }),
      ...dots,
    );
    replace(
      this.tip,
      make('strong', { text: title }),
      make(
        'dl',
        {},
        ...rows.flatMap(([key, word, text]) => [
          make('dt', {}, make('span', { class: `key ${key}` }), word),
          make('dd', { text }),
        ]),
      ),
    );
    const bounds = this.svg.getBoundingClientRect();
    const room = window.innerWidth - bounds.left - x;
    const wide = this.tip.offsetWidth;
    this.tip.style.left = `${bounds.left + (room > wide + TIP_GAP ? x + TIP_GAP : x - wide - TIP_GAP)}px`;
    this.tip.style.top = `${bounds.top + TOP}px`;
  }
}

module.exports = { Plot };
