// SPDX-License-Identifier: Apache-2.0
'use strict';

// Builds images, takes their archives apart, and looks at what is in them.

const { spawnSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');
const table = JSON.parse(fs.readFileSync(path.join(root, 'images/table.json'), 'utf8'));
const USER = 65532;

// Runs a command; {status, stdout, stderr}, and an error unless it may fail.
function run(command, args, options = {}) {
  const { mayFail, ...others } = options;
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...others });
  if (done.error) {
    throw done.error;
  }
  if (done.status !== 0 && !mayFail) {
    throw new Error(`${command} ${args.join(' ')} ended with ${done.status}:\n${done.stderr}`);
  }
  return done;
}

function lines(text) {
  return text.split('\n').filter(Boolean);
}

function sum(algorithm, data) {
  return crypto.createHash(algorithm).update(data).digest('hex');
}

// Copies the checkout, with what is changed in it, to another directory. Node.js is not installed
// anew: it is the same package either way.
function copyCheckout(directory) {
  run('git', ['clone', '--quiet', '--no-hardlinks', root, directory]);
  const change = run('git', ['-C', root, 'diff', '--binary', 'HEAD']).stdout;
  if (change) {
    run('git', ['-C', directory, 'apply'], { input: change });
  }
  const added = run('git', ['-C', root, 'ls-files', '-o', '--exclude-standard']).stdout;
  for (const name of lines(added)) {
    fs.mkdirSync(path.join(directory, path.dirname(name)), { recursive: true });
    fs.copyFileSync(path.join(root, name), path.join(directory, name));
  }
  run('tests/environment/node', ['22'], { cwd: root });
  fs.mkdirSync(path.join(directory, 'build'));
  fs.symlinkSync(path.join(root, 'build/node'), path.join(directory, 'build/node'));
}

// What images/build prints: {name: {digest, megabytes}}.
function build(checkout, args, environment = {}) {
  const done = run('bash', ['-c', 'umask "$MASK"; exec images/build "$@"', 'build', ...args], {
    cwd: checkout,
    env: { ...process.env, MASK: '022', ...environment },
  });
  const told = {};
  for (const line of lines(done.stdout)) {
    const [, name, digest, size] = line.match(/^\S+\/(\w+):\S+ +(sha256:\w{64}) +([\d.]+) MB$/);
    told[name] = { digest, megabytes: Number(size) };
  }
  return told;
}

// Takes an archive apart below a directory: the layers' files come into `root`, in order.
function unpack(archive, directory) {
  const layout = path.join(directory, 'layout');
  const image = { root: path.join(directory, 'root'), layers: [], entries: [] };
  fs.mkdirSync(layout, { recursive: true });
  fs.mkdirSync(image.root);
  run('tar', ['-xf', archive, '-C', layout]);
  const blob = ({ digest, size }) => {
    const data = fs.readFileSync(path.join(layout, 'blobs', digest.replace(':', '/')));
    if (`sha256:${sum('sha256', data)}` !== digest || data.length !== size) {
      throw new Error(`${archive}: the blob ${digest} is another one`);
    }
    return data;
  };
  const index = JSON.parse(fs.readFileSync(path.join(layout, 'index.json'), 'utf8'));
  image.descriptor = index.manifests[0];
  image.manifest = JSON.parse(blob(image.descriptor));
  image.config = JSON.parse(blob(image.manifest.config));
  for (const descriptor of image.manifest.layers) {
    const data = blob(descriptor);
    image.layers.push(data);
    const listing = run('tar', ['-tvz', '--numeric-owner', '--full-time'], { input: data }).stdout;
    for (const line of lines(listing)) {
      const [mode, owner, , date, time, name] = line.match(/\S+/g);
      image.entries.push({
        mode,
        owner,
        instant: `${date} ${time}`,
        name: name.replace(/\/$/, ''),
      });
    }
    run('tar', ['-xz', '-C', image.root], { input: data });
  }
  return image;
}

// The files below a directory, as paths relative to it.
function files(directory) {
  return fs
    .readdirSync(directory, { recursive: true })
    .filter((name) => fs.lstatSync(path.join(directory, name)).isFile())
    .sort();
}

// Runs a program with a directory as its root, as the user of the images where we may.
function inside(directory, command, environment = {}) {
  const args =
    process.getuid() === 0
      ? ['chroot', `--userspec=${USER}:${USER}`, directory, ...command]
      : ['unshare', '--user', '--map-root-user', 'chroot', directory, ...command];
  return run('env', ['-i', `PATH=${process.env.PATH}`, ...args], {
    mayFail: true,
    env: { ...process.env, ...environment },
    timeout: 30000,
  });
}

// {file: its libraries' sonames} of the ELF files of a root directory.
function needed(directory) {
  const found = {};
  for (const name of files(directory)) {
    const file = path.join(directory, name);
    if (fs.readFileSync(file).subarray(0, 4).toString('latin1') === '\x7fELF') {
      const text = run('readelf', ['--wide', '--dynamic', file]).stdout;
      found[name] = [...text.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]);
    }
  }
  return found;
}

module.exports = {
  USER,
  build,
  copyCheckout,
  files,
  inside,
  lines,
  needed,
  root,
  run,
  sum,
  table,
  unpack,
};
