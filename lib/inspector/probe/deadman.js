// SPDX-License-Identifier: Apache-2.0
// Runs inside the target, put there by one Runtime.evaluate and held by the agent as a remote
// object: no global is left. It starts and ends profiles, measures what that cost, and is the
// dead man's switch: when the agent's beats stop it removes everything, also what the agent started
// by commands of its own, and closes the inspector, but never while a client is connected, because
// closing then blocks the event loop.
//
// options: {tickMilliseconds, silentTicks, closeInspector}
//
// Throws 'starting' when nothing can be put in yet, and 'require' when this Node.js hands out its
// modules by none but the command line's require, which the agent passes then.
(function install(requireFunction, options) {
  'use strict';
  // Whether we have interrupted a thread that still starts, where below us is code of Node.js alone,
  // or one that loads a module of Node.js. What is loaded on top of a module that is half of itself
  // stays broken: a timer then ends a worker without a word, a loader throws for whoever asks next.
  // The command line's require loads the loader before a line of ours is run, so this is answered
  // without it first. (In a worker that is being cleaned up it even ends the process: Node.js 18.)
  const framesMax = 200;
  function isStarting() {
    const limit = Error.stackTraceLimit;
    let frames;
    try {
      Error.stackTraceLimit = framesMax;
      frames = new Error().stack.split('\n').slice(1);
    } catch {
      return false; // the application formats its own stacks, or forbids to change anything: it runs
    } finally {
      try {
        Error.stackTraceLimit = limit;
      } catch {
        // It could not be changed before either.
      }
    }
    // "at Array.map (<anonymous>)" has no place; "at Object.<anonymous> (/app/a.js:1:1)" has one.
    const below = frames.filter(
      (frame) =>
        !frame.includes('sonde:') && !frame.endsWith('(<anonymous>)') && !frame.endsWith('at <anonymous>'),
    );
    const isNode = (frame) => frame.includes('(node:') || frame.includes('at node:');
    const loadsModule = (frame) => /node:internal\/bootstrap\/(?:realm|loaders):/.test(frame);
    return below.length > 0 && (below.every(isNode) || below.some(loadsModule));
  }

  if (isStarting()) {
    throw 'starting'; // nothing was changed: it is tried again
  }
  function findLoad() {
    if (typeof process.getBuiltinModule === 'function') {
      return (name) => process.getBuiltinModule(name);
    }
    if (typeof process.mainModule?.require === 'function') {
      return (name) => process.mainModule.require(name);
    }
    // A program given as text has it as a global; another's function of that name has no extensions.
    return globalThis.require?.extensions ? globalThis.require : requireFunction;
  }

  const load = findLoad();
  if (!load) {
    throw 'require';
  }
  const inspector = load('inspector');
  const fs = load('fs');
  // The modules' own functions: the application may have replaced the globals.
  const { setInterval, clearInterval, setTimeout, setImmediate } = load('timers');
  const { performance, monitorEventLoopDelay } = load('perf_hooks');
  const profiler = inspector.console;
  // The application's first line may be loading one of them just now: then it is half of itself.
  const needed = [
    inspector.Session, inspector.url, inspector.close, profiler?.profile, profiler?.profileEnd,
    fs.readFileSync, setInterval, clearInterval, setTimeout, setImmediate,
    performance?.now, performance?.eventLoopUtilization, monitorEventLoopDelay,
  ];
  if (needed.some((part) => typeof part !== 'function')) {
    throw 'starting';
  }
  const resolution = 10;
  const running = new Set();
  const slowestPoll = 1000;
  // What ends that which the agent started by its own commands: for the whole thread, whoever says
  // it.
  const endings = {
    sampling: ['HeapProfiler.stopSampling'],
    coverage: ['Profiler.enable', 'Profiler.stopPreciseCoverage', 'Profiler.disable'],
  };
  const removals = [];
  const stallListeners = [];
  let guarded = '';
  let silent = 0;
  let gone = false;
  let timer;
  let delay;
  let utilizationBefore;

  // A command of the inspector interrupts the thread wherever V8 looks for interrupts, also in the
  // midst of Node's own timers: there, to clear one that is just about to be called ends the process
  // ("timer._onTimeout is not a function"). So what changes timers and listeners waits until any
  // code may run. (`await` is the engine's own, whatever the application has replaced.)
  async function atRest(work) {
    await undefined;
    try {
      work();
    } catch {
      // Nobody would handle it, and that would be the application's end.
    }
  }

  // Never throws: in a timer or at the exit that would be the application's end.
  function endProfiles() {
    for (const title of running) {
      try {
        profiler.profileEnd(title);
      } catch {
        // The application has replaced it: the profile ends with the session.
      }
    }
    running.clear();
  }

  function endGuarded() {
    const commands = endings[guarded] ?? [];
    guarded = '';
    if (commands.length === 0) {
      return;
    }
    try {
      const session = new inspector.Session();
      session.connect();
      for (const command of commands) {
        session.post(command);
      }
      session.disconnect();
    } catch {
      // It ends when the agent's connection does.
    }
  }

  // A process that ends by itself still hands its last window over.
  function onExit() {
    endProfiles();
  }

  function inspectorPort() {
    const url = inspector.url();
    return url ? Number(url.slice(url.lastIndexOf(':') + 1).split('/')[0]) : 0;
  }

  // Whether any client has a TCP connection to the inspector.
  function connected(port) {
    const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    for (const file of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
      let text;
      try {
        text = fs.readFileSync(file, 'latin1');
      } catch {
        continue; // IPv6 may be absent
      }
      for (const line of text.split('\n')) {
        const fields = line.trim().split(/\s+/);
        if (fields[3] === '01' && fields[1].endsWith(wanted)) {
          return true;
        }
      }
    }
    return false;
  }

  function closeWhenAlone(pollMilliseconds) {
    try {
      const port = inspectorPort();
      if (port !== 0 && connected(port)) {
        // Somebody else may stay for long: look less often.
        waitToClose(Math.min(pollMilliseconds * 2, slowestPoll));
        return;
      }
      if (port !== 0) {
        inspector.close();
      }
    } catch {
      // Without the means to look it stays as it is.
    }
  }

  // In the phase after the poll: SIGUSR1 opened the inspector in a loop that was busy, and also left
  // a word for the next poll, which would open it again after we closed it.
  function waitToClose(milliseconds) {
    timer = setTimeout(() => setImmediate(closeWhenAlone, milliseconds), milliseconds);
    timer.unref();
  }

  function remove(pollMilliseconds) {
    const isFirst = !gone;
    gone = true;
    if (delay) {
      delay.disable();
      delay = undefined;
    }
    if (!isFirst) {
      return;
    }
    atRest(() => clearInterval(timer));
    atRest(() => process.removeListener('exit', onExit));
    for (const removal of removals) {
      atRest(removal);
    }
    if (options.closeInspector) {
      atRest(() => waitToClose(pollMilliseconds));
    }
  }

  function tick() {
    silent += 1;
    if (silent > options.silentTicks) {
      endProfiles();
      endGuarded();
      remove(200);
    }
  }

  function loopStatistics() {
    const milliseconds = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolution);
    const utilization = performance.eventLoopUtilization(utilizationBefore);
    return {
      samples: delay.count === undefined ? 0 : Number(delay.count),
      meanMilliseconds: delay.mean > 0 ? milliseconds(delay.mean) : 0,
      p50Milliseconds: milliseconds(delay.percentile(50)),
      p99Milliseconds: milliseconds(delay.percentile(99)),
      maxMilliseconds: milliseconds(delay.max),
      utilization: utilization.utilization,
    };
  }

  atRest(() => {
    timer = setInterval(tick, options.tickMilliseconds);
    timer.unref();
    const listenersLeft = process.getMaxListeners() - process.listenerCount('exit');
    if (process.getMaxListeners() === 0 || listenersLeft > 1) {
      process.on('exit', onExit);
    }
  });

  const probe = {
    // The agent lives, and will be silent for so many ticks now, or fewer.
    beat(ticks) {
      silent = -ticks;
      return { gone };
    },
    // Adds functions that only some captures need.
    extend(part) {
      silent = 0;
      if (!gone) {
        const alive = () => {
          silent = 0;
          return { gone };
        };
        const onRemove = (removal) => removals.push(removal);
        const onOwnStall = (listener) => stallListeners.push(listener);
        Object.assign(probe, part({ load, alive, atRest, onRemove, onOwnStall }));
      }
      return { gone };
    },
    // What the agent is about to start, or has started, by its own commands; '': nothing any more.
    // Tells the time, so that two calls around a command tell how long it took.
    guard(what) {
      silent = 0;
      if (gone) {
        return { gone };
      }
      if (what === 'coverage' && process.env.NODE_V8_COVERAGE) {
        return { gone, taken: true };
      }
      guarded = what;
      return { gone, now: performance.now() };
    },
    // Begins the profile `next`, ends the profile `previous` (either may be ''), in this order, so
    // that no sample is lost. Returns how long the event loop stood still.
    rotate(next, previous) {
      silent = 0;
      if (gone) {
        return { gone };
      }
      const before = performance.now();
      if (next) {
        profiler.profile(next);
        running.add(next);
      }
      if (previous) {
        profiler.profileEnd(previous);
        running.delete(previous);
      }
      const stallMilliseconds = performance.now() - before;
      for (const listener of stallListeners) {
        listener(stallMilliseconds);
      }
      return { gone, stallMilliseconds };
    },
    // Measures the loop from here on.
    watchLoop() {
      silent = 0;
      if (gone) {
        return { gone };
      }
      delay = monitorEventLoopDelay({ resolution });
      delay.enable();
      utilizationBefore = performance.eventLoopUtilization();
      return { gone };
    },
    // What the loop did since watchLoop.
    readLoop() {
      silent = 0;
      if (gone || !delay) {
        return { gone };
      }
      const statistics = loopStatistics();
      delay.disable();
      delay = undefined;
      return { gone, statistics };
    },
    // The numbers of this process and thread, as /proc has them here; 0: they cannot be read.
    kernelThread() {
      silent = 0;
      try {
        const [process, , thread] = fs.readlinkSync('/proc/thread-self').split('/').map(Number);
        return { gone, process, thread };
      } catch {
        return { gone, process: 0, thread: 0 };
      }
    },
    // How large the heap is.
    heap() {
      silent = 0;
      return { gone, usedBytes: process.memoryUsage().heapUsed };
    },
    // Takes everything out; the inspector closes as soon as the agent has hung up.
    finish() {
      endProfiles();
      endGuarded();
      remove(20);
      return { gone };
    },
  };
  return probe;
})
