// SPDX-License-Identifier: Apache-2.0
'use strict';

// The pipelines of examples/ci: valid YAML that says what it should, and each command of theirs is
// run here, but for those that install and build.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { parse } = require('yaml');
const { ApiServer } = require('./support/api-server.js');
const { tested } = require('./support/load-runners.js');
const { bin, exited, root, start, temporary } = require('./support/sonde.js');
const { Service, personToken } = require('./support/store-service.js');
const { until } = require('./support/wait.js');

const directory = path.join(root, 'examples/ci');
const read = (name) => parse(fs.readFileSync(path.join(directory, name), 'utf8'));
const SETS_UP = /^(apt-get|tests\/environment\/packages|cmake) /;
// A busy machine may be slower than a moment ago, or than the budget, or not be believed.
const VERDICTS = [0, 1, 97, 98];
const REGRESSION = 98;
const BUDGET = 97;

const lines = (text) => text.split('\n').filter((line) => line.trim());

// All commands of a GitHub job and of a GitLab job, in order.
function commandsOf(name) {
  if (name.startsWith('github')) {
    const { steps } = read(name).jobs.performance;
    return steps.flatMap((step) => (step.run ? lines(step.run) : []));
  }
  const job = read(name).performance;
  return [...job.before_script, ...job.script, ...job.after_script];
}

test('the GitHub workflow restores the runs of main before, and keeps only those', () => {
  const workflow = read('github.yaml');
  assert.deepEqual(Object.keys(workflow.on), ['push', 'pull_request']);
  const { steps } = workflow.jobs.performance;
  const at = (text) => steps.findIndex((step) => (step.uses ?? step.run).startsWith(text));
  const order = ['actions/checkout@', 'apt-get', 'actions/cache/restore@', 'examples/ci/measure'];
  const places = [...order, 'cat summary.md', 'actions/cache/save@'].map(at);
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a - b),
  );
  assert.ok(places.every((place) => place >= 0));
  const [restore, save] = [steps[at(order[2])], steps[at('actions/cache/save@')]];
  assert.equal(restore.with.path, '.sonde');
  assert.equal(save.with.path, '.sonde');
  assert.ok(save.with.key.startsWith(restore.with['restore-keys']));
  assert.match(save.if, /github\.ref_name == 'main'/);
  for (const step of steps) {
    assert.ok(step.name && Boolean(step.run) !== Boolean(step.uses), JSON.stringify(step));
  }
});

test('the GitLab job keeps the runs of the default branch alone', () => {
  const { rules, cache, artifacts } = read('gitlab.yaml').performance;
  assert.deepEqual(
    rules.map(({ variables }) => variables.CACHE_POLICY),
    ['pull-push', 'pull'],
  );
  assert.equal(rules[0].variables.RUN_NAME, 'main');
  assert.deepEqual(cache.paths, ['.sonde']);
  assert.equal(artifacts.reports.junit, 'junit.xml');
});

for (const name of ['github.yaml', 'gitlab.yaml']) {
  test(`the commands of ${name} measure main, and then a change`, async (t) => {
    const scratch = temporary(t);
    const summary = path.join(scratch, 'step-summary.md');
    const commands = commandsOf(name).filter((command) => !SETS_UP.test(command));
    assert.equal(commands.length, 2);
    t.after(() => {
      execFileSync(path.join(root, 'tests/environment/patients'), ['stop', 'build/ci-patients'], {
        cwd: root,
      });
      for (const left of ['summary.md', 'junit.xml']) {
        fs.rmSync(path.join(root, left), { force: true });
      }
    });
    for (const run of ['main', 'pull-7']) {
      const env = {
        ...process.env,
        ...{ SONDE: bin, SONDE_STORE: path.join(scratch, 'store'), SECONDS_EACH: '3' },
        ...{ RUN_NAME: run, GITHUB_STEP_SUMMARY: summary },
      };
      for (const command of commands) {
        const done = await start(t, 'bash', ['-ec', command], { cwd: root, env }).done;
        const measures = command.startsWith('examples/ci/measure');
        assert.ok(
          measures ? VERDICTS.includes(done.code) : done.code === 0,
          `${command}: ${done.code}\n${done.stderr}`,
        );
      }
      const text = fs.readFileSync(path.join(root, 'summary.md'), 'utf8');
      assert.match(text, new RegExp(`^### (✅|❌) ${run.replace('-', '\\\\-')}: `));
      assert.match(text, /loadVisits routes\/patients\\\.js|loadVisits routes/);
      assert.match(text, /^<details><summary>Report<\/summary>$/m);
      const junit = fs.readFileSync(path.join(root, 'junit.xml'), 'utf8');
      assert.match(junit, new RegExp(`<testsuite name="${run}" tests="\\d+"`));
      if (run === 'main') {
        assert.match(text, /\| ⚪ \| baseline \| .*no run called main has succeeded before/);
      }
    }
    if (name === 'github.yaml') {
      assert.match(fs.readFileSync(summary, 'utf8'), /### .* main: [\s\S]*### .* pull\\-7: /);
    }
  });
}

// What the controller and the runners do of a test that was made.
async function carriesOut(server, service, count, microseconds) {
  const made = () => server.asked('POST', 'loadtests')[count];
  const { metadata } = JSON.parse((await until(made, 30000, 'the test')).body);
  const key = `loadtests/${metadata.namespace}/${metadata.name}`;
  const { uid } = await until(() => server.objects.get(key)?.metadata, 10000, 'its uid');
  const schedule = `series/${metadata.labels['sonde.dev/series']}`;
  await tested(service, metadata.name, microseconds, { uid, schedule });
  server.change(key, { Succeeded: ['True', 'Completed', ''] });
}

for (const name of ['github-cluster.yaml', 'gitlab-cluster.yaml']) {
  test(`the commands of ${name} measure main in a cluster, and then a change`, async (t) => {
    const service = await Service.start(t);
    const server = await new ApiServer(t).start();
    server.forward(service, personToken);
    const kubeconfig = server.kubeconfig();
    const commands = commandsOf(name).filter((command) => !SETS_UP.test(command));
    t.after(() => {
      for (const left of ['summary.md', 'junit.xml']) {
        fs.rmSync(path.join(root, left), { force: true });
      }
    });
    const env = {
      ...process.env,
      ...{ SONDE: path.join(path.dirname(bin), 'kubectl-sonde'), KUBECONFIG: kubeconfig },
      KUBECONFIG_TEXT: fs.readFileSync(kubeconfig, 'utf8'),
      GITHUB_STEP_SUMMARY: path.join(temporary(t), 'step-summary.md'),
    };
    const runs = [
      ['main', 10000, BUDGET],
      ['pull-7', 40000, REGRESSION],
    ];
    for (const [index, [run, microseconds, code]] of runs.entries()) {
      server.uid = randomUUID();
      for (const command of commands) {
        const options = { cwd: root, env: { ...env, RUN_NAME: run } };
        const running = start(t, 'bash', ['-ec', command], options);
        const measures = command.startsWith('examples/ci/measure-in-cluster');
        if (measures) {
          await carriesOut(server, service, index, microseconds);
        }
        exited(await running.done, measures ? code : 0);
      }
      const text = fs.readFileSync(path.join(root, 'summary.md'), 'utf8');
      assert.match(text, new RegExp(`^### ❌ ${run.replace('-', '\\\\-')}: `));
      // No profile was taken here, whose functions the budget is about.
      assert.match(text, /functions \| nothing of it was measured/);
      const junit = fs.readFileSync(path.join(root, 'junit.xml'), 'utf8');
      assert.match(junit, new RegExp(`<testsuite name="${run}" tests="\\d+"`));
    }
    // Of a run that cannot be made nothing is said, and least of all what came of the one before.
    server.create = (_plural, _namespace, _object, response) => {
      server.status(response, 403, 'Forbidden', 'a quota');
    };
    const [measure] = commands.filter((command) => command.startsWith('examples/ci/measure'));
    const options = { cwd: root, env: { ...env, RUN_NAME: 'pull-7' } };
    exited(await start(t, 'bash', ['-ec', measure], options).done, 1);
    for (const left of ['summary.md', 'junit.xml']) {
      assert.equal(fs.existsSync(path.join(root, left)), false, left);
    }
  });
}

test('the documents of the example are valid', async (t) => {
  const examples = path.join(root, 'examples/patients');
  const files = fs.readdirSync(examples).filter((file) => file.endsWith('.yaml'));
  assert.ok(files.includes('loadtest.yaml') && files.includes('loadtestschedule.yaml'));
  for (const file of files) {
    const plugin = path.join(path.dirname(bin), 'kubectl-sonde');
    const printed = await start(t, plugin, ['run', path.join(examples, file), '--dry-run']).done;
    exited(printed, 0);
    assert.equal(JSON.parse(printed.stdout).kind.toLowerCase(), file.replace('.yaml', ''));
  }
  const schedule = path.join(examples, 'loadtestschedule.yaml');
  const when = await start(t, bin, ['schedule', schedule, '--count', '1']).done;
  exited(when, 0);
  assert.match(when.stdout, /T03:00:00/);
});
