// SPDX-License-Identifier: Apache-2.0
'use strict';

// Runs the program under test, each time with a store of the test's own.

const assert = require('node:assert/strict');
const { execFile, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { until } = require('./wait.js');

const root = path.resolve(__dirname, '../../..');
const nobody = 65534;
const bin = path.resolve(root, process.env.SONDE_BIN ?? 'build/dev/bin/sonde');

// A directory that goes when the test ends, also while a program that ends then still writes there.
function temporary(t, prefix = 'sonde-component-') {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), prefix));
  const again = { maxRetries: 20, retryDelay: 100 };
  t.after(() => fs.rmSync(directory, { recursive: true, force: true, ...again }));
  return directory;
}

function collect(stream) {
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
}

// Starts a program; it is killed when the test ends before it.
function start(t, command, args, options = {}) {
  const begun = Date.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const done = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({
        code,
        signal,
        stdout: stdout().toString(),
        bytes: stdout(),
        stderr: stderr().toString(),
        milliseconds: Date.now() - begun,
      });
    });
  });
  done.catch(() => {});
  t.after(async () => {
    if (child.pid && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      child.kill('SIGCONT');
      // What it started may hold the pipes open: only its own end is waited for.
      await new Promise((resolve) => child.once('exit', resolve));
      child.stdout.destroy();
      child.stderr.destroy();
    }
  });
  return {
    child,
    pid: child.pid,
    done,
    stdout: () => stdout().toString(),
    stderr: () => stderr().toString(),
    // Waits until stderr says it; fails at once when the program ends without.
    async says(pattern, milliseconds = 20000) {
      await until(
        () => {
          if (pattern.test(stderr().toString())) {
            return true;
          }
          if (child.exitCode !== null || child.signalCode !== null) {
            throw new Error(`ended without saying ${pattern}: ${stderr()}`);
          }
          return false;
        },
        milliseconds,
        `${command} to say ${pattern}`,
      );
    },
  };
}

class Sonde {
  constructor(t) {
    this.t = t;
    this.store = path.join(temporary(t), 'store');
  }

  start(args, options) {
    // Options stand before a command of the user's own.
    const at = args.indexOf('--');
    const ours = ['--store', this.store];
    const all = at < 0 ? [...args, ...ours] : [...args.slice(0, at), ...ours, ...args.slice(at)];
    return start(this.t, bin, all, options);
  }

  run(args, options) {
    return this.start(args, options).done;
  }

  async json(args) {
    const result = await this.run(args);
    if (result.code !== 0) {
      throw new Error(`sonde ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
    }
    return JSON.parse(result.stdout);
  }

  async runs() {
    return (await this.json(['runs', '--output', 'json'])).runs;
  }

  async report(run = 'last', more = []) {
    return this.json(['report', run, '--format', 'json', ...more]);
  }

  // Writes documents into a file that lies beside the store.
  document(name, text) {
    const file = path.join(path.dirname(this.store), name);
    fs.writeFileSync(file, text);
    return file;
  }
}

// As the user who owns nothing; the program and the store must be reachable by that user.
function profileAsNobody(t, pid) {
  const directory = temporary(t);
  fs.chmodSync(directory, 0o777);
  const program = path.join(directory, 'sonde');
  fs.copyFileSync(bin, program);
  fs.chmodSync(program, 0o755);
  return start(t, 'setpriv', [
    ...['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups', '--'],
    ...[program, 'profile', '--pid', String(pid)],
    ...['--store', path.join(directory, 'store')],
  ]).done;
}

// The lines of a ProfileRun; captures: [{name, durationSeconds, …}].
function profileRun(name, captures, spec = {}) {
  return JSON.stringify({
    apiVersion: 'sonde.dev/v1alpha1',
    kind: 'ProfileRun',
    metadata: { name },
    spec: {
      target: { podName: 'local' },
      captures: captures.map((capture) => ({ type: 'CPUProfile', ...capture })),
      ...spec,
    },
  });
}

// Fails unless a program ended with this exit code; what it said is part of the message.
function exited(result, code) {
  const { stdout, stderr, signal } = result;
  assert.equal(result.code, code, `signal ${signal}\n${stderr}\n${stdout.slice(0, 2000)}`);
}

function output(command, args) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error) {
        reject(new Error(`${command} ${args.join(' ')}: ${error.message}\n${stderr}`));
      } else {
        resolve(stdout);
      }
    });
  });
}

// A sanitizer has memory of its own: bounds of memory do not hold then.
async function isSanitized() {
  return /lib[at]san/.test(await output('ldd', [bin]));
}

module.exports = {
  Sonde,
  bin,
  exited,
  isSanitized,
  nobody,
  output,
  profileAsNobody,
  profileRun,
  root,
  start,
  temporary,
};
