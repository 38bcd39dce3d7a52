// SPDX-License-Identifier: Apache-2.0
'use strict';

// Targets that are hard to attach to: whatever happens, no inspector is left open behind us.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const {
  Sonde,
  bin,
  exited,
  nobody,
  profileAsNobody,
  start,
  temporary,
} = require('./support/sonde.js');
const { alive, get, inspectorPort, listens, node, startTarget } = require('./support/target.js');
const { until } = require('./support/wait.js');

const script = path.join(__dirname, 'support/attach-app.js');
const notRoot = process.getuid() !== 0 && 'needs root to become another user';

function startHard(t, mode, number = 0, args = []) {
  const env = { ATTACH_APP: mode, ATTACH_NUMBER: String(number) };
  return startTarget(t, { script, args, env });
}

function profile(sonde, pid, duration = '1s') {
  return sonde.run(['profile', '--pid', String(pid), '--duration', duration]);
}

async function isClosed(target) {
  await until(async () => (await target.get('/')).url === '', 10000, 'the inspector to close');
}

async function wasNotSignalled(target) {
  assert.equal((await target.get('/')).url, '');
  assert.doesNotMatch(target.process.stderr(), /Debugger/);
}

test('a process that hides its links: TargetNotVisible', { skip: notRoot }, async (t) => {
  const target = await startHard(t, 'other-user', nobody);
  const result = await profileAsNobody(t, target.pid);
  exited(result, 1);
  assert.match(result.stderr, /sonde: TargetNotVisible: process \d+ .* hides what it is/);
  await wasNotSignalled(target);
});

const places = [
  { args: ['--inspect-port', '9555'], host: '127.0.0.1', port: 9555 },
  { args: ['--inspect-port=127.0.0.2:9229'], host: '127.0.0.2', port: 9229 },
  { args: ['--inspect-port=[::1]:9556'], host: '::1', port: 9556 },
];

for (const { args, host, port } of places) {
  test(`node ${args.join(' ')}: found there, and closed again`, async (t) => {
    const target = await startHard(t, '', 0, args);
    const result = await profile(new Sonde(t), target.pid);
    exited(result, 0);
    const shown = host.includes(':') ? `[${host}]` : host;
    assert.ok(target.process.stderr().includes(`ws://${shown}:${port}/`));
    await isClosed(target);
  });
}

// The thread of Node.js 24 and later that hears SIGUSR1: {id, state, tracer}.
function signalThread(pid) {
  const ids = fs.readdirSync(`/proc/${pid}/task`);
  const read = (id, name) => fs.readFileSync(`/proc/${pid}/task/${id}/${name}`, 'latin1');
  const id = ids.find((one) => read(one, 'comm').startsWith('SignalInspector'));
  const status = read(id, 'status');
  return {
    id,
    state: /^State:\s+(\w)/m.exec(status)[1],
    tracer: Number(/^TracerPid:\s+(\d+)/m.exec(status)[1]),
  };
}

test('a thread that hears the signal to the end late: the inspector stays closed', async (t) => {
  const target = await startTarget(t, { script, line: 24, env: { ATTACH_APP: '' } });
  const { id } = signalThread(target.pid);
  const afterFirstWrite = ['-e', 'inject=write:delay_exit=4000000:when=1'];
  start(t, 'strace', ['-qq', '-o', '/dev/null', '-e', 'trace=write', ...afterFirstWrite, '-p', id]);
  await until(() => signalThread(target.pid).tracer, 10000, 'strace');
  exited(await profile(new Sonde(t), target.pid), 0);
  assert.match(target.process.stderr(), /Debugger listening/);
  await until(() => signalThread(target.pid).state === 'S', 20000, 'the rest of the signal');
  for (let i = 0; i < 3; i++) {
    assert.equal((await target.get('/')).url, '');
  }
});

test('an inspector that others could reach: InspectorExposed, not signalled', async (t) => {
  const target = await startHard(t, '', 0, ['--inspect-port=0.0.0.0:9229']);
  const result = await profile(new Sonde(t), target.pid);
  exited(result, 1);
  assert.match(result.stderr, /sonde: InspectorExposed: .*\n {2}Leave the host out/);
  await wasNotSignalled(target);
});

test('a process with many listening ports', async (t) => {
  const target = await startHard(t, 'listeners', 60);
  exited(await profile(new Sonde(t), target.pid), 0);
  await isClosed(target);
});

test('a cluster: its workers are named, and one of them can be profiled', async (t) => {
  const target = await startHard(t, 'cluster', 2);
  const workers = () => [...target.process.stdout().matchAll(/worker (\d+)/g)].map((m) => m[1]);
  await until(() => workers().length === 2, 20000, 'the workers');
  t.after(() => {
    for (const pid of workers().filter((one) => alive(Number(one)))) {
      process.kill(Number(pid), 'SIGKILL');
    }
  });
  const refused = await profile(new Sonde(t), target.pid);
  exited(refused, 1);
  for (const worker of workers()) {
    assert.ok(refused.stderr.includes(worker), refused.stderr);
  }
  assert.doesNotMatch(target.process.stderr(), /Debugger/);
  const sonde = new Sonde(t);
  exited(await profile(sonde, workers()[0]), 0);
  assert.equal((await sonde.report()).target, `process ${workers()[0]}`);
  assert.ok(!(await listens(inspectorPort)));
});

test('blocked for 11 s once the inspector is open: profiled afterwards', async (t) => {
  const target = await startHard(t, 'blocked-when-open', 11);
  const result = await profile(new Sonde(t), target.pid);
  exited(result, 0);
  assert.ok(result.milliseconds > 10000);
  await isClosed(target);
});

test('blocked for 17 s when signalled: too late, and closed all the same', async (t) => {
  const target = await startHard(t, 'blocked', 17);
  await until(() => /blocked/.test(target.process.stderr()), 20000, 'the target to be blocked');
  const result = await profile(new Sonde(t), target.pid);
  exited(result, 1);
  assert.match(result.stderr, /sonde: InspectorDidNotOpen: /);
  assert.doesNotMatch(result.stderr, /still open/);
  assert.match(target.process.stderr(), /Debugger listening/);
  await isClosed(target);
});

test('a stranger stays connected: said, looked after ever less often, then closed', async (t) => {
  const target = await startHard(t, 'looks');
  const sonde = new Sonde(t);
  const args = ['profile', '--pid', String(target.pid), '--duration', '1s'];
  const running = sonde.start(args);
  await running.says(/capturing/);
  const stranger = net.connect({ host: '127.0.0.1', port: inspectorPort });
  t.after(() => stranger.destroy());
  await new Promise((resolve) => stranger.on('connect', resolve));
  const result = await running.done;
  exited(result, 1);
  assert.match(result.stderr, /sonde: InspectorLeftOpen: port 9229/);
  // It has waited 8 s for the port to close.
  const { looks } = await get(target.port, '/');
  assert.ok(looks >= 3 && looks < 20, `${looks} looks`);
  stranger.destroy();
  await isClosed(target);
});

test('a connection that cannot be begun: it is tried again', async (t) => {
  const target = await startHard(t, '');
  const { store } = new Sonde(t);
  // The first one asks for the list of what can be inspected.
  const second = ['-e', 'trace=connect', '-e', 'inject=connect:error=EADDRNOTAVAIL:when=2'];
  const output = path.join(temporary(t), 'strace');
  const profiled = ['profile', '--pid', String(target.pid), '--duration', '1s', '--store', store];
  const args = ['-qq', '-o', output, ...second, bin, ...profiled];
  const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' }; // which strace does not allow
  exited(await start(t, 'strace', args, { env }).done, 0);
  assert.match(fs.readFileSync(output, 'utf8'), /EADDRNOTAVAIL .*\(INJECTED\)/);
  await isClosed(target);
});

test('a script that works in its first line: it is profiled there', async (t) => {
  const script = path.join(temporary(t), 'first-line.js');
  const text = `console.error('begun');
const end = Date.now() + 7000;
let sum = 0;
while (Date.now() < end) {
  sum += [1, 2, 3].map((one) => one * sum).length;
}
`;
  fs.writeFileSync(script, text);
  const busy = start(t, node(22), [script]);
  await busy.says(/begun/);
  const sonde = new Sonde(t);
  const args = ['profile', '--pid', String(busy.child.pid), '--duration', '1s'];
  exited(await sonde.run(args), 0); // the process ends with its loop
});
