// SPDX-License-Identifier: Apache-2.0
'use strict';

// `kubectl sonde watch`, with an API server and a store that are played.

const assert = require('node:assert/strict');
const path = require('node:path');
const test = require('node:test');
const { ApiServer } = require('./support/api-server.js');
const { bin, exited, start } = require('./support/sonde.js');
const { until } = require('./support/wait.js');

const plugin = path.join(path.dirname(bin), 'kubectl-sonde');
const uid = '11111111-2222-4333-8444-555555555555';
const key = 'loadtests/clinic/nightly';
const running = { Accepted: ['True', 'Accepted', ''], Running: ['True', 'Running', ''] };

function second(number, rate) {
  const count = { sent: rate, answered: rate, failed: number };
  return { second: number + 1, round: 0, ...count, p50: 1000, p99: 2500, rate };
}

// A test that runs; its store tells of the seconds that `play` gives it.
class Played {
  static async begin(t, kind = 'LoadTest') {
    const played = new Played();
    played.server = await new ApiServer(t).start();
    const plural = kind === 'LoadTest' ? 'loadtests/' : '';
    const metadata = { name: 'nightly', namespace: 'clinic', uid };
    played.server.put(`${plural}clinic/nightly`, { kind, metadata, spec: {} });
    played.env = { ...process.env, KUBECONFIG: played.server.kubeconfig() };
    played.t = t;
    return played;
  }

  constructor() {
    this.seconds = [];
    this.state = {
      phase: 'Running',
      round: 0,
      requests: 0,
      ready: 3,
      active: 3,
      lost: 0,
      thresholds: [],
    };
    this.waiting = [];
  }

  // As the store does it: at once what there is, else when there is more.
  live() {
    this.server.store[`runs/${uid}/live`] = ({ query }) => {
      assert.equal(query.get('namespace'), 'clinic');
      const since = Number(query.get('since'));
      const news = () => this.seconds.slice(since);
      const next = () => ({ seconds: news(), next: this.seconds.length });
      const answer = () => [200, `${JSON.stringify({ ...this.state, ...next() })}\n`];
      return news().length || this.state.phase !== 'Running'
        ? answer()
        : new Promise((resolve) => this.waiting.push(() => resolve(answer())));
    };
  }

  play(rate, state = {}) {
    this.seconds.push(second(this.seconds.length, rate));
    Object.assign(this.state, state);
    for (const resolve of this.waiting.splice(0)) {
      resolve();
    }
  }

  end(reason, message = '') {
    const truth = reason === 'Completed' ? 'True' : 'False';
    this.server.change(key, { ...running, Succeeded: [truth, reason, message] });
  }

  watch(...more) {
    return start(this.t, plugin, ['watch', 'nightly', ...more], { env: this.env });
  }
}

async function prints(watching, pattern) {
  await until(() => pattern.test(watching.stdout()), 20000, `${pattern} on standard output`);
}

test('where there is no terminal each second is a line', async (t) => {
  const played = await Played.begin(t);
  played.live();
  played.play(100);
  played.play(200);
  const watching = played.watch();
  await prints(
    watching,
    /^2 s {2}200\/s {2}p50 1\.00 ms {2}p99 2\.50 ms {2}1 failed {2}3 active$/m,
  );
  played.server.change(key, { ...running, Succeeded: ['Unknown', 'Running', ''] });
  await watching.says(/nightly: Running True/);
  const broken = { threshold: 'http_reqs: rate > 500', value: '300', holds: false };
  played.play(300, { thresholds: [broken], active: 2, lost: 1 });
  await prints(watching, /^3 s .* 2 active {2}1 lost {2}1 of 1 thresholds broken$/m);
  played.state.phase = 'Over';
  played.end('ThresholdBroken', 'http_reqs: rate > 500: 300');
  const result = await watching.done;
  exited(result, 99);
  assert.match(result.stderr, /ThresholdBroken: nightly: http_reqs/);
  assert.deepEqual(result.stdout.match(/^\d+ s/gm), ['1 s', '2 s', '3 s']);
  const asked = played.server.asked('GET', '/live');
  assert.deepEqual(
    [asked[0], asked[1]].map(({ query }) => query.get('since')),
    ['0', '2'],
  );
});

test('what ended well says so, and exits with 0', async (t) => {
  const played = await Played.begin(t);
  played.live();
  played.play(100);
  const watching = played.watch();
  await prints(watching, /^1 s/m);
  played.end('Completed');
  const result = await watching.done;
  exited(result, 0);
  assert.match(result.stdout, /nightly succeeded; kubectl sonde report nightly -n clinic/);
});

test('for a program each answer is a line of JSON', async (t) => {
  const played = await Played.begin(t);
  played.live();
  played.play(100);
  const watching = played.watch('--output', 'json');
  await prints(watching, /\n/);
  played.play(150);
  await prints(watching, /\n.*\n/);
  played.end('Completed');
  const result = await watching.done;
  exited(result, 0);
  const lines = result.stdout.trim().split('\n').map(JSON.parse);
  assert.deepEqual(
    lines.flatMap(({ seconds }) => seconds.map(({ rate }) => rate)),
    [100, 150],
  );
});

test('on a terminal the board is drawn in place', async (t) => {
  const played = await Played.begin(t);
  played.live();
  const line = `stty cols 80 rows 24; exec ${plugin} watch nightly`;
  const watching = start(t, 'script', ['-qefc', line, '/dev/null'], { env: played.env });
  await until(() => played.server.asked('GET', '/live').length > 0, 20000, 'a question');
  played.play(100);
  await prints(watching, /clinic\/nightly {2}Running {2}1 s\r\n/);
  const drawn = watching.stdout().length;
  played.play(400, { thresholds: [{ threshold: 'a: b < 1', value: '2', holds: true }] });
  await prints(watching, /held {6}a: b < 1 {2}2\r\n/);
  const again = watching.stdout().slice(drawn);
  // Up by the lines that stand there, all is cleared, and they are drawn anew.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's own
  assert.match(again, /\x1b\[12A\r\x1b\[Jclinic\/nightly {2}Running {2}2 s\r\n/);
  assert.match(again, /≤ 400\/s/);
  played.end('Completed');
  exited(await watching.done, 0);
});

test('a store that is away is waited for', async (t) => {
  const played = await Played.begin(t);
  played.server.store[`runs/${uid}/live`] = () => [503, 'no endpoints available'];
  const watching = played.watch();
  await watching.says(/does not answer.*asked again each second/);
  played.live();
  played.play(100);
  await prints(watching, /^1 s/m);
  played.end('Completed');
  const result = await watching.done;
  exited(result, 0);
  assert.equal(result.stderr.match(/does not answer/g).length, 1);
});

test('who may not read the store sees the conditions', async (t) => {
  const played = await Played.begin(t);
  const no = JSON.stringify({ code: 'Denied', message: 'ann may not' });
  played.server.store[`runs/${uid}/live`] = () => [403, no];
  const watching = played.watch();
  await watching.says(/ann may not: only its conditions are shown/);
  played.server.change(key, running);
  await watching.says(/nightly: Running True/);
  played.end('RunnerLost', 'runner 1 was evicted');
  const result = await watching.done;
  exited(result, 1);
  assert.equal(played.server.asked('GET', '/live').length, 1);
});

test('a store that never answers holds up neither the end nor Ctrl-C', async (t) => {
  for (const end of ['verdict', 'signal']) {
    const played = await Played.begin(t);
    played.server.store[`runs/${uid}/live`] = () => new Promise(() => {});
    const watching = played.watch();
    await until(() => played.server.asked('GET', '/live').length > 0, 20000, 'a question');
    if (end === 'verdict') {
      played.end('Completed');
    } else {
      watching.child.kill('SIGINT');
    }
    const result = await watching.done;
    exited(result, end === 'verdict' ? 0 : 1);
    assert.match(
      result.stderr,
      end === 'verdict' ? /Running True/ : /nightly goes on in the cluster/,
    );
  }
});

test('a ProfileRun is watched by its conditions', async (t) => {
  const played = await Played.begin(t, 'ProfileRun');
  const watching = played.watch();
  await until(() => played.server.watches.length > 0, 20000, 'the watch');
  played.server.change('clinic/nightly', { Attached: ['True', 'Attached', '1 of 1'] });
  await watching.says(/nightly: Attached True Attached \(1 of 1\)/);
  played.server.change('clinic/nightly', { Succeeded: ['True', 'Completed', ''] });
  exited(await watching.done, 0);
});

test('of a run whose object is gone the store says how it ended', async (t) => {
  const played = await Played.begin(t);
  played.server.objects.clear();
  const own = { uid, name: 'nightly', namespace: 'clinic', kind: 'LoadTest' };
  const row = (more) => () => [200, JSON.stringify({ ...own, ...more })];
  played.server.store['runs/nightly'] = row({ state: 'Succeeded', reason: 'Completed' });
  exited(await played.watch().done, 0);
  const broken = { state: 'Failed', reason: 'ThresholdBroken', message: 'p(99) is 312 ms' };
  played.server.store['runs/nightly'] = row(broken);
  const result = await played.watch().done;
  exited(result, 99);
  assert.match(result.stderr, /p\(99\) is 312 ms/);
  played.server.store['runs/nightly'] = row({ state: 'Running' });
  exited(await played.watch().done, 1);
  played.server.store['runs/nightly'] = row({ ...broken, name: '../..' });
  exited(await played.watch().done, 1);
  played.server.store['runs/nightly'] = undefined;
  exited(await played.watch().done, 3);
});

test('of two kinds of one name the kind must be said', async (t) => {
  const played = await Played.begin(t);
  const metadata = { name: 'nightly', namespace: 'clinic', uid };
  const other = { kind: 'ProfileRun', metadata, spec: {} };
  other.status = { conditions: [{ type: 'Succeeded', status: 'True', reason: 'Completed' }] };
  played.server.put('clinic/nightly', other);
  const result = await played.watch().done;
  exited(result, 2);
  assert.match(result.stderr, /loadtest\/nightly or profilerun\/nightly/);
  const watching = start(t, plugin, ['watch', 'profilerun/nightly'], { env: played.env });
  exited(await watching.done, 0);
  exited(await start(t, bin, ['watch', 'nightly'], { env: played.env }).done, 2);
});
