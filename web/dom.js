// SPDX-License-Identifier: Apache-2.0
'use strict';

// Elements made by hand. Texts go in as text, never as HTML.

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'text') {
      node.textContent = value;
    } else if (typeof value === 'function') {
      node.addEventListener(name, value);
    } else if (value === true) {
      node.setAttribute(name, '');
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// make('button', {text, class, click: listener, disabled: true}, child…)
function make(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

// The same within a drawing.
function draw(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

const byId = (id) => document.getElementById(id);

// A name from outside stands for itself: its direction does not turn what is beside it.
function name(text, properties = {}) {
  return make('bdi', { ...properties, text });
}

// The name, wrapped after its slashes rather than anywhere.
function replace(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

// A canvas as sharp as the screen; returns its context, in CSS pixels.
function prepare(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  const wide = Math.round(width * ratio);
  const high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// A colour of the style sheet.
function styleColour(property) {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

const theme = () => document.documentElement.dataset.theme;

module.exports = { byId, draw, make, name, prepare, replace, styleColour, theme };
