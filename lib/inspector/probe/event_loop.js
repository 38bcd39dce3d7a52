// SPDX-License-Identifier: Apache-2.0
// Part of the probe: when the event loop came late, how late, and how busy it was, second by
// second. A timer asks each `resolution` milliseconds; what it is late by is the loop's delay. The
// times of long delays are told on the clock that CPU profiles have, so that the samples taken
// meanwhile say what the loop was doing.
(function eventLoop(tools) {
  'use strict';
  const { load, alive, atRest, onRemove, onOwnStall } = tools;
  const { setInterval, clearInterval } = load('timers');
  const { performance, createHistogram } = load('perf_hooks');
  const { hrtime } = load('process');
  const second = 1e6; // all times are in microseconds
  const stallsMax = 1000; // kept between two calls
  const secondsMax = 120;
  let timer;
  let resolution;
  let threshold;
  let expected;
  let whole;
  let current;
  let currentBegan;
  let utilizationBefore;
  let utilizationAtStart;
  let own = 0;
  let stalls = [];
  let seconds = [];
  let passedOver = 0;

  function now() {
    const [whole_, rest] = hrtime();
    return whole_ * second + rest / 1e3;
  }

  function statistics(histogram) {
    const none = histogram.count === 0;
    return {
      count: Number(histogram.count),
      mean: none ? 0 : histogram.mean,
      p50: none ? 0 : histogram.percentile(50),
      p99: none ? 0 : histogram.percentile(99),
      max: none ? 0 : histogram.max,
    };
  }

  function endSecond(at) {
    const utilization = performance.eventLoopUtilization();
    if (seconds.length < secondsMax) {
      seconds.push({
        start: currentBegan,
        length: at - currentBegan,
        utilization: performance.eventLoopUtilization(utilization, utilizationBefore).utilization,
        ...statistics(current),
      });
    }
    current.reset();
    currentBegan = at;
    utilizationBefore = utilization;
  }

  // Never throws: in a timer that would be the application's end.
  function tick() {
    try {
      const at = now();
      const late = Math.max(1, Math.round(at - expected - own));
      own = 0;
      whole.record(late);
      current.record(late);
      if (late >= threshold) {
        if (stalls.length < stallsMax) {
          stalls.push([expected - resolution, at, late]);
        } else {
          passedOver += 1;
        }
      }
      if (at - currentBegan >= second) {
        endSecond(at);
      }
      expected = now() + resolution;
    } catch {
      clearInterval(timer);
    }
  }

  onRemove(() => clearInterval(timer));
  // The capture's own doing: no delay of the application's.
  onOwnStall((milliseconds) => {
    own += milliseconds * 1e3;
  });

  return {
    // Begins; both in milliseconds.
    watchStalls(resolutionMilliseconds, thresholdMilliseconds) {
      const state = alive();
      if (state.gone) {
        return state;
      }
      resolution = resolutionMilliseconds * 1e3;
      threshold = thresholdMilliseconds * 1e3;
      whole = createHistogram();
      current = createHistogram();
      utilizationBefore = performance.eventLoopUtilization();
      utilizationAtStart = utilizationBefore;
      currentBegan = now();
      expected = currentBegan + resolution;
      atRest(() => {
        timer = setInterval(tick, resolutionMilliseconds);
        timer.unref();
      });
      return { ...state, start: currentBegan };
    },
    // What came since the last call; at the end, also what it was in all.
    takeStalls(ends) {
      const state = alive();
      if (state.gone || whole === undefined) {
        return state;
      }
      const at = now();
      if (ends) {
        atRest(() => clearInterval(timer));
        const late = Math.round(at - expected - own);
        if (late >= threshold) {
          stalls.push([expected - resolution, at, late]);
        }
        if (at > currentBegan) {
          endSecond(at);
        }
      }
      const taken = { ...state, stalls, seconds, passedOver };
      stalls = [];
      seconds = [];
      passedOver = 0;
      if (ends) {
        taken.end = at;
        taken.utilization = performance.eventLoopUtilization(utilizationAtStart).utilization;
        taken.whole = statistics(whole);
        taken.deviation = whole.count === 0 ? 0 : whole.stddev;
        taken.percentiles = [...whole.percentiles].map(([p, value]) => [p, Number(value)]);
      }
      return taken;
    },
  };
})
