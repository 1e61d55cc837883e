// Valkey GLIDE for Node.js (`@valkey/valkey-glide` on npm).
//
// A client is one connection: who blocks needs a client of their own.

import {
  Batch, Decoder, GlideClient, InfBoundary, Logger, ProtocolVersion,
} from '@valkey/valkey-glide';
import { setTimeout as pause } from 'node:timers/promises';
import { LEASE, cut, fails, report, same, told, withPatience } from './reporting.mjs';

const { host, port } = told;
const protocol = told.protocol === 3 ? ProtocolVersion.RESP3 : ProtocolVersion.RESP2;

async function connect() {
  // [connect]
  const client = await GlideClient.createClient({ addresses: [{ host, port }], protocol });
  // [/connect]
  return client;
}

// [worker]
// Handle the queue's tasks one by one until the signal is aborted.
async function work(client, queue, handle, signal) {
  const one = { count: 1, block: 5000 };
  while (!signal.aborted) {
    const reply = await client.xreadgroup('workers', 'worker-1', { [queue]: '>' }, one);
    for (const { id, message } of tasksIn(reply)) {
      try {
        await handle(message.payload);
      } catch {
        await client.xdel(queue, [id]); // a nack: it is tried again, or dead at last
        continue;
      }
      await client.xack(queue, 'workers', [id]);
    }
  }
}

// The tasks of a reply: null, or [{ key: queue, value: { id: [[name, value], ...], ... } }, ...].
function tasksIn(reply) {
  return (reply ?? []).flatMap(({ value }) => Object.entries(value).map(taskIn));
}

function taskIn([id, fields]) {
  return { id, message: Object.fromEntries(fields) };
}
// [/worker]

// [heartbeat]
// Renew a task's lease every so many milliseconds, until `stop` is called.
// `lost` is aborted when the lease is lost: then somebody else may have the task.
function heartbeat(client, queue, worker, id, every = 10_000) {
  const losing = new AbortController();
  const timer = setInterval(async () => {
    const kept = await client.xclaimJustId(queue, 'workers', worker, 0, [id]).catch(() => [id]);
    if (kept.length === 0) losing.abort();
  }, every);
  return { lost: losing.signal, stop: () => clearInterval(timer) };
}
// [/heartbeat]

Logger.setLoggerConfig('error'); // it warns, on stdout, of each error that a scenario provokes

const client = await connect();
const blocker = await connect();
const [FIRST, LAST] = [InfBoundary.NegativeInfinity, InfBoundary.PositiveInfinity];

async function claim(queue, { worker = 'w1', count = 1, block, using = client } = {}) {
  const options = { count, ...(block && { block }) };
  return tasksIn(await using.xreadgroup('workers', worker, { [queue]: '>' }, options));
}

const push = (queue, fields, using = client) => using.xadd(queue, Object.entries(fields));

const idsOf = (tasks) => tasks.map((task) => task.id);

async function produceAndWork(queue) {
  const payload = Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0xfe]);
  const pushed = await push(queue, { payload, lang: 'en' });
  same(await client.xgroupCreate(queue, 'workers', '0', { mkStream: true }), 'OK');
  same(await client.xgroupCreate(queue, 'workers', '0', { mkStream: true }), 'OK');
  const bytes = { count: 1, decoder: Decoder.Bytes };
  const reply = await client.xreadgroup('workers', 'w1', { [queue]: '>' }, bytes);
  const [{ id, message }] = tasksIn(reply);
  same([id, message.payload], [pushed, payload]);
  same([String(message.lang), String(message.attempts)], ['en', '1']);
  same(await client.xack(queue, 'workers', [pushed]), 1);
  same(await workedThrough(queue, 'hello'), 'hello');
  same(await client.xlen(queue), 0);
}

// Push a task and let the worker of the documentation have it; return what it got.
async function workedThrough(queue, payload) {
  const stopping = new AbortController();
  let got;
  await push(queue, { payload });
  const handle = (found) => {
    got = found;
    stopping.abort();
  };
  await work(blocker, queue, handle, stopping.signal);
  return got;
}

async function orderAndBatch(queue) {
  const pushed = [];
  for (const payload of ['0', '1', '2', '3', '4']) {
    pushed.push(await push(queue, { payload }));
  }
  const tasks = await claim(queue, { count: 5 });
  same(idsOf(tasks), pushed);
  same(tasks.map((task) => task.message.payload), ['0', '1', '2', '3', '4']);
  same(await client.xack(queue, 'workers', pushed), 5);
  same(await client.xreadgroup('workers', 'w1', { [queue]: '>' }), null);
}

async function retry(queue) {
  await push(queue, { payload: 'x' });
  const [{ id }] = await claim(queue);
  same(await client.xdel(queue, [id]), 1);
  const [again] = await claim(queue);
  same([again.id, again.message.attempts], [id, '2']);
  same(await client.xack(queue, 'workers', [id]), 1);
}

async function deadLetter(queue) {
  const dead = `${queue}::dead`;
  await push(queue, { payload: 'x', max_attempts: '1' });
  const [{ id }] = await claim(queue);
  same(await client.xdel(queue, [id]), 1);
  same(await client.xlen(dead), 1);
  same(Object.keys(await client.xrange(dead, FIRST, LAST)), [id]);
  same(idsOf(await claim(dead)), [id]);
  same(await client.xack(dead, 'workers', [id]), 1);
  same(await client.xlen(dead), 0);
}

async function blocking(queue) {
  same(await claim(queue, { block: 300, using: blocker }), []);
  const waiting = claim(queue, { block: 10_000, using: blocker });
  const pushed = await push(queue, { payload: 'x' });
  same(idsOf(await waiting), [pushed]);
  same(await client.xack(queue, 'workers', [pushed]), 1);
}

async function keepTheLease(queue) {
  await push(queue, { payload: 'x', visibility_timeout: String(LEASE) });
  const [{ id }] = await claim(queue);
  same(await client.xclaimJustId(queue, 'workers', 'w1', 0, [id]), [id]);
  const beating = heartbeat(client, queue, 'w1', id, LEASE * 200);
  same(await claim(queue, { worker: 'w2', block: LEASE * 1500, using: blocker }), []);
  same(beating.lost.aborted, false);
  beating.stop();
  same(await client.xack(queue, 'workers', [id]), 1);
  same(await client.xclaimJustId(queue, 'workers', 'w1', 0, [id]), []);
}

async function pending(queue) {
  await push(queue, { payload: 'x' });
  const [{ id }] = await claim(queue);
  const summary = await client.xpending(queue, 'workers');
  same(summary, [1, id, id, [['w1', '1']]]);
  same(await claimsOf(queue), [[id, 'w1', 1]]);
  await pause(10); // it has to have been idle for the least time there is
  const [, taken] = await client.xautoclaim(queue, 'workers', 'w2', 1, '0-0');
  same(Object.keys(taken), [id]);
  same(await claimsOf(queue), [[id, 'w2', 2]]);
  same(await client.xack(queue, 'workers', [id]), 1);
}

async function claimsOf(queue) {
  const range = { start: FIRST, end: LAST, count: 10 };
  const rows = await client.xpendingWithOptions(queue, 'workers', range);
  return rows.map(([id, worker, , attempts]) => [id, worker, attempts]);
}

async function transaction(queue) {
  const [first, second] = [`${queue}:a`, `${queue}:b`];
  await push(queue, { payload: 'x' });
  const [{ id }] = await claim(queue);
  const batch = new Batch(true)
    .xadd(first, [['payload', '1']])
    .xadd(second, [['payload', '2']])
    .xack(queue, 'workers', [id]);
  const results = await client.exec(batch, true);
  same([results.length, results[2]], [3, 1]);
  same(await lengths(queue, first, second), [0, 1, 1]);
  const refused = new Batch(true)
    .xadd(first, [['payload', '3']])
    .xadd(second, [['x', 'y']], { id: '1-1' });
  await fails(client.exec(refused, true));
  same(await lengths(first, second), [1, 1]);
}

const lengths = (...queues) => Promise.all(queues.map((queue) => client.xlen(queue)));

async function inspect(queue) {
  const pushed = [];
  for (const payload of ['0', '1', '2']) {
    pushed.push(await push(queue, { payload }));
  }
  await client.xgroupCreate(queue, 'workers', '0', { mkStream: true });
  await claim(queue);
  const about = await client.xinfoStream(queue);
  same([about['last-generated-id'], about.groups], [pushed[2], 1]);
  same(about['first-entry'][0], pushed[0]);
  const [group] = await client.xinfoGroups(queue);
  same([group.name, group.pending], ['workers', 1]);
  const [worker] = await client.xinfoConsumers(queue, 'workers');
  same([worker.name, worker.pending], ['w1', 1]);
  same(Object.keys(await client.xrange(queue, FIRST, LAST)), pushed);
  same(Object.keys(await client.xrevrange(queue, LAST, FIRST, { count: 1 })), pushed.slice(2));
}

async function reconnect(queue) {
  const cutOff = await connect();
  await cut(await cutOff.clientId());
  const [pushed, tries] = await withPatience(() => push(queue, { payload: 'x' }, cutOff));
  const waiting = await cutOff.xlen(queue);
  same(waiting >= 1 && waiting <= tries, true);
  const tasks = idsOf(await claim(queue, { count: tries, using: cutOff }));
  same(tasks.includes(pushed), true);
  same(await cutOff.xack(queue, 'workers', tasks), waiting);
}

await report('@valkey/valkey-glide', {
  'produce-and-work': produceAndWork,
  'order-and-batch': orderAndBatch,
  retry,
  'dead-letter': deadLetter,
  blocking,
  heartbeat: keepTheLease,
  pending,
  transaction,
  inspect,
  reconnect,
});
