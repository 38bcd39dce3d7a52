// SPDX-License-Identifier: Apache-2.0
'use strict';

// Pods under test: what their specs say, and a look into them from outside.

const fs = require('node:fs');
const http = require('node:http');
const { ask, get, pathOf, watch } = require('./api.js');
const { workloadImages } = require('./cluster.js');
const { until } = require('./wait.js');

const readySeconds = 90;
const answerSeconds = 10;
const httpGetOf = (port) => ({ httpGet: { port, path: '/' } });
// Where Node.js opens its inspector when SIGUSR1 asks for it, and the state of a listening socket
// in /proc/net/tcp.
const inspectorPort = 9229;
const listening = '0A';

// What Pod Security "restricted" asks of a container.
const restricted = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

// A container with the service of tests/cluster/workloads: `node` is a line, `flags` are of
// node itself, `env` is the service's, `user` is a runAsUser, or 'root'; `limits` are of its
// resources, and `livenessProbe` is what the kubelet asks beside.
function container(options = {}) {
  const { name = 'app', node = '22', image = `node${node}`, flags, env = {}, user } = options;
  const { limits, livenessProbe } = options;
  const port = Number(env.PORT ?? 8080);
  const securityContext = { ...restricted };
  if (user === 'root') {
    Object.assign(securityContext, { runAsNonRoot: false, runAsUser: 0 });
  } else if (user !== undefined) {
    securityContext.runAsUser = user;
  }
  return {
    name,
    image: workloadImages()[image],
    imagePullPolicy: 'Never',
    ...(flags ? { command: ['/usr/bin/node', ...flags, '/app/service.js'] } : {}),
    env: Object.entries(env).map(([key, value]) => ({ name: key, value: String(value) })),
    ports: [{ containerPort: port }],
    readinessProbe: { ...httpGetOf(port), periodSeconds: 1, timeoutSeconds: 5 },
    ...(livenessProbe
      ? {
          startupProbe: { ...httpGetOf(port), periodSeconds: 1, failureThreshold: 60 },
          livenessProbe: { ...httpGetOf(port), ...livenessProbe },
        }
      : {}),
    ...(limits ? { resources: { limits } } : {}),
    securityContext: options.securityContext ?? securityContext,
  };
}

// A pod's spec of such containers; `more` is put over it.
function podSpec(containers, more = {}) {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 2,
    containers,
    ...more,
  };
}

function isReady(pod) {
  return pod?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
}

const podReady = (namespace, name) =>
  watch('Pod', namespace, name, (pod) => isReady(pod) && pod, readySeconds, 'is ready');

// The number of a container's first process, as the machine counts it, by its control group:
// undefined when it has ended.
function processOf(pod, name = pod.spec.containers[0].name) {
  const statuses = [
    ...(pod.status.containerStatuses ?? []),
    ...(pod.status.ephemeralContainerStatuses ?? []),
  ];
  const id = statuses.find((status) => status.name === name)?.containerID?.split('//')[1];
  if (!id) {
    throw new Error(`pod ${pod.metadata.name} has no container ${name} that was started`);
  }
  const ids = fs.readdirSync('/proc').filter((entry) => /^[0-9]+$/.test(entry));
  const inside = ids.filter((entry) => readProc(entry, 'cgroup').includes(id));
  return inside.length ? Math.min(...inside.map(Number)) : undefined;
}

// That of a sidecar, which may be at work before the kubelet tells of it.
function sidecarProcess(pod, name) {
  const told = async () => {
    const now = await again(pod);
    const started = now.status.ephemeralContainerStatuses?.some(
      (status) => status.name === name && status.containerID,
    );
    return started && processOf(now, name);
  };
  return until(told, answerSeconds, `${name} runs in ${pod.metadata.name}`);
}

// A process may end at any moment: then its files are empty.
function readProc(entry, name) {
  try {
    return fs.readFileSync(`/proc/${entry}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

// Whether a process listens on `port` in the pod. A pod that is gone has no ports.
function listens(pod, port = inspectorPort) {
  const id = processOf(pod);
  if (id === undefined) {
    return false;
  }
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['net/tcp', 'net/tcp6'].some((name) =>
    readProc(id, name)
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .some(([, local, , state]) => local?.endsWith(end) && state === listening),
  );
}

const inspectorOpens = (pod) =>
  until(() => listens(pod), answerSeconds * 2, `the inspector of ${pod.metadata.name} is open`);

const inspectorCloses = (pod, seconds) =>
  until(() => !listens(pod), seconds, `the inspector of ${pod.metadata.name} is closed`);

// What a container has printed.
async function logOf(pod, name = pod.spec.containers[0].name) {
  const path = pathOf('Pod', pod.metadata.namespace, pod.metadata.name);
  const { status, text } = await ask('GET', `${path}/log?container=${name}`);
  if (status !== 200) {
    throw new Error(`the log of ${pod.metadata.name}: ${status} ${text}`);
  }
  return text;
}

// Node.js says so whenever its inspector opens.
async function inspectorEverOpened(pod, name) {
  return (await logOf(pod, name)).includes('Debugger listening on');
}

// What the service answers: {pid, version}.
function answer(pod, port = 8080, path = '/') {
  return new Promise((resolve, reject) => {
    const options = { host: pod.status.podIP, port, path, agent: false };
    const request = http.get(options, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve(JSON.parse(text)));
    });
    request.setTimeout(answerSeconds * 1000, () => request.destroy(new Error('no answer')));
    request.on('error', reject);
  });
}

// The pod as it is now.
const again = (pod) => get('Pod', pod.metadata.namespace, pod.metadata.name);

module.exports = {
  again,
  answer,
  container,
  inspectorCloses,
  inspectorEverOpened,
  inspectorOpens,
  inspectorPort,
  listens,
  logOf,
  podReady,
  podSpec,
  processOf,
  restricted,
  sidecarProcess,
};
