/**
 * redis-streams-broker: publish, subscribe as a consumer group, mark as read (and drop), summary.
 */

import assert from "node:assert/strict";
import Redis from "ioredis";
import { StreamChannelBroker } from "redis-streams-broker";

const [host, port] = process.argv.slice(2);
const redis = new Redis({ host, port: Number(port) });
const broker = new StreamChannelBroker(redis, "orders");

const group = await broker.joinConsumerGroup("workers", "0");
const ids = [await broker.publish({ order: "1" }), await broker.publish({ order: "2" })];

const received = [];
await new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error("the tasks did not come")), 10_000).unref();
  const work = async (payloads) => {
    for (const { id, payload, markAsRead } of payloads) {
      received.push([id, payload.order]);
      const summary = await group.pendingSummary();
      assert.equal(summary.consumerStats["worker-1"], String(3 - received.length));
      // The first one is acked only, the second one acked and dropped in one transaction.
      assert.equal(await markAsRead(received.length === 2), true, `markAsRead of ${id}`);
    }
    if (received.length === 2) resolve();
  };
  const working = (payloads) => work(payloads).catch(reject);
  group.subscribe("worker-1", working, 100);
});
assert.deepEqual(received, [[ids[0], "1"], [ids[1], "2"]]);
assert.deepEqual(await group.pendingSummary(), {
  total: 0,
  firstId: null,
  lastId: null,
  consumerStats: {},
});
await broker.destroy();
// A poll that still waits would complain of a connection that is closed under it.
process.exit(0);
