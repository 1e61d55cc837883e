// ioredis 4, 5 and 6, and its fork iovalkey, which is installed under ioredis' name.
//
// A client is one connection: who blocks needs a client of their own (`duplicate`).

import Redis from 'ioredis';
import { setTimeout as pause } from 'node:timers/promises';
import { LEASE, cut, fails, report, same, told, withPatience } from './reporting.mjs';

const { host, port, protocol } = told;

function connect() {
  // [connect]
  const client = new Redis({ host, port, protocol });
  client.on('error', (error) => console.error(`connection lost: ${error.message}`));
  // [/connect]
  return client;
}

// [worker]
// Handle the queue's tasks one by one until the signal is aborted.
async function work(client, queue, handle, signal) {
  const call = ['GROUP', 'workers', 'worker-1', 'COUNT', 1, 'BLOCK', 5000, 'STREAMS', queue, '>'];
  while (!signal.aborted) {
    for (const { id, message } of tasksIn(await client.xreadgroup(...call))) {
      try {
        await handle(message.payload);
      } catch {
        await client.xdel(queue, id); // a nack: it is tried again, or dead at last
        continue;
      }
      await client.xack(queue, 'workers', id);
    }
  }
}

// The tasks of a reply: null, or [[queue, [[id, [name, value, ...]], ...]], ...].
function tasksIn(reply) {
  return (reply ?? []).flatMap(([, entries]) => entries.map(taskIn));
}

function taskIn([id, fields]) {
  const message = {};
  for (let at = 0; at < fields.length; at += 2) message[fields[at]] = fields[at + 1];
  return { id, message };
}
// [/worker]

// [heartbeat]
// Renew a task's lease every so many milliseconds, until `stop` is called.
// `lost` is aborted when the lease is lost: then somebody else may have the task.
function heartbeat(client, queue, worker, id, every = 10_000) {
  const losing = new AbortController();
  const timer = setInterval(async () => {
    const kept = await client.xclaim(queue, 'workers', worker, 0, id, 'JUSTID').catch(() => [id]);
    if (kept.length === 0) losing.abort();
  }, every);
  return { lost: losing.signal, stop: () => clearInterval(timer) };
}
// [/heartbeat]

const client = connect();
const blocker = connect();

const source = (queue, worker = 'w1', count = 1) => [
  ...['GROUP', 'workers', worker, 'COUNT', count, 'STREAMS', queue, '>'],
];

async function claim(queue, { worker, count, using = client } = {}) {
  return tasksIn(await using.xreadgroup(...source(queue, worker, count)));
}

async function claimBlocked(queue, milliseconds, worker = 'w1') {
  const options = ['BLOCK', milliseconds, 'STREAMS', queue, '>'];
  return tasksIn(await blocker.xreadgroup('GROUP', 'workers', worker, ...options));
}

const idsOf = (tasks) => tasks.map((task) => task.id);

// The fields of a reply that older versions leave as it is: [name, value, ...].
const named = (fields) => taskIn([null, fields]).message;

async function produceAndWork(queue) {
  const payload = Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0xfe]);
  const pushed = await client.xadd(queue, '*', 'payload', payload, 'lang', 'en');
  same(await client.xgroup('CREATE', queue, 'workers', '0', 'MKSTREAM'), 'OK');
  same(await client.xgroup('CREATE', queue, 'workers', '0', 'MKSTREAM'), 'OK');
  const [{ id, message }] = tasksIn(await client.xreadgroupBuffer(...source(queue)));
  same([String(id), message.payload], [pushed, payload]);
  same([String(message.lang), String(message.attempts)], ['en', '1']);
  same(await client.xack(queue, 'workers', pushed), 1);
  same(await workedThrough(queue, 'hello'), 'hello');
  same(await client.xlen(queue), 0);
}

// Push a task and let the worker of the documentation have it; return what it got.
async function workedThrough(queue, payload) {
  const stopping = new AbortController();
  let got;
  await client.xadd(queue, '*', 'payload', payload);
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
    pushed.push(await client.xadd(queue, '*', 'payload', payload));
  }
  const tasks = await claim(queue, { count: 5 });
  same(idsOf(tasks), pushed);
  same(tasks.map((task) => task.message.payload), ['0', '1', '2', '3', '4']);
  same(await client.xack(queue, 'workers', ...pushed), 5);
  same(await client.xreadgroup(...source(queue)), null);
}

async function retry(queue) {
  await client.xadd(queue, '*', 'payload', 'x');
  const [{ id }] = await claim(queue);
  same(await client.xdel(queue, id), 1);
  const [again] = await claim(queue);
  same([again.id, again.message.attempts], [id, '2']);
  same(await client.xack(queue, 'workers', id), 1);
}

async function deadLetter(queue) {
  const dead = `${queue}::dead`;
  await client.xadd(queue, '*', 'payload', 'x', 'max_attempts', 1);
  const [{ id }] = await claim(queue);
  same(await client.xdel(queue, id), 1);
  same(await client.xlen(dead), 1);
  same((await client.xrange(dead, '-', '+')).map(([found]) => found), [id]);
  same(idsOf(await claim(dead)), [id]);
  same(await client.xack(dead, 'workers', id), 1);
  same(await client.xlen(dead), 0);
}

async function blocking(queue) {
  same(await claimBlocked(queue, 300), []);
  const waiting = claimBlocked(queue, 10_000);
  const pushed = await client.xadd(queue, '*', 'payload', 'x');
  same(idsOf(await waiting), [pushed]);
  same(await client.xack(queue, 'workers', pushed), 1);
}

async function keepTheLease(queue) {
  await client.xadd(queue, '*', 'payload', 'x', 'visibility_timeout', LEASE);
  const [{ id }] = await claim(queue);
  same(await client.xclaim(queue, 'workers', 'w1', 0, id, 'JUSTID'), [id]);
  const beating = heartbeat(client, queue, 'w1', id, LEASE * 200);
  same(await claimBlocked(queue, LEASE * 1500, 'w2'), []);
  same(beating.lost.aborted, false);
  beating.stop();
  same(await client.xack(queue, 'workers', id), 1);
  same(await client.xclaim(queue, 'workers', 'w1', 0, id, 'JUSTID'), []);
}

async function pending(queue) {
  await client.xadd(queue, '*', 'payload', 'x');
  const [{ id }] = await claim(queue);
  const summary = await client.xpending(queue, 'workers');
  same(summary, [1, id, id, [['w1', '1']]]);
  same(await claimsOf(queue), [[id, 'w1', 1]]);
  await pause(10); // it has to have been idle for the least time there is
  const [, taken] = await client.call('XAUTOCLAIM', queue, 'workers', 'w2', 1, '0-0');
  same(taken.map(([found]) => found), [id]);
  same(await claimsOf(queue), [[id, 'w2', 2]]);
  same(await client.xack(queue, 'workers', id), 1);
}

async function claimsOf(queue) {
  const rows = await client.xpending(queue, 'workers', '-', '+', 10);
  return rows.map(([id, worker, , attempts]) => [id, worker, attempts]);
}

async function transaction(queue) {
  const [first, second] = [`${queue}:a`, `${queue}:b`];
  await client.xadd(queue, '*', 'payload', 'x');
  const [{ id }] = await claim(queue);
  const results = await client
    .multi()
    .xadd(first, '*', 'payload', '1')
    .xadd(second, '*', 'payload', '2')
    .xack(queue, 'workers', id)
    .exec();
  same([results.length, results[2]], [3, [null, 1]]);
  same(await lengths(queue, first, second), [0, 1, 1]);
  const refused = client
    .multi()
    .xadd(first, '*', 'payload', '3')
    .xadd(second, '1-1', 'x', 'y');
  await fails(refused.exec());
  same(await lengths(first, second), [1, 1]);
}

const lengths = (...queues) => Promise.all(queues.map((queue) => client.xlen(queue)));

async function inspect(queue) {
  const pushed = [];
  for (const payload of ['0', '1', '2']) {
    pushed.push(await client.xadd(queue, '*', 'payload', payload));
  }
  await client.xgroup('CREATE', queue, 'workers', '0', 'MKSTREAM');
  await claim(queue);
  const about = named(await client.xinfo('STREAM', queue));
  same([about['last-generated-id'], about.groups], [pushed[2], 1]);
  same(about['first-entry'][0], pushed[0]);
  const [group] = (await client.xinfo('GROUPS', queue)).map(named);
  same([group.name, group.pending], ['workers', 1]);
  const [worker] = (await client.xinfo('CONSUMERS', queue, 'workers')).map(named);
  same([worker.name, worker.pending], ['w1', 1]);
  same((await client.xrange(queue, '-', '+')).map(([id]) => id), pushed);
  same((await client.xrevrange(queue, '+', '-', 'COUNT', 1)).map(([id]) => id), pushed.slice(2));
}

async function reconnect(queue) {
  const cutOff = connect();
  await cut(await cutOff.call('CLIENT', 'ID'));
  const [pushed, tries] = await withPatience(() => cutOff.xadd(queue, '*', 'payload', 'x'));
  const waiting = await cutOff.xlen(queue);
  same(waiting >= 1 && waiting <= tries, true);
  const tasks = idsOf(await claim(queue, { count: tries, using: cutOff }));
  same(tasks.includes(pushed), true);
  same(await cutOff.xack(queue, 'workers', ...tasks), waiting);
}

await report('ioredis', {
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
