// SPDX-License-Identifier: Apache-2.0
// A heap snapshot analysed by a package of npm, as its authors mean it to be used: classes,
// dominators and retained sizes. Prints them as JSON.
//
//   node rival.mjs devtools|memlab|vscode FILE [OWN-BUNDLE]
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MessageChannel, Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));
const CLASSES = 50;

// DevTools' own analysis, made one file with esbuild. Its texts for people are left out.
async function bundleDevTools(outfile) {
  const esbuild = require('esbuild');
  const front = path.join(here, 'node_modules/chrome-devtools-frontend/front_end');
  await esbuild.build({
    stdin: {
      contents: `export { HeapSnapshotLoader } from './HeapSnapshotLoader.js';
        export { SecondaryInitManager } from './HeapSnapshot.js';`,
      resolveDir: path.join(front, 'entrypoints/heap_snapshot_worker'),
      loader: 'ts',
    },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    plugins: [
      {
        name: 'without-texts',
        setup(build) {
          build.onLoad({ filter: /core\/i18n\/i18n\.ts$/ }, () => ({
            contents: `export const i18n = new Proxy({}, { get: (_, name) => (...values) =>
              /lazy|lazily/i.test(name) ? () => values.at(-1) : values.at(-1) });`,
            loader: 'js',
          }));
        },
      },
    ],
  });
}

async function devtools(file, bundle) {
  if (!fs.existsSync(bundle)) {
    await bundleDevTools(bundle);
  }
  const { HeapSnapshotLoader } = await import(pathToFileURL(bundle));
  const { port1, port2 } = new MessageChannel();
  const second = new Worker(fileURLToPath(import.meta.url), { workerData: { bundle } });
  second.postMessage(port2, [port2]);
  const loader = new HeapSnapshotLoader({ sendEvent() {} });
  const stream = fs.createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 });
  for await (const piece of stream) {
    loader.write(piece);
    await null;
  }
  loader.close();
  const snapshot = await loader.buildSnapshot(port1);
  const aggregates = Object.values(snapshot.aggregatesWithFilter({}));
  port1.close();
  await second.terminate();
  return { snapshot, aggregates };
}

async function devtoolsSummary(file, bundle) {
  const { snapshot, aggregates } = await devtools(file, bundle);
  return {
    nodes: snapshot.nodeCount,
    retained: snapshot.rootNode().retainedSize(),
    classes: aggregates.map((one) => ({
      name: one.name,
      count: one.count,
      shallow: one.self,
      retained: one.maxRet,
    })),
  };
}

async function memlab(file) {
  const { analysis, config, utils } = require('@memlab/core');
  config.muteConsole = true;
  const heap = await utils.getSnapshotFromFile(file, { buildNodeIdIndex: true });
  analysis.preparePathFinder(heap);
  const classes = new Map();
  heap.nodes.forEach((node) => {
    const name = node.type === 'object' || node.type === 'native' ? node.name : `(${node.type})`;
    const one = classes.get(name) ?? { name, count: 0, shallow: 0, retained: 0 };
    one.count += 1;
    one.shallow += node.self_size;
    one.retained += node.retainedSize;
    classes.set(name, one);
  });
  const root = heap.nodes.get(0);
  return { nodes: heap.nodes.length, retained: root.retainedSize, classes: [...classes.values()] };
}

async function vscode(file) {
  const parser = require('@vscode/v8-heap-parser');
  const graph = parser.decode_bytes(fs.readFileSync(file));
  const groups = graph.get_class_groups(0, 1000000, false);
  const classes = groups.map((one) => ({
    name: one.name(),
    count: one.children_len,
    shallow: Number(one.self_size),
    retained: Number(one.retained_size),
  }));
  return { nodes: classes.reduce((sum, one) => sum + one.count, 0), classes };
}

const rivals = { devtools: devtoolsSummary, memlab, vscode };

if (isMainThread) {
  const [name, file, bundle] = process.argv.slice(2);
  const result = await rivals[name](file, path.resolve(bundle ?? 'devtools.mjs'));
  result.classes.sort((a, b) => b.retained - a.retained);
  result.classes = result.classes.slice(0, CLASSES);
  console.log(JSON.stringify(result));
} else {
  const { SecondaryInitManager } = await import(pathToFileURL(workerData.bundle));
  parentPort.once('message', (port) => new SecondaryInitManager(port));
}
