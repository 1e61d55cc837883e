/**
 * RedisSMQ: save a queue, produce one message, consume it.
 */

import assert from "node:assert/strict";
import { promisify } from "node:util";
import {
  Configuration,
  Consumer,
  EQueueDeliveryModel,
  EQueueType,
  Producer,
  ProducibleMessage,
  Queue,
} from "redis-smq";
import { ERedisConfigClient } from "redis-smq-common";

const [host, port] = process.argv.slice(2);
const options = { host, port: Number(port) };
Configuration.getSetConfig({ redis: { client: ERedisConfigClient.IOREDIS, options } });

const { FIFO_QUEUE } = EQueueType;
const { POINT_TO_POINT } = EQueueDeliveryModel;
const queue = new Queue();
await promisify(queue.save.bind(queue))("orders", FIFO_QUEUE, POINT_TO_POINT);

const consumer = new Consumer();
const consumed = new Promise((resolve, reject) => {
  const handle = (message, done) => {
    resolve(message.body);
    done();
  };
  consumer.consume("orders", handle, (error) => error && reject(error));
});
await promisify(consumer.run.bind(consumer))();

const producer = new Producer();
await promisify(producer.run.bind(producer))();
const message = new ProducibleMessage().setQueue("orders").setBody(42);
await promisify(producer.produce.bind(producer))(message);
assert.equal(await consumed, 42);
process.exit(0);
