// SPDX-License-Identifier: Apache-2.0
'use strict';

// Nights that are alike, and nights of a slower build: which ones are called a regression?
//
// Each night is a service, started afresh, under the same load, with a profile; the first ones are a
// history, then good nights and slower ones follow in a random order. Then each is judged against the
// good ones before it. The service waits for others most of the time (regression/service.js), or is
// the example (examples/patients, made slower by regression/slower.js), whose database answers at
// once or takes its time (regression/delay.js).

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const {
  atEnd,
  checkProgram,
  finish,
  firstOutput,
  machine,
  main,
  parse,
  quantile,
  random,
  root,
  run,
  start,
  temporaryDirectory,
} = require('./measure');

const SLOWER = [5, 10, 50]; // percent
const WARM_UP_SECONDS = 5;
const SERVICE_CORE = 0;
const CLIENT_CORE = 1;
const DELAY_MS = 50;

const options = parse({
  sonde: 'build/release/bin/sonde',
  service: 'waiting', // or patients, or patients-delayed
  nights: 'build/release/tests/regression_nights',
  quiet: 100, // nights that are judged
  slower: 10, // of each kind
  history: 10,
  seconds: 15,
  rate: 100,
  priority: 0, // of SCHED_RR, as root may have it, for service, database and client
  seed: 20260101,
  keep: '', // a directory for what is measured; one that is there already is only judged
});

function shuffled(values, next) {
  const all = [...values];
  for (let i = all.length - 1; i > 0; i--) {
    const k = Math.floor(next() * (i + 1));
    [all[i], all[k]] = [all[k], all[i]];
  }
  return all;
}

// On a machine that others use too, what is measured else is the scheduler.
function prefer(core, command, args) {
  const priority = options.priority ? ['chrt', '-r', String(options.priority)] : [];
  const [first, ...others] = ['taskset', '-c', String(core), ...priority, command, ...args];
  return [first, others];
}

const example = [
  ...['--require', path.join(__dirname, 'regression/slower.js')],
  path.join(root, 'examples/patients/server.js'),
];

const services = {
  waiting: {
    path: '/',
    script: [path.join(__dirname, 'regression/service.js')],
    environment: () => ({}),
  },
  patients: {
    path: '/patients/joined?page={{page}}',
    script: example,
    environment: startDatabase,
  },
  'patients-delayed': {
    path: '/patients/joined?page={{page}}',
    script: example,
    environment: startDelayedDatabase,
  },
};

function writeTest(directory, url, number) {
  const document = path.join(directory, `${number}.json`);
  const data = { page: { range: [1, 100] } };
  const cpu = { name: 'cpu', type: 'CPUProfile', windowSeconds: 2 };
  const spec = {
    target: { url },
    scenario: { requests: [{ name: 'page', path: options.kind.path, data }] },
    arrival: { rate: options.rate, durationSeconds: options.seconds },
    warmUpSeconds: WARM_UP_SECONDS,
    profile: { captures: [{ ...cpu, durationSeconds: options.seconds - 3 }] },
  };
  const kind = { apiVersion: 'sonde.dev/v1alpha1', kind: 'LoadTest', metadata: { name: 'night' } };
  fs.writeFileSync(document, JSON.stringify({ ...kind, spec }));
  return document;
}

// The example's database, filled; its service is not needed.
function startDatabase() {
  const directory = temporaryDirectory();
  const environment = path.join(root, 'tests/environment');
  atEnd(() => run(path.join(environment, 'patients'), ['stop', directory]));
  run(path.join(environment, 'patients'), ['start', directory]);
  const database = path.join(directory, 'database');
  const [, socket] = /^socket=(.*) pid=/.exec(
    run(path.join(environment, 'database'), ['start', database]),
  );
  return { DB_SOCKET: socket, DB_USER: 'root', DB_NAME: 'clinic', PORT: '0' };
}

// One that takes as long as a slow query does.
async function startDelayedDatabase() {
  const environment = startDatabase();
  const socket = path.join(temporaryDirectory(), 'delayed');
  const script = path.join(__dirname, 'regression/delay.js');
  const delay = start(
    ...prefer(CLIENT_CORE, process.execPath, [
      ...[script, socket, environment.DB_SOCKET, String(DELAY_MS)],
    ]),
  );
  await firstOutput(delay);
  return { ...environment, DB_SOCKET: socket, SLOWER_BY: 'waiting' };
}

async function startService(percent) {
  const command = prefer(SERVICE_CORE, process.execPath, options.kind.script);
  const env = { ...process.env, ...options.environment, SLOWER_PERCENT: String(percent) };
  const service = start(...command, { env });
  const [url] = /http:\S+/.exec(await firstOutput(service));
  return { service, url };
}

async function night(directory, number, percent) {
  const store = path.join(directory, 'stores', String(number));
  const { service, url } = await startService(percent);
  const document = writeTest(directory, url, number);
  const test = start(
    ...prefer(CLIENT_CORE, options.program, [
      ...['run', document, '--store', store, '--no-progress', '--output', 'json'],
    ]),
  );
  const result = await test.ended;
  service.child.kill('SIGTERM');
  await service.ended;
  const kept = path.join(directory, `${String(number).padStart(4, '0')}-${percent}.json`);
  run(options.program, ['export', 'night', '--store', store, '--format', 'raw', '-o', kept]);
  return { kept, message: result.stderr.split('\n')[0], code: result.code };
}

async function collect(directory) {
  const judged = shuffled(
    [
      ...Array.from({ length: options.quiet }, () => 0),
      ...SLOWER.flatMap((percent) => Array.from({ length: options.slower }, () => percent)),
    ],
    random(options.seed),
  );
  const order = [...Array.from({ length: options.history }, () => 0), ...judged];
  for (const [i, percent] of order.entries()) {
    const load = os.loadavg()[0].toFixed(1);
    const { code, message } = await night(directory, i, percent);
    console.error(
      `${i + 1} of ${order.length}: ${percent} %, a load of ${load}, ${code}: ${message}`,
    );
  }
}

function describe(paths) {
  const results = paths.map((file) => JSON.parse(fs.readFileSync(file, 'utf8')));
  const invalid = results.filter((result) => !result.validity.valid).length;
  console.log(`${results.length} quiet nights, ${invalid} of them Invalid: judged all the same`);
  for (const name of ['p50', 'p90', 'p99']) {
    const middles = results
      .map((result) => result.confidence[name])
      .filter(Boolean)
      .map(([low, high]) => (Math.log(low) + Math.log(high)) / 2);
    if (middles.length === 0) {
      continue; // of so few requests it is not known
    }
    const mean = middles.reduce((sum, value) => sum + value, 0) / middles.length;
    const variance = middles.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const deviation = Math.sqrt(variance / (middles.length - 1));
    const middle = Math.exp(quantile(middles, 0.5)) / 1000;
    console.log(
      `${name} of quiet nights: median ${middle.toFixed(2)} ms, from night to night ± ${(100 * deviation).toFixed(1)} %`,
    );
  }
}

main(async () => {
  options.program = checkProgram(options.sonde);
  options.kind = services[options.service];
  if (!options.kind) {
    throw new Error(`--service is ${Object.keys(services).join(' or ')}`);
  }
  const judge = checkProgram(options.nights);
  console.log(`${machine()}\nseed ${options.seed}`);
  const directory = options.keep ? path.resolve(options.keep) : temporaryDirectory();
  const isThere = options.keep && fs.existsSync(directory);
  fs.mkdirSync(path.join(directory, 'stores'), { recursive: true });
  if (!isThere) {
    options.environment = await options.kind.environment();
    await collect(directory);
  }
  const nights = fs
    .readdirSync(directory)
    .filter((name) => /^\d{4}-\d+\.json$/.test(name))
    .sort();
  const list = path.join(directory, 'list');
  const lines = nights.map((name) => `${/-(\d+)/.exec(name)[1]} ${path.join(directory, name)}\n`);
  fs.writeFileSync(list, lines.join(''));
  describe(
    nights.filter((name) => /-0\.json$/.test(name)).map((name) => path.join(directory, name)),
  );
  for (const reference of [1, 7]) {
    console.log(`compared with the median of the last ${reference}:`);
    console.log((await finish(start(judge, [list, String(reference)]), judge)).stdout);
  }
});
