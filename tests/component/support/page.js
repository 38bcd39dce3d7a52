// SPDX-License-Identifier: Apache-2.0
'use strict';

const { gunzipSync } = require('node:zlib');

// What an HTML report shows, as web/README.md has it.
function pageData(html) {
  const [, base64] = /id="data"[^>]*>([^<]*)</.exec(html);
  return JSON.parse(gunzipSync(Buffer.from(base64, 'base64')).toString());
}

module.exports = { pageData };
