/**
 * BullMQ: add a job, a worker, the job's result.
 */

import assert from "node:assert/strict";
import { Queue, QueueEvents, Worker } from "bullmq";

const [host, port] = process.argv.slice(2);
const connection = { host, port: Number(port) };
const queue = new Queue("orders", { connection });
const events = new QueueEvents("orders", { connection });
const worker = new Worker("orders", async (job) => 2 * job.data.number, { connection });
for (const part of [queue, events, worker]) {
  part.on("error", (error) => {
    console.error(String(error));
    process.exit(1);
  });
}
await Promise.all([events.waitUntilReady(), worker.waitUntilReady()]);
const job = await queue.add("double", { number: 21 });
assert.equal(await job.waitUntilFinished(events, 10_000), 42);
await Promise.all([worker.close(), queue.close(), events.close()]);
process.exit(0);
