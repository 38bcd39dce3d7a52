// SPDX-License-Identifier: Apache-2.0
'use strict';

// A call tree drawn on a canvas: only the boxes that are seen are drawn, however many there are.

const { boxAt, neighbour, pathTo, visible } = require('./layout.js');
const { make, name, prepare, replace, styleColour, theme } = require('./dom.js');
const { THEMES } = require('./colours.js');

const ROW = 19; // pixels
const LEAST = 1; // pixels; narrower boxes are not drawn
const TEXT_LEAST = 28;
const PADDING = 4;
const ROWS_SEEN = 34;
const ROWS_KEPT = 4; // at least so high

class FlameView {
  // on: {zoom(node), select(node), open(node), describe(node) → {title, place, rows: [[word, value]]},
  // announce(text)}. up: the root stands at the bottom.
  constructor(parent, { label, up = false, on }) {
    this.on = on;
    this.up = up;
    this.canvas = make('canvas', { 'aria-hidden': 'true' });
    this.spacer = make('div', { class: 'graph-spacer' }, this.canvas);
    this.scroll = make(
      'div',
      {
        class: 'graph-scroll',
        tabindex: '0',
        role: 'application',
        'aria-roledescription': 'flame graph',
        'aria-label': label,
        'aria-describedby': 'graph-keys',
        keydown: (event) => this.key(event),
        scroll: () => this.scrolled(),
        mousemove: (event) => this.hover(event),
        mouseleave: () => this.leave(),
        click: (event) => this.click(event, this.on.zoom),
        dblclick: (event) => this.click(event, this.on.open),
        focus: () => this.paint(),
        blur: () => this.paint(),
      },
      this.spacer,
    );
    this.tip = make('div', { class: 'tip', 'aria-hidden': 'true', hidden: true });
    replace(parent, this.scroll, this.tip);
    this.hovered = -1;
  }

  // what: {capture, tree, focus, selected, found (by frame, or null), paint(frame, node)}
  show(what) {
    const moved = !this.what || this.what.tree !== what.tree || this.what.focus !== what.focus;
    this.what = what;
    this.hovered = -1;
    this.tip.hidden = true;
    this.arrange();
    if (moved) {
      this.scroll.scrollTop = this.up ? this.height : this.topOf(this.above.length);
    }
    this.paint();
  }

  arrange() {
    const { tree, focus } = this.what;
    this.width = Math.max(50, this.scroll.clientWidth);
    this.above = pathTo(tree, focus).slice(0, -1);
    this.shown = visible(tree, focus, this.width, LEAST);
    this.rowCount = this.above.length + this.shown.rows.length - 1;
    this.height = this.rowCount * ROW + 1;
    this.seen = Math.min(Math.max(this.rowCount, ROWS_KEPT), ROWS_SEEN) * ROW + 1;
    this.scroll.style.height = `${this.seen}px`;
    this.spacer.style.height = `${Math.max(this.height, this.seen)}px`;
  }

  topOf(row) {
    return this.up ? this.height - 1 - (row + 1) * ROW : row * ROW;
  }

  // Where a row stands on the canvas; in a short graph that grows up, at its bottom.
  yOf(row) {
    const short = this.up ? Math.max(0, this.seen - this.height) : 0;
    return this.topOf(row) - this.paintedTop + short;
  }

  // What was painted already is not painted again.
  scrolled() {
    if (this.scroll.scrollTop !== this.paintedTop) {
      this.paint();
    }
  }

  paint() {
    if (!this.what) {
      return;
    }
    this.paintedTop = this.scroll.scrollTop;
    const { tree } = this.what;
    const context = prepare(this.canvas, this.width, this.seen);
    const style = {
      text: THEMES[theme()].text,
      mark: styleColour('--mark'),
      markText: styleColour('--mark-ink'),
      outline: styleColour('--ink'),
    };
    context.font = `11px ${styleColour('--mono')}`;
    context.textBaseline = 'middle';
    context.direction = 'ltr';
    this.letter = this.letter ?? context.measureText('M').width;
    const box = (node, x, width, row, dim) => {
      const y = this.yOf(row);
      if (y + ROW >= 0 && y <= this.seen) {
        this.paintBox(context, style, { node, x, y, width, dim });
      }
    };
    this.above.forEach((node, row) => {
      box(node, 0, this.width, row, true);
    });
    const { nodes, rows, from, scale } = this.shown;
    for (let r = 0; r + 1 < rows.length; r++) {
      const row = r + this.above.length;
      const y = this.yOf(row);
      for (let i = rows[r]; i < rows[r + 1] && y + ROW >= 0 && y <= this.seen; i++) {
        const node = nodes[i];
        box(node, (tree.start[node] - from) * scale, tree.total[node] * scale, row, false);
      }
    }
  }

  paintBox(context, style, { node, x, y, width, dim }) {
    const { tree, found, capture, selected } = this.what;
    const frame = tree.frame[node];
    const hit = found !== null && found[frame] === 1;
    const inner = width > 3 ? width - 1 : width;
    context.globalAlpha = dim || (found && !hit) ? 0.4 : 1;
    context.fillStyle = hit ? style.mark : this.what.paint(frame, node);
    context.fillRect(x, y, inner, ROW - 1);
    context.globalAlpha = 1;
    if (width >= TEXT_LEAST) {
      const faint = dim || found ? style.outline : style.text;
      context.fillStyle = hit ? style.markText : faint;
      const title = node === 0 && this.what.rootLabel ? this.what.rootLabel : capture.label[frame];
      this.write(context, title, x + PADDING, y + ROW / 2, inner - 2 * PADDING);
    }
    if (node === selected || node === this.hovered) {
      context.strokeStyle = style.outline;
      context.lineWidth = node === selected ? 2 : 1;
      context.strokeRect(x + 1, y + 1, Math.max(1, inner - 2), ROW - 3);
    }
  }

  // Cut to the width; letters outside of ASCII are measured.
  write(context, text, x, y, width) {
    const room = Math.floor(width / this.letter);
    if (room < 2) {
      return;
    }
    const cut = text.length > room ? `${text.slice(0, room - 1)}…` : text;
    context.fillText(cut, x, y, width);
  }

  nodeAt(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const x = event.clientX - bounds.left;
    const short = this.up ? Math.max(0, this.seen - this.height) : 0;
    const y = event.clientY - bounds.top + this.scroll.scrollTop - short;
    const down = Math.floor(y / ROW);
    const row = this.up ? this.rowCount - 1 - down : down;
    if (row >= 0 && row < this.above.length) {
      return this.above[row];
    }
    return boxAt(this.what.tree, this.shown, row - this.above.length, x);
  }

  hover(event) {
    const node = this.nodeAt(event);
    if (node < 0) {
      this.leave();
      return;
    }
    if (node !== this.hovered) {
      this.hovered = node;
      this.paint();
      this.fillTip(this.on.describe(node));
    }
    this.tip.hidden = false;
    const room = document.documentElement.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, room))}px`;
    const below = event.clientY + 18;
    const fits = below + this.tip.offsetHeight < document.documentElement.clientHeight;
    this.tip.style.top = `${fits ? below : event.clientY - 12 - this.tip.offsetHeight}px`;
  }

  fillTip({ title, place, rows }) {
    replace(
      this.tip,
      make('strong', {}, name(title)),
      place ? make('div', { class: 'place' }, name(place)) : null,
      make(
        'dl',
        {},
        ...rows.flatMap(([word, value]) => [
          make('dt', { text: word }),
          make('dd', { text: value }),
        ]),
      ),
    );
  }

  leave() {
    this.tip.hidden = true;
    if (this.hovered >= 0) {
      this.hovered = -1;
      this.paint();
    }
  }

  click(event, action) {
    const node = this.nodeAt(event);
    if (node >= 0) {
      action(node);
    }
  }

  say(node) {
    const { title, place, rows } = this.on.describe(node);
    const numbers = rows.map(([word, value]) => `${word} ${value}`).join(', ');
    this.on.announce(`${title}${place ? `, ${place}` : ''}: ${numbers}`);
  }

  isSeen(node) {
    const { tree, focus } = this.what;
    const { from, scale } = this.shown;
    const x = (tree.start[node] - from) * scale;
    const inside = tree.depth[node] >= tree.depth[focus] && x >= -0.5 && x < this.width;
    return this.above.includes(node) || (inside && tree.total[node] * scale >= LEAST);
  }

  move(key) {
    const turned = { ArrowUp: 'ArrowDown', ArrowDown: 'ArrowUp' };
    const { tree, focus, selected } = this.what;
    const from = selected >= 0 ? selected : focus;
    const to = selected < 0 ? from : neighbour(tree, from, (this.up && turned[key]) || key);
    if (!this.isSeen(to)) {
      this.on.zoom(tree.parent[to]);
    }
    this.on.select(to);
    this.reveal(to);
    this.say(to);
  }

  reveal(node) {
    const y = this.topOf(this.what.tree.depth[node]);
    if (y < this.scroll.scrollTop) {
      this.scroll.scrollTop = y;
    } else if (y + ROW > this.scroll.scrollTop + this.seen) {
      this.scroll.scrollTop = y + ROW - this.seen;
    }
  }

  key(event) {
    const { tree, focus, selected } = this.what;
    if (event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    const actions = {
      Enter: () => this.on.zoom(selected >= 0 ? selected : focus),
      Escape: () => this.on.zoom(focus === 0 ? 0 : tree.parent[focus]),
      Home: () => this.on.zoom(0),
      s: () => this.on.open(selected >= 0 ? selected : focus),
    };
    if (event.key.startsWith('Arrow')) {
      this.move(event.key);
    } else if (actions[event.key]) {
      actions[event.key]();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

module.exports = { FlameView, ROW };
