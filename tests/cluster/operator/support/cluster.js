// SPDX-License-Identifier: Apache-2.0
'use strict';

// The cluster under test: its commands and who we are there. SONDE_CLUSTER names the directory of
// the commands when the cluster that is up is another checkout's.

const { execFile, spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');

const here = path.join(__dirname, '..', '..');
const checkout = path.join(here, '..', '..');
const commands = process.env.SONDE_CLUSTER ?? here;
const commandSeconds = 120;
const outputMax = 64 << 20;

// The name of a file of the checkout.
function file(...names) {
  return path.join(checkout, ...names);
}

// Runs a program to its end: {code, stdout, stderr}. It is killed when it takes too long.
function run(program, args, { input, env, seconds = commandSeconds } = {}) {
  return new Promise((resolve, reject) => {
    const options = {
      env: { ...process.env, ...env },
      timeout: seconds * 1000,
      killSignal: 'SIGKILL',
      maxBuffer: outputMax,
    };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') {
        reject(new Error(`${program} ${args.join(' ')}: ${error.message}\n${stderr}`));
      } else {
        resolve({ code: error?.code ?? 0, stdout, stderr });
      }
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

// As run, but what fails is an error. Gives what it printed.
async function must(program, args, options) {
  const result = await run(program, args, options);
  if (result.code !== 0) {
    const said = result.stderr + result.stdout;
    throw new Error(`${program} ${args.join(' ')} ended with ${result.code}: ${said}`);
  }
  return result.stdout;
}

// A command of tests/cluster.
function cluster(command, ...args) {
  return must(path.join(commands, command), args);
}

// kubectl as the administrator: {code, stdout, stderr}.
function kubectl(args, options) {
  return run(path.join(commands, 'kubectl'), args, options);
}

// kubectl as KUBECONFIG in `env` says, which its plugins then see too.
function kubectlAs(args, options) {
  const script = '. "$0/settings.sh" && exec "$bin/kube" kubectl "$@"';
  return run('bash', ['-c', script, commands, ...args], options);
}

// Lines of a log that have all of these words.
async function logLines(component, words) {
  const child = spawn(path.join(commands, 'logs'), [component], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const found = [];
  for await (const line of readline.createInterface({ input: child.stdout })) {
    if (words.every((word) => line.includes(word))) {
      found.push(line);
    }
  }
  return found;
}

let known;

// The administrator's configuration: {server, ca, cert, key}, as PEM.
async function administrator() {
  if (!known) {
    const view = ['config', 'view', '--raw', '--minify', '--output', 'json'];
    const config = JSON.parse(await must(path.join(commands, 'kubectl'), view));
    const { cluster: place } = config.clusters[0];
    const { user } = config.users[0];
    const decode = (text) => Buffer.from(text, 'base64').toString();
    known = {
      server: place.server,
      ca: decode(place['certificate-authority-data']),
      cert: decode(user['client-certificate-data']),
      key: decode(user['client-key-data']),
    };
  }
  return known;
}

// The names of the images of the pods under test: {node18, node22, node24, npm}.
const workloadImages = () => JSON.parse(process.env.SONDE_WORKLOADS ?? '{}');

// Numbers of the lines of a file of the checkout where `text` stands, from 1.
function lineOf(name, text) {
  const lines = fs.readFileSync(file(name), 'utf8').split('\n');
  const index = lines.findIndex((line) => line.includes(text));
  if (index < 0) {
    throw new Error(`${name} has no line with ${text}`);
  }
  return index + 1;
}

module.exports = {
  administrator,
  cluster,
  file,
  kubectl,
  kubectlAs,
  lineOf,
  logLines,
  must,
  run,
  workloadImages,
};
