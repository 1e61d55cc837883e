// node-redis 4, 5 and 6 (`redis` on npm).
//
// A client is one connection: who blocks needs a client of their own (`duplicate`).

import * as redis from 'redis';
import { setTimeout as pause } from 'node:timers/promises';
import { LEASE, cut, fails, report, same, told, withPatience } from './reporting.mjs';

const { host, port, protocol } = told;
const { createClient } = redis;

async function connect() {
  // [connect]
  const client = createClient({ socket: { host, port }, RESP: protocol });
  client.on('error', (error) => console.error(`connection lost: ${error.message}`));
  await client.connect();
  // [/connect]
  return client;
}

// [worker]
// Handle the queue's tasks one by one until the signal is aborted.
async function work(client, queue, handle, signal) {
  const source = { key: queue, id: '>' };
  while (!signal.aborted) {
    const reply = await client.xReadGroup('workers', 'worker-1', source, { COUNT: 1, BLOCK: 5000 });
    for (const { id, message } of tasksIn(reply)) {
      try {
        await handle(message.payload);
      } catch {
        await client.xDel(queue, id); // a nack: it is tried again, or dead at last
        continue;
      }
      await client.xAck(queue, 'workers', id);
    }
  }
}

// The tasks of a reply: all of its queues'. Version 5 leaves what RESP3 gives as it is:
// { queue: [[id, [name, value, ...]], ...] }.
function tasksIn(reply) {
  if (Array.isArray(reply)) return reply.flatMap(({ messages }) => messages);
  return Object.values(reply ?? {}).flat().map(([id, fields]) => ({ id, message: paired(fields) }));
}

function paired(fields) {
  const message = {};
  for (let at = 0; at < fields.length; at += 2) message[fields[at]] = fields[at + 1];
  return message;
}
// [/worker]

// [heartbeat]
// Renew a task's lease every so many milliseconds, until `stop` is called.
// `lost` is aborted when the lease is lost: then somebody else may have the task.
function heartbeat(client, queue, worker, id, every = 10_000) {
  const losing = new AbortController();
  const timer = setInterval(async () => {
    const kept = await client.xClaimJustId(queue, 'workers', worker, 0, id).catch(() => [id]);
    if (kept.length === 0) losing.abort();
  }, every);
  return { lost: losing.signal, stop: () => clearInterval(timer) };
}
// [/heartbeat]

const client = await connect();
const blocker = await connect();

async function claim(queue, { worker = 'w1', count = 1, block, using = client } = {}) {
  const options = { COUNT: count, ...(block && { BLOCK: block }) };
  const reply = await using.xReadGroup('workers', worker, { key: queue, id: '>' }, options);
  return tasksIn(reply);
}

const idsOf = (tasks) => tasks.map((task) => task.id);

// The same client, giving bytes instead of text; version 4 had another way of asking for them.
function claimBytes(queue) {
  const source = { key: queue, id: '>' };
  if (redis.commandOptions) {
    const options = redis.commandOptions({ returnBuffers: true });
    return client.xReadGroup(options, 'workers', 'w1', source, { COUNT: 1 });
  }
  const bytes = client.withTypeMapping({ [redis.RESP_TYPES.BLOB_STRING]: Buffer });
  return bytes.xReadGroup('workers', 'w1', source, { COUNT: 1 });
}

async function produceAndWork(queue) {
  const payload = Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0xfe]);
  const pushed = await client.xAdd(queue, '*', { payload, lang: 'en' });
  same(await client.xGroupCreate(queue, 'workers', '0', { MKSTREAM: true }), 'OK');
  same(await client.xGroupCreate(queue, 'workers', '0', { MKSTREAM: true }), 'OK');
  const [{ id, message }] = tasksIn(await claimBytes(queue));
  same([String(id), message.payload], [pushed, payload]);
  same([String(message.lang), String(message.attempts)], ['en', '1']);
  same(await client.xAck(queue, 'workers', pushed), 1);
  same(await workedThrough(queue, 'hello'), 'hello');
  same(await client.xLen(queue), 0);
}

// Push a task and let the worker of the documentation have it; return what it got.
async function workedThrough(queue, payload) {
  const stopping = new AbortController();
  let got;
  await client.xAdd(queue, '*', { payload });
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
    pushed.push(await client.xAdd(queue, '*', { payload }));
  }
  const tasks = await claim(queue, { count: 5 });
  same(idsOf(tasks), pushed);
  same(tasks.map((task) => task.message.payload), ['0', '1', '2', '3', '4']);
  same(await client.xAck(queue, 'workers', pushed), 5);
  same(await client.xReadGroup('workers', 'w1', { key: queue, id: '>' }), null);
}

async function retry(queue) {
  await client.xAdd(queue, '*', { payload: 'x' });
  const [{ id }] = await claim(queue);
  same(await client.xDel(queue, id), 1);
  const [again] = await claim(queue);
  same([again.id, again.message.attempts], [id, '2']);
  same(await client.xAck(queue, 'workers', id), 1);
}

async function deadLetter(queue) {
  const dead = `${queue}::dead`;
  await client.xAdd(queue, '*', { payload: 'x', max_attempts: '1' });
  const [{ id }] = await claim(queue);
  same(await client.xDel(queue, id), 1);
  same(await client.xLen(dead), 1);
  same(idsOf(await client.xRange(dead, '-', '+')), [id]);
  same(idsOf(await claim(dead)), [id]);
  same(await client.xAck(dead, 'workers', id), 1);
  same(await client.xLen(dead), 0);
}

async function blocking(queue) {
  same(await claim(queue, { block: 300, using: blocker }), []);
  const waiting = claim(queue, { block: 10_000, using: blocker });
  const pushed = await client.xAdd(queue, '*', { payload: 'x' });
  same(idsOf(await waiting), [pushed]);
  same(await client.xAck(queue, 'workers', pushed), 1);
}

async function keepTheLease(queue) {
  await client.xAdd(queue, '*', { payload: 'x', visibility_timeout: String(LEASE) });
  const [{ id }] = await claim(queue);
  same(await client.xClaimJustId(queue, 'workers', 'w1', 0, id), [id]);
  const beating = heartbeat(client, queue, 'w1', id, LEASE * 200);
  same(await claim(queue, { worker: 'w2', block: LEASE * 1500, using: blocker }), []);
  same(beating.lost.aborted, false);
  beating.stop();
  same(await client.xAck(queue, 'workers', id), 1);
  same(await client.xClaimJustId(queue, 'workers', 'w1', 0, id), []);
}

async function pending(queue) {
  await client.xAdd(queue, '*', { payload: 'x' });
  const [{ id }] = await claim(queue);
  const summary = await client.xPending(queue, 'workers');
  same([summary.pending, summary.firstId, summary.lastId], [1, id, id]);
  same({ ...summary.consumers[0] }, { name: 'w1', deliveriesCounter: 1 });
  same(await claimsOf(queue), [[id, 'w1', 1]]);
  await pause(10); // it has to have been idle for the least time there is
  const taken = await client.xAutoClaim(queue, 'workers', 'w2', 1, '0-0');
  same(idsOf(taken.messages), [id]);
  same(await claimsOf(queue), [[id, 'w2', 2]]);
  same(await client.xAck(queue, 'workers', id), 1);
}

async function claimsOf(queue) {
  const rows = await client.xPendingRange(queue, 'workers', '-', '+', 10);
  return rows.map((row) => [row.id, row.consumer ?? row.owner, row.deliveriesCounter]);
}

async function transaction(queue) {
  const [first, second] = [`${queue}:a`, `${queue}:b`];
  await client.xAdd(queue, '*', { payload: 'x' });
  const [{ id }] = await claim(queue);
  const results = await client
    .multi()
    .xAdd(first, '*', { payload: '1' })
    .xAdd(second, '*', { payload: '2' })
    .xAck(queue, 'workers', id)
    .exec();
  same([results.length, results[2]], [3, 1]);
  same(await lengths(queue, first, second), [0, 1, 1]);
  const refused = client
    .multi()
    .xAdd(first, '*', { payload: '3' })
    .xAdd(second, '1-1', { x: 'y' });
  await fails(refused.exec());
  same(await lengths(first, second), [1, 1]);
}

const lengths = (...queues) => Promise.all(queues.map((queue) => client.xLen(queue)));

async function inspect(queue) {
  const pushed = [];
  for (const payload of ['0', '1', '2']) {
    pushed.push(await client.xAdd(queue, '*', { payload }));
  }
  await client.xGroupCreate(queue, 'workers', '0', { MKSTREAM: true });
  await claim(queue);
  const about = await client.xInfoStream(queue);
  same(about['last-generated-id'] ?? about.lastGeneratedId, pushed[2]);
  same((about['first-entry'] ?? about.firstEntry).id, pushed[0]);
  same(about.groups, 1);
  const [group] = await client.xInfoGroups(queue);
  same([group.name, group.pending], ['workers', 1]);
  const [worker] = await client.xInfoConsumers(queue, 'workers');
  same([worker.name, worker.pending], ['w1', 1]);
  same(idsOf(await client.xRange(queue, '-', '+')), pushed);
  same(idsOf(await client.xRevRange(queue, '+', '-', { COUNT: 1 })), pushed.slice(2));
}

async function reconnect(queue) {
  const cutOff = await connect();
  await cut(await cutOff.sendCommand(['CLIENT', 'ID']));
  const [pushed, tries] = await withPatience(() => cutOff.xAdd(queue, '*', { payload: 'x' }));
  const waiting = await cutOff.xLen(queue);
  same(waiting >= 1 && waiting <= tries, true);
  const tasks = idsOf(await claim(queue, { count: tries, using: cutOff }));
  same(tasks.includes(pushed), true);
  same(await cutOff.xAck(queue, 'workers', tasks), waiting);
}

await report('redis', {
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
