// SPDX-License-Identifier: Apache-2.0
'use strict';

// The colours of boxes: a hue says what, the lightness a little of which function, and the text on
// all of them can be read.

const HUES = {
  app: 28,
  dependency: 208,
  node: 135,
  native: 268,
  v8: 345,
  wasm: 180,
  sonde: 310,
  idle: 220,
  root: 220,
};

const THEMES = {
  light: { saturation: 72, lightness: 78, spread: 4, grey: 8, text: '#14171c', other: '#c9ced8' },
  dark: { saturation: 42, lightness: 31, spread: 3, grey: 8, text: '#f4f5f7', other: '#3c424d' },
};

function hash(text) {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  }
  return (value ^ (value >>> 13)) >>> 0;
}

// {h, s, l} of a box. value: what the mode needs: the category, the package, or a number.
const MODES = {
  category(capture, frame, theme) {
    const category = capture.category[frame];
    const plain = category === 'idle' || category === 'root';
    const step = (hash(capture.label[frame]) % 5) - 2;
    return {
      h: HUES[category] ?? HUES.v8,
      s: plain ? theme.grey : theme.saturation,
      l: theme.lightness + (step * theme.spread) / 2,
    };
  },
  package(capture, frame, theme) {
    const name = capture.package[frame];
    if (!name) {
      const grey = capture.category[frame] !== 'app';
      return {
        h: HUES[capture.category[frame]] ?? HUES.v8,
        s: grey ? theme.grey : theme.saturation,
        l: theme.lightness,
      };
    }
    return { h: (hash(name) * 137) % 360, s: theme.saturation, l: theme.lightness };
  },
  // How much of the hottest function's own cost: pale to red.
  heat(_capture, _frame, theme, heat) {
    const level = Math.sqrt(Math.max(0, Math.min(1, heat)));
    return {
      h: 48 - 48 * level,
      s: theme.grey + (88 - theme.grey) * level,
      l: theme.lightness + (theme === THEMES.light ? -8 : 3) * level,
    };
  },
  // A delta of −1 to 1: blue is less, red is more.
  delta(_capture, _frame, theme, delta) {
    const level = Math.min(1, Math.abs(delta));
    return {
      h: delta > 0 ? 4 : 215,
      s: level > 0.001 ? 20 + 62 * level : 0,
      l: theme.lightness + (theme === THEMES.light ? 6 - 14 * level : 5 * level - 3),
    };
  },
};

function css({ h, s, l }) {
  return `hsl(${h.toFixed(0)} ${s.toFixed(0)}% ${l.toFixed(1)}%)`;
}

// The colour of a frame as CSS has it; each is worked out once, but for changes, which each box has
// its own of.
function painter(capture, mode, themeName, value = () => 0) {
  const theme = THEMES[themeName];
  const pick = MODES[mode];
  const known = new Map();
  return (frame, node) => {
    if (mode === 'delta') {
      return css(pick(capture, frame, theme, value(frame, node)));
    }
    let colour = known.get(frame);
    if (colour === undefined) {
      colour = css(pick(capture, frame, theme, value(frame, node)));
      known.set(frame, colour);
    }
    return colour;
  };
}

module.exports = { HUES, MODES, THEMES, css, painter };
