// SPDX-License-Identifier: Apache-2.0
'use strict';

// Numbers, places and names as a person reads them.

// Controls, and marks that are not seen but turn or hide what stands beside them: first and last.
const HIDDEN = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
];

function isHidden(code) {
  return HIDDEN.some(([first, last]) => code >= first && code <= last);
}

// What is hidden is shown as \u{202e}.
function clean(text) {
  let result = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 || code > 0x7e) && isHidden(code)) {
      result += `${text.slice(from, i)}\\u{${code.toString(16)}}`;
      from = i + 1;
    }
  }
  return from ? result + text.slice(from) : text;
}

function percent(share) {
  if (!Number.isFinite(share)) {
    return '–';
  }
  const value = share * 100;
  if (value > 0 && value < 0.05) {
    return '<0.1 %';
  }
  return `${value.toFixed(1)} %`;
}

// Percentage points, always with a sign.
function points(delta) {
  const value = delta * 100;
  const size = Math.abs(value);
  if (size < 0.005) {
    return '±0.0 pp';
  }
  return `${value > 0 ? '+' : '−'}${size.toFixed(size < 0.1 ? 2 : 1)} pp`;
}

// Three digits that count.
function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function time(microseconds) {
  const size = Math.abs(microseconds);
  if (size >= 1e6) {
    return `${digits(microseconds / 1e6)} s`;
  }
  if (size >= 1e3) {
    return `${digits(microseconds / 1e3)} ms`;
  }
  return `${Math.round(microseconds)} µs`;
}

function bytes(value) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let left = value;
  while (Math.abs(left) >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${Math.round(left)} B` : `${digits(left)} ${units[unit]}`;
}

// 1234567 → "1 234 567", with thin spaces that do not break.
function count(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

// In the unit of a capture.
function amount(value, unit) {
  return unit === 'share' ? percent(value) : unit === 'bytes' ? bytes(value) : time(value);
}

// The path as a person knows it: relative to the target's directory.
function shorten(file, directory) {
  const path = file.startsWith('file://') ? file.slice(7) : file;
  return directory.length > 1 && path.startsWith(`${directory}/`)
    ? path.slice(directory.length + 1)
    : path;
}

function place(file, line, directory = '') {
  const path = clean(shorten(file, directory));
  return path && line > 0 ? `${path}:${line}` : path;
}

module.exports = {
  amount,
  bytes,
  clean,
  count,
  percent,
  place,
  points,
  shorten,
  time,
};
