// SPDX-License-Identifier: Apache-2.0
'use strict';

// Busy and idle over the capture, its longest stretches without a pause, and the choice of a
// stretch.

const format = require('./format.js');
const { CATEGORIES } = require('./capture.js');
const { HUES, THEMES, css } = require('./colours.js');
const { byId, make, name, prepare, replace, styleColour, theme } = require('./dom.js');
const { timeBins } = require('./timebins.js');

const HEIGHT = 84;
const TOP = 12; // for the marks of stretches
const BOTTOM = 16; // for the axis
const COLUMN = 3; // pixels
const COLUMN_SAMPLES = 8; // so many at least make a share
const DRAG_LEAST = 3; // pixels
const STALL_SAMPLES = 20; // fewer may be chance

class Timeline {
  // select(range or null)
  constructor(select) {
    this.select = select;
    this.canvas = make('canvas', {
      role: 'img',
      mousedown: (event) => this.press(event),
    });
    this.from = make('input', { type: 'number', id: 'time-from', min: '0', step: 'any' });
    this.to = make('input', { type: 'number', id: 'time-to', min: '0', step: 'any' });
    this.clear = make('button', {
      type: 'button',
      text: 'All of it',
      click: () => this.select(null),
    });
    this.stalls = make('ol', { class: 'stalls' });
    this.note = make('p', { class: 'note' });
    const form = make(
      'form',
      { class: 'row', submit: (event) => this.submit(event) },
      make('label', { for: 'time-from', text: 'From' }),
      this.from,
      make('label', { for: 'time-to', text: 'to' }),
      this.to,
      make('span', { text: 's' }),
      make('button', { type: 'submit', text: 'Look at this stretch' }),
      this.clear,
    );
    replace(byId('timeline-view'), this.canvas, form, this.note, this.stalls);
  }

  // capture with samples; stalls as the report has them.
  show(capture, stalls, range) {
    const fresh = this.capture !== capture;
    this.capture = capture;
    this.range = range;
    this.marks = stalls.filter((stall) => stall.samples >= STALL_SAMPLES);
    this.width = Math.max(100, byId('timeline-view').clientWidth);
    const columns = Math.floor(
      Math.min(this.width / COLUMN, capture.samples.node.length / COLUMN_SAMPLES),
    );
    if (fresh || this.columns !== columns) {
      this.columns = columns;
      this.bins = timeBins(capture, Math.max(1, columns));
    }
    this.from.value = range ? (range.from / 1e6).toFixed(3) : '0';
    this.to.value = ((range ? range.to : this.bins.end) / 1e6).toFixed(3);
    this.clear.disabled = !range;
    this.note.textContent = range
      ? `Flame graph and table show ${format.time(range.to - range.from)} of ${format.time(this.bins.end)}.`
      : '';
    this.listStalls();
    this.paint();
  }

  listStalls() {
    const items = this.marks.map((stall, i) => {
      const from = stall.startMilliseconds * 1000;
      const length = stall.milliseconds * 1000;
      return make(
        'li',
        {},
        make('button', {
          type: 'button',
          class: 'link',
          text: `${format.time(length)} at ${format.time(from)}`,
          'aria-label': `Look at stretch ${i + 1} without a pause: ${format.time(length)} at ${format.time(from)}`,
          click: () => this.select({ from, to: from + length }),
        }),
        ` ${format.percent(stall.functionShare)} of it in `,
        name(format.clean(stall.function) || '(anonymous)', { class: 'code' }),
      );
    });
    replace(
      this.stalls,
      items.length ? make('li', { class: 'note', text: 'Longest without a pause:' }) : null,
      ...items,
    );
  }

  x(microseconds) {
    return this.bins.end > 0 ? (microseconds / this.bins.end) * this.width : 0;
  }

  paint() {
    const context = prepare(this.canvas, this.width, HEIGHT);
    const { categories, sums, end } = this.bins;
    const style = THEMES[theme()];
    const high = HEIGHT - TOP - BOTTOM;
    const count = sums[0]?.length ?? 0;
    const step = this.width / Math.max(1, count);
    context.fillStyle = styleColour('--sunken');
    context.fillRect(0, TOP, this.width, high);
    let busy = 0;
    for (let bin = 0; bin < count; bin++) {
      let y = TOP + high;
      categories.forEach((category, i) => {
        const share = Math.min(1, sums[i][bin]);
        busy += share;
        context.fillStyle = css({
          h: HUES[category] ?? HUES.v8,
          s: style.saturation,
          l: style.lightness + (theme() === 'light' ? -6 : 14),
        });
        context.fillRect(bin * step, y - share * high, Math.ceil(step), share * high);
        y -= share * high;
      });
    }
    context.fillStyle = styleColour('--alarm');
    for (const stall of this.marks) {
      const width = Math.max(3, this.x(stall.milliseconds * 1000));
      context.fillRect(this.x(stall.startMilliseconds * 1000), TOP - 7, width, 5);
    }
    this.paintAxis(context, end);
    this.paintRange(context, high);
    const share = format.percent(count ? busy / count : 0);
    this.canvas.setAttribute(
      'aria-label',
      `Busy ${share} of ${format.time(end)}, by ${categories.map((key) => CATEGORIES[key]).join(', ')}; ${this.marks.length} long stretches without a pause`,
    );
  }

  paintAxis(context, end) {
    const steps = [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 3e7, 6e7, 3e8];
    const step = steps.find((value) => end / value <= this.width / 70) ?? 6e8;
    context.fillStyle = styleColour('--ink-2');
    context.font = `11px ${styleColour('--sans')}`;
    context.textBaseline = 'bottom';
    for (let at = 0; at < end; at += step) {
      context.fillRect(this.x(at), HEIGHT - BOTTOM, 1, 4);
      context.fillText(at === 0 ? '0 s' : format.time(at), this.x(at) + 3, HEIGHT);
    }
  }

  paintRange(context, high) {
    const range = this.dragged ?? this.range;
    if (range) {
      const [a, b] = [this.x(range.from), this.x(range.to)];
      context.fillStyle = styleColour('--veil');
      context.fillRect(0, TOP, a, high);
      context.fillRect(b, TOP, this.width - b, high);
      context.strokeStyle = styleColour('--ink');
      context.strokeRect(a + 0.5, TOP + 0.5, Math.max(1, b - a - 1), high - 1);
    }
  }

  press(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const at = (pointer) =>
      Math.max(0, Math.min(1, (pointer.clientX - bounds.left) / this.width)) * this.bins.end;
    const first = at(event);
    const move = (pointer) => {
      const other = at(pointer);
      this.dragged = { from: Math.min(first, other), to: Math.max(first, other) };
      this.paint();
    };
    const release = (pointer) => {
      window.removeEventListener('mousemove', move);
      window.removeEventListener('mouseup', release);
      const chosen = this.dragged;
      this.dragged = null;
      const far = Math.abs(pointer.clientX - event.clientX) >= DRAG_LEAST;
      this.select(far && chosen ? chosen : null);
    };
    event.preventDefault();
    window.addEventListener('mousemove', move);
    window.addEventListener('mouseup', release);
  }

  submit(event) {
    event.preventDefault();
    const range = { from: Number(this.from.value) * 1e6, to: Number(this.to.value) * 1e6 };
    range.from = Math.max(0, range.from);
    range.to = Math.min(this.bins.end, range.to);
    const whole = range.from <= 0 && range.to >= this.bins.end;
    if (range.from < range.to) {
      this.select(whole ? null : range);
    } else {
      this.note.textContent = 'The stretch must begin before it ends, within the capture.';
    }
  }
}

module.exports = { Timeline };
