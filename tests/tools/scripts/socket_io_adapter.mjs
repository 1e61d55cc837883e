/**
 * Socket.IO's Redis Streams adapter: two servers; what one of them emits, the other one hears.
 */

import assert from "node:assert/strict";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [host, port] = process.argv.slice(2);

async function server() {
  const redis = createClient({ url: `redis://${host}:${port}` });
  redis.on("error", (error) => {
    console.error(String(error));
    process.exit(1);
  });
  await redis.connect();
  return new Server({ adapter: createAdapter(redis) });
}

const [one, other] = [await server(), await server()];
const heard = new Promise((resolve, reject) => {
  other.on("order", resolve);
  setTimeout(() => reject(new Error("the other server heard nothing")), 5_000);
});
setInterval(() => one.serverSideEmit("order", 42), 100);
assert.equal(await heard, 42);
process.exit(0);
