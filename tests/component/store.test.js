// SPDX-License-Identifier: Apache-2.0
'use strict';

// The store of the runs: full, newer than the program, used by two programs at once.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Sonde, bin, exited, output, profileRun, start, temporary } = require('./support/sonde.js');
const { load, node, startTarget } = require('./support/target.js');

const mayMount = process.getuid() === 0 ? false : 'needs root to mount a small file system';

test('the disk is full: StoreFull, what was kept stays, the target is clean', {
  skip: mayMount,
}, async (t) => {
  const target = await startTarget(t);
  const busy = load(t, target.port, '/work', 4);
  const directory = temporary(t);
  const document = path.join(directory, 'run.yaml');
  const mount = path.join(directory, 'small');
  fs.mkdirSync(mount);
  const captures = [
    { name: 'cpu', durationSeconds: 30, windowSeconds: 1, samplingIntervalMicroseconds: 100 },
  ];
  fs.writeFileSync(document, profileRun('full', captures));
  // Seen by this shell and its children alone.
  const script = `mount -t tmpfs -o size=320k tmpfs "$2" &&
    "$1" run "$3" --pid "$4" --store "$2/store"; echo "ended with $?";
    "$1" runs --store "$2/store" --output json; echo "runs with $?";
    "$1" report last --store "$2/store" --format json -o "$5"; echo "report with $?"`;
  const report = path.join(directory, 'report.json');
  const args = [bin, mount, document, String(target.pid), report];
  const result = await start(t, 'unshare', ['-m', 'sh', '-c', script, 'sh', ...args]).done;
  assert.match(result.stderr, /sonde: StoreFull: .*(disk is full|No space left).*\n {2}Free space/);
  assert.match(result.stdout, /^ended with 1$/m);
  assert.match(result.stdout, /^runs with 0$/m);
  assert.match(result.stdout, /^report with 0$/m);
  assert.ok(result.milliseconds < 30000, 'the disk was not full soon enough');
  // Windows that were committed before are whole.
  const { captures: kept } = JSON.parse(fs.readFileSync(report, 'utf8'));
  assert.ok(kept[0].windows >= 1);
  assert.equal(kept[0].functions[0].function, 'hotSpot');
  await busy.stop();
  await target.isAsBefore();
});

test('a store that cannot be written: the target is not touched', async (t) => {
  const target = await startTarget(t);
  const sonde = new Sonde(t);
  fs.writeFileSync(sonde.store, 'a file where a directory should be');
  const result = await sonde.run(['profile', '--pid', String(target.pid), '--duration', '1s']);
  exited(result, 1);
  assert.ok(result.stderr.includes(sonde.store));
  assert.doesNotMatch(target.process.stderr(), /Debugger/);
});

test('a store of a newer version is refused, and unharmed', async (t) => {
  const target = await startTarget(t);
  const sonde = new Sonde(t);
  const profile = ['profile', '--pid', String(target.pid), '--duration', '1s'];
  exited(await sonde.run(profile), 0);
  const [file] = fs.readdirSync(sonde.store).filter((name) => /\.(db|sqlite3?)$/.test(name));
  const database = path.join(sonde.store, file);
  const version = (value) =>
    output('python3', [
      '-c',
      'import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); ' +
        'print(c.execute(sys.argv[2]).fetchone()); c.commit()',
      database,
      value === undefined ? 'PRAGMA user_version' : `PRAGMA user_version=${value}`,
    ]);
  const before = Number(/\d+/.exec(await version())[0]);
  await version(before + 1);
  for (const args of [['runs'], ['report', 'last'], profile]) {
    const result = await sonde.run(args);
    exited(result, 1);
    assert.match(result.stderr, /newer/);
  }
  await version(before);
  assert.equal((await sonde.runs()).length, 1);
  assert.equal((await sonde.report()).state, 'Succeeded');
});

test('a store that is damaged: an error, no crash', async (t) => {
  const sonde = new Sonde(t);
  assert.deepEqual(await sonde.runs(), []);
  const [file] = fs.readdirSync(sonde.store).filter((name) => /\.(db|sqlite3?)$/.test(name));
  fs.writeFileSync(path.join(sonde.store, file), Buffer.alloc(8192, 'not a database '));
  for (const suffix of ['-wal', '-shm']) {
    fs.rmSync(path.join(sonde.store, `${file}${suffix}`), { force: true });
  }
  const result = await sonde.run(['runs']);
  assert.equal(result.signal, null);
  assert.notEqual(result.code, 0);
  assert.ok(result.stderr.includes(sonde.store));
});

test('two programs on one store: both runs are kept, and can be listed all the while', async (t) => {
  const [target, other] = [
    await startTarget(t),
    await startTarget(t, { args: ['--inspect-port=0'] }),
  ];
  const sonde = new Sonde(t);
  const captures = [{ name: 'cpu', durationSeconds: 3, windowSeconds: 1 }];
  const runs = [target, other].map(({ pid }, index) => {
    const file = sonde.document(`run-${index}.yaml`, profileRun(`run-${index}`, captures));
    return sonde.run(['run', file, '--pid', String(pid)]);
  });
  let going = true;
  const both = Promise.all(runs).finally(() => {
    going = false;
  });
  let listed = 0;
  while (going) {
    const names = (await sonde.runs()).map((run) => run.name);
    assert.ok(names.length >= listed, 'a run has gone');
    listed = names.length;
  }
  for (const result of await both) {
    exited(result, 0);
  }
  for (const name of ['run-0', 'run-1']) {
    const report = await sonde.report(name);
    assert.equal(report.state, 'Succeeded');
    assert.equal(report.captures[0].windows, 3);
  }
  await target.isAsBefore();
  await other.isAsBefore();
});

// Holds the store's write lock from the line "held" on, for so many seconds.
const holder = `const { DatabaseSync } = require('node:sqlite');
const db = new DatabaseSync(process.argv[1]);
db.exec('BEGIN IMMEDIATE');
console.error('held');
setTimeout(() => db.exec('COMMIT'), Number(process.argv[2]) * 1000);`;

test('others hold the store for 8 s: the target hears from us all the while', async (t) => {
  const target = await startTarget(t);
  const busy = load(t, target.port);
  const sonde = new Sonde(t);
  const captures = [{ name: 'cpu', durationSeconds: 12, windowSeconds: 1 }];
  const document = sonde.document('run.yaml', profileRun('patient', captures));
  const running = sonde.start(['run', document, '--pid', String(target.pid)]);
  await running.says(/capturing/);
  const [file] = fs.readdirSync(sonde.store).filter((name) => /\.(db|sqlite3?)$/.test(name));
  const database = path.join(sonde.store, file);
  const held = start(t, node(24), ['-e', holder, database, '8']);
  await held.says(/held/);
  exited(await running.done, 0);
  exited(await held.done, 0);
  await busy.stop();
  const report = await sonde.report();
  assert.equal(report.state, 'Succeeded');
  assert.ok(report.captures[0].windows >= 10, `${report.captures[0].windows} windows`);
  await target.isAsBefore();
});

test('the run is deleted while it goes on: StoreFailed, and the target is clean', async (t) => {
  const target = await startTarget(t);
  const sonde = new Sonde(t);
  const captures = [{ name: 'cpu', durationSeconds: 60, windowSeconds: 1 }];
  const document = sonde.document('run.yaml', profileRun('deleted', captures));
  const running = sonde.start(['run', document, '--pid', String(target.pid)]);
  await running.says(/capturing/);
  exited(await sonde.run(['delete', 'last']), 0);
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /StoreFailed: there is no run/);
  await target.isAsBefore();
});

test('a failed export leaves the file as it was', async (t) => {
  const sonde = new Sonde(t);
  const file = sonde.document('precious.txt', 'precious');
  const words = ['export', 'nosuch', '--format', 'folded', '-o'];
  exited(await sonde.run([...words, file]), 3);
  assert.equal(fs.readFileSync(file, 'utf8'), 'precious');
  assert.deepEqual(fs.readdirSync(path.dirname(file)).sort(), ['precious.txt', 'store']);
  exited(await sonde.run([...words, '/dev/null']), 3);
  assert.ok(fs.statSync('/dev/null').isCharacterDevice());
});
