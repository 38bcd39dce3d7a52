// SPDX-License-Identifier: Apache-2.0
'use strict';

// What SPDX 2.3 requires of a document (chapters 6 to 8 and 11), and what we put in besides.

const assert = require('node:assert');
const { sum } = require('./support');

const ID = /^SPDXRef-[A-Za-z0-9.-]+$/;
const HEX = { SHA1: /^[0-9a-f]{40}$/, SHA256: /^[0-9a-f]{64}$/ };
const KINDS = ['CONTAINS', 'DEPENDS_ON', 'DESCRIBES'];

function checkHead(document) {
  assert.equal(document.spdxVersion, 'SPDX-2.3');
  assert.equal(document.dataLicense, 'CC0-1.0');
  assert.equal(document.SPDXID, 'SPDXRef-DOCUMENT');
  assert.ok(document.name);
  assert.match(document.documentNamespace, /^https:\/\/[^#]+$/);
  assert.match(document.creationInfo.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.ok(document.creationInfo.creators.length > 0);
  for (const creator of document.creationInfo.creators) {
    assert.match(creator, /^(Person|Organization|Tool): \S/);
  }
}

function checkFile(file) {
  assert.match(file.SPDXID, ID);
  assert.match(file.fileName, /^\.\/[^/]/);
  const algorithms = file.checksums.map((one) => one.algorithm);
  assert.deepEqual(algorithms, ['SHA1', 'SHA256']);
  for (const { algorithm, checksumValue } of file.checksums) {
    assert.match(checksumValue, HEX[algorithm]);
  }
}

// SPDX 7.9: the SHA-1 sums of the package's files, sorted, as one string, and its sum.
function checkCode(part, files, excluded) {
  const code = part.packageVerificationCode;
  const sums = files.map((file) => file.checksums[0].checksumValue).sort();
  assert.equal(code.packageVerificationCodeValue, sum('sha1', sums.join('')), part.name);
  for (const name of code.packageVerificationCodeExcludedFiles ?? []) {
    assert.equal(name, `./${excluded}`);
  }
}

function checkPackage(part, contained, excluded) {
  assert.match(part.SPDXID, ID);
  assert.ok(part.name);
  assert.match(part.versionInfo, /^\d/);
  assert.equal(part.downloadLocation, 'NOASSERTION');
  assert.match(part.supplier, /^(Organization: \S|NOASSERTION$)/);
  assert.ok(part.licenseDeclared);
  const files = contained.filter((element) => element.fileName);
  if (part.filesAnalyzed) {
    assert.ok(files.length > 0, `${part.name} has no file`);
    checkCode(part, files, excluded);
    const [reference] = part.externalRefs;
    assert.equal(reference.referenceCategory, 'PACKAGE-MANAGER');
    assert.equal(reference.referenceType, 'purl');
    assert.match(reference.referenceLocator, /^pkg:(deb\/debian|npm|generic)\/[^@\s]+@[^@\s]+$/);
  } else {
    assert.equal(files.length, 0);
    assert.equal(part.packageVerificationCode, undefined);
  }
}

// `excluded` is the file that the document itself is.
function checkDocument(document, excluded) {
  checkHead(document);
  const elements = new Map([[document.SPDXID, document]]);
  for (const element of [...document.packages, ...document.files]) {
    assert.ok(!elements.has(element.SPDXID), `${element.SPDXID} is there twice`);
    elements.set(element.SPDXID, element);
  }
  const contained = new Map(document.packages.map((part) => [part.SPDXID, []]));
  const holders = new Map();
  const described = [];
  for (const { spdxElementId, relationshipType, relatedSpdxElement } of document.relationships) {
    assert.ok(KINDS.includes(relationshipType), relationshipType);
    assert.ok(elements.has(spdxElementId), spdxElementId);
    assert.ok(elements.has(relatedSpdxElement), relatedSpdxElement);
    if (relationshipType === 'CONTAINS') {
      contained.get(spdxElementId).push(elements.get(relatedSpdxElement));
      holders.set(relatedSpdxElement, (holders.get(relatedSpdxElement) ?? 0) + 1);
    } else if (relationshipType === 'DESCRIBES') {
      described.push(relatedSpdxElement);
    }
  }
  assert.deepEqual(described, ['SPDXRef-Image']);
  for (const part of document.packages) {
    checkPackage(part, contained.get(part.SPDXID), excluded);
  }
  for (const file of document.files) {
    checkFile(file);
  }
  for (const id of elements.keys()) {
    const expected = ['SPDXRef-DOCUMENT', 'SPDXRef-Image'].includes(id) ? undefined : 1;
    assert.equal(holders.get(id), expected, `${id} is in one package`);
  }
  const codes = document.packages.map((part) => part.packageVerificationCode);
  const leavesOut = codes.filter((code) => code?.packageVerificationCodeExcludedFiles);
  assert.equal(leavesOut.length, 1, 'one package has the document');
}

module.exports = { checkDocument };
