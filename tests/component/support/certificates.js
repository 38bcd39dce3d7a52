// SPDX-License-Identifier: Apache-2.0
'use strict';

// Certificates whose life began and ends on any day, by openssl.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const settings = `[ca]
default_ca = us
[us]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
`;

const days = (count) =>
  new Date(Date.now() + count * 86400000).toISOString().replace(/[-:T]/g, '').replace(/\.\d+/, '');

// {certificate, key}, texts. `begins` and `ends` are days from now. Without an issuer it is an
// authority, which issues itself.
function makePair(directory, name, { issuer, names = [], begins, ends }) {
  const file = (end) => path.join(directory, `${name}.${end}`);
  const run = (...words) => execFileSync('openssl', words, { cwd: directory, stdio: 'pipe' });
  const extension = issuer
    ? `subjectAltName=${names.map((one) => `DNS:${one}`).join(',')}`
    : 'basicConstraints=critical,CA:TRUE';
  fs.writeFileSync(path.join(directory, 'settings'), settings);
  fs.writeFileSync(path.join(directory, 'index'), '');
  fs.writeFileSync(path.join(directory, 'serial'), '01\n');
  run(
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-subj', `/CN=${name}`, '-addext', extension, '-keyout', file('key'), '-out', file('csr')],
  );
  if (issuer) {
    fs.writeFileSync(path.join(directory, 'issuer.pem'), issuer.certificate);
    fs.writeFileSync(path.join(directory, 'issuer.key'), issuer.key);
  }
  run(
    ...['ca', '-batch', '-notext', '-config', 'settings', '-in', file('csr'), '-out', file('pem')],
    ...['-startdate', days(begins), '-enddate', days(ends)],
    ...(issuer
      ? ['-cert', 'issuer.pem', '-keyfile', 'issuer.key']
      : ['-selfsign', '-keyfile', file('key')]),
  );
  return {
    certificate: fs.readFileSync(file('pem'), 'utf8'),
    key: fs.readFileSync(file('key'), 'utf8'),
  };
}

// The certificates in a text.
const split = (text) =>
  text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];

// A server's pair for "localhost", good today, and the file of the authority that signed it.
function makeServerPair(directory) {
  const valid = { begins: -1, ends: 1 };
  const own = makePair(directory, 'authority', valid);
  const pair = makePair(directory, 'server', { issuer: own, names: ['localhost'], ...valid });
  const authority = path.join(directory, 'authority.crt');
  fs.writeFileSync(authority, own.certificate);
  return { cert: pair.certificate, key: pair.key, authority };
}

module.exports = { makePair, makeServerPair, split };
