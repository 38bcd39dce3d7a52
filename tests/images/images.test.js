// SPDX-License-Identifier: Apache-2.0
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const support = require('./support');
const { checkDocument } = require('./spdx');

const { USER, root, run, table } = support;
const names = Object.keys(table.images);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'images-'));
const first = path.join(scratch, 'first');
const second = path.join(scratch, 'second');
const elsewhere = path.join(scratch, 'a place/elsewhere');
const INTERPRETER = /^lib(64)?\/ld-linux[\w.-]*$/;
const built = {};
const images = {};

before(
  () => {
    built.first = support.build(root, ['--output', first]);
    support.copyCheckout(elsewhere);
    built.second = support.build(elsewhere, ['--output', second], {
      LC_ALL: 'C.UTF-8',
      MASK: '077',
      TZ: 'Asia/Kathmandu',
    });
    for (const name of names) {
      images[name] = support.unpack(path.join(first, `${name}.tar`), path.join(scratch, name));
    }
  },
  { timeout: 900000 },
);

after(() => fs.rmSync(scratch, { recursive: true, force: true }));

function read(name, file) {
  return fs.readFileSync(path.join(images[name].root, file));
}

function programOf(name) {
  const { program } = table.images[name];
  return `usr/bin/${program ?? 'node'}`;
}

function programsOf(name) {
  const beside = table.images[name].beside ?? [];
  return [programOf(name), ...beside.map((file) => `usr/bin/${file}`)];
}

test('the same source gives the same bytes at another place and time', () => {
  assert.deepEqual(Object.keys(built.first), names);
  assert.deepEqual(built.second, built.first);
  for (const name of names) {
    const [one, other] = [first, second].map((base) => path.join(base, `${name}.spdx.json`));
    assert.ok(fs.readFileSync(one).equals(fs.readFileSync(other)), `${name}.spdx.json differs`);
    assert.notEqual(fs.statSync(one).mtimeMs, fs.statSync(other).mtimeMs);
  }
});

test('what was built of the same files is kept, and only that', () => {
  const times = () => names.map((name) => fs.statSync(path.join(second, `${name}.tar`)).mtimeMs);
  const again = ['--if-changed', '--output', second];
  const old = times();
  assert.deepEqual(support.build(elsewhere, again), built.second);
  assert.deepEqual(times(), old);
  fs.appendFileSync(path.join(elsewhere, 'examples/patients/numbers.js'), '// Changed.\n');
  const changed = support.build(elsewhere, again);
  for (const name of names) {
    const message = `${name} should ${name === 'patients' ? '' : 'not '}have changed`;
    assert.equal(changed[name].digest !== built.second[name].digest, name === 'patients', message);
  }
});

test('an image that is too large is refused', () => {
  const file = path.join(elsewhere, 'images/table.json');
  const narrow = JSON.parse(fs.readFileSync(file, 'utf8'));
  narrow.images.sidecar.megabytes = 1;
  fs.writeFileSync(file, JSON.stringify(narrow));
  const third = path.join(scratch, 'third');
  const done = run('images/build', ['--output', third, 'sidecar'], {
    cwd: elsewhere,
    mayFail: true,
  });
  assert.equal(done.status, 1);
  assert.match(done.stderr, /sidecar:[\d.]+ has \d{7,} bytes compressed, 1 MB allowed/);
  assert.ok(!fs.existsSync(path.join(third, 'sidecar.tar')));
});

test('an image that is not in the table is refused', () => {
  const done = run('images/build', ['nothing'], { cwd: root, mayFail: true });
  assert.equal(done.status, 2);
  assert.match(done.stderr, /no image nothing: the images are sidecar, /);
});

test('another program reads the archive and finds the same image', () => {
  const from = `oci-archive:${path.join(first, 'sidecar.tar')}`;
  const told = JSON.parse(run('skopeo', ['inspect', from]).stdout);
  assert.equal(told.Digest, built.first.sidecar.digest);
  assert.deepEqual(
    told.Layers,
    images.sidecar.manifest.layers.map(({ digest }) => digest),
  );
  const config = JSON.parse(run('skopeo', ['inspect', '--config', from]).stdout);
  assert.equal(config.config.User, `${USER}:${USER}`);
  assert.deepEqual(config.config.Labels, told.Labels);
});

for (const name of names) {
  const row = table.images[name];

  describe(name, () => {
    test('is told with its true digest and size', () => {
      const { descriptor, manifest } = images[name];
      const size = manifest.layers.reduce((bytes, layer) => bytes + layer.size, 0);
      assert.equal(descriptor.digest, built.first[name].digest);
      assert.equal(built.first[name].megabytes, Number((size / 1e6).toFixed(2)));
      assert.ok(size <= (row.megabytes ?? Infinity) * 1e6, `${size} bytes`);
    });

    test('runs as a user without rights', () => {
      const { config } = images[name].config;
      assert.equal(config.User, `${USER}:${USER}`);
      assert.equal(config.Entrypoint[0], `/${programOf(name)}`);
      assert.match(
        read(name, 'etc/passwd').toString(),
        new RegExp(`^\\w+:x:${USER}:${USER}:.*\n$`),
      );
    });

    test('says what it is', () => {
      const { manifest, config, descriptor } = images[name];
      const about = (key) => manifest.annotations[`org.opencontainers.image.${key}`];
      const commit = run('git', ['-C', root, 'log', '-1', '--format=%H %ct']).stdout.trim();
      const [revision, seconds] = commit.split(' ');
      assert.equal(about('title'), row.title);
      assert.equal(about('description'), row.description);
      assert.equal(about('licenses'), 'Apache-2.0');
      assert.ok([revision, `${revision}-dirty`].includes(about('revision')));
      assert.equal(Date.parse(about('created')), seconds * 1000);
      assert.equal(config.created, about('created'));
      const own = Object.entries(manifest.annotations).filter(([key]) => !key.includes('.base.'));
      assert.deepEqual(config.config.Labels, Object.fromEntries(own));
      const reference = descriptor.annotations['org.opencontainers.image.ref.name'];
      assert.equal(reference, `sonde.dev/${name}:${about('version')}`);
    });

    test('has layers without names, owners and times but the commit’s', () => {
      for (const data of images[name].layers) {
        // The magic number, deflate; no flags. The time is that of no time in Go.
        assert.match(data.subarray(0, 8).toString('hex'), /^1f8b0800(?:00000000|00096e88)$/);
      }
      const own = Object.keys(row.directories ?? {});
      const commit = Date.parse(images[name].config.created);
      for (const entry of images[name].entries) {
        assert.ok([0, commit].includes(Date.parse(`${entry.instant}Z`)), entry.name);
        assert.equal(entry.owner, own.includes(entry.name) ? `${USER}/${USER}` : '0/0', entry.name);
      }
    });

    test('has nothing that can be executed but its programs', () => {
      for (const entry of images[name].entries) {
        assert.match(entry.mode, /^(d[r-][w-]x(r-xr-x|------)|-rw-r--r--|-rwxr-xr-x)$/, entry.name);
      }
      const programs = images[name].entries.filter(({ mode }) => mode === '-rwxr-xr-x');
      const others = programs.map((entry) => entry.name).filter((file) => !INTERPRETER.test(file));
      assert.deepEqual(others.sort(), programsOf(name).sort());
    });

    test('has each library that is needed, and no other', () => {
      const needed = support.needed(images[name].root);
      const wanted = new Set(Object.values(needed).flat());
      const there = Object.keys(needed).filter((file) => !file.startsWith('usr/bin/'));
      const interpreter = there.filter((file) => INTERPRETER.test(file));
      assert.equal(interpreter.length, 1);
      wanted.add(path.basename(interpreter[0]));
      assert.deepEqual(there.map((file) => path.basename(file)).sort(), [...wanted].sort());
      for (const program of programsOf(name)) {
        const command = [`/${interpreter[0]}`, '--list', `/${program}`];
        const list = support.inside(images[name].root, command);
        assert.equal(list.status, 0, list.stderr);
        assert.doesNotMatch(list.stdout, /not found/);
      }
    });

    test('starts with nothing but what is in it', () => {
      for (const program of programsOf(name)) {
        const done = support.inside(images[name].root, [`/${program}`, '--version']);
        const version = row.program ? /\b\d+\.\d+\.\d+\b/ : new RegExp(`^v${row.node}\\.`);
        assert.equal(done.status, 0, done.stderr);
        assert.match(done.stdout, version);
      }
    });

    test('holds the licences', () => {
      const there = new Set(support.files(images[name].root));
      for (const file of ['LICENSE', 'NOTICE']) {
        const ours = fs.readFileSync(path.join(root, file));
        assert.ok(read(name, `usr/share/doc/sonde/${file}`).equals(ours));
      }
      const texts = [...there].filter((file) => file.endsWith('/copyright'));
      assert.ok(texts.length > 2);
      for (const file of texts) {
        const referred = read(name, file).toString('latin1');
        for (const [, text] of referred.matchAll(
          /\/usr\/share\/(common-licenses\/[\w.+-]*[\w+])/g,
        )) {
          assert.ok(there.has(`usr/share/${text}`), `${file} refers to ${text}`);
        }
      }
    });

    test('has a parts list that is valid and complete', () => {
      const list = 'usr/share/sonde/sbom.spdx.json';
      const text = read(name, list);
      assert.ok(text.equals(fs.readFileSync(path.join(first, `${name}.spdx.json`))));
      const document = JSON.parse(text);
      checkDocument(document, list);
      const there = new Map();
      for (const file of support.files(images[name].root)) {
        if (file !== list) {
          there.set(`./${file}`, support.sum('sha256', read(name, file)));
        }
      }
      const told = document.files.map((file) => [
        file.fileName,
        file.checksums.find((one) => one.algorithm === 'SHA256').checksumValue,
      ]);
      assert.deepEqual(new Map(told.sort()), there);
      for (const part of document.packages) {
        const found = part.externalRefs?.[0].referenceLocator.match(/^pkg:deb\/debian\/([^@]+)@/);
        if (found) {
          const file = `./usr/share/doc/${decodeURIComponent(found[1])}/copyright`;
          assert.ok(there.has(file), `${part.name} has no ${file}`);
        }
      }
    });
  });
}

test('the controller knows the time zones of the system', () => {
  const zones = 'usr/share/zoneinfo';
  for (const zone of ['UTC', 'Europe/London', 'America/New_York', 'Asia/Calcutta']) {
    assert.ok(read('controller', `${zones}/${zone}`).equals(fs.readFileSync(`/${zones}/${zone}`)));
  }
  const others = support
    .files(images.controller.root)
    .filter((file) => /zoneinfo\/(posix|right|localtime)/.test(file));
  assert.deepEqual(others, []);
});

test('the example has all that it requires', () => {
  const script = "require('./app'); require('./models'); console.log('loaded')";
  const done = support.inside(images.patients.root, [
    '/usr/bin/node',
    '-e',
    `process.chdir('/app'); module.paths.push('/app/node_modules'); ${script.replaceAll('./', '/app/')}`,
  ]);
  assert.equal(done.stdout, 'loaded\n', done.stderr);
});
