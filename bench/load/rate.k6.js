// SPDX-License-Identifier: Apache-2.0
// What k6 runs: requests at a rate, as many at once as that takes.

import http from 'k6/http';

const { CONNECTIONS, CONNECTIONS_MAX, RATE, SECONDS, TIMEOUT_SECONDS, URL } = __ENV;

export const options = {
  discardResponseBodies: true,
  scenarios: {
    rate: {
      executor: 'constant-arrival-rate',
      rate: Number(RATE),
      duration: `${SECONDS}s`,
      preAllocatedVUs: Number(CONNECTIONS),
      maxVUs: Number(CONNECTIONS_MAX),
    },
  },
  summaryTrendStats: ['p(50)', 'p(90)', 'p(99)', 'max'],
};

export default function ask() {
  http.get(URL, { timeout: `${TIMEOUT_SECONDS}s` });
}
