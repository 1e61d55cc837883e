// How the Node.js programs report: a line for each scenario, and what a scenario expects.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { inspect, isDeepStrictEqual } from 'node:util';

// The visibility timeout, in seconds, of a task whose worker is to need a heartbeat.
export const LEASE = 1;

// How often a program tries to push again after its connection was cut.
const ATTEMPTS_AT_RECONNECTING = 5;

const [, , host, port, prefix, protocol] = process.argv;

export const told = { host, port: Number(port), protocol: Number(protocol) };

// Run the scenarios, each with a queue's name of its own; then end, whatever is still connected.
export async function report(library, scenarios) {
  console.log(`version ${versionOf(library)}`);
  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      await scenario(`${prefix}:${name}`);
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`FAIL ${name}: ${String(error).replace(/\s+/g, ' ')}`);
    }
  }
  process.exit(0);
}

function versionOf(library) {
  const about = new URL(`../node_modules/${library}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(about, 'utf8')).version;
}

export function same(got, wanted) {
  if (!isDeepStrictEqual(got, wanted)) {
    throw new Error(`got ${inspect(got)}, and not ${inspect(wanted)}`);
  }
}

export async function fails(promise) {
  let result;
  try {
    result = await promise;
  } catch {
    return;
  }
  throw new Error(`got ${inspect(result)}, and not an error`);
}

// Have the connection of this id cut from outside; return when that is done.
export async function cut(clientId) {
  const lines = createInterface({ input: process.stdin });
  console.log(`cut ${clientId}`);
  await once(lines, 'line');
  lines.close();
}

// Push until it works; return the id, and how many attempts that took.
export async function withPatience(push) {
  for (let attempt = 1; attempt <= ATTEMPTS_AT_RECONNECTING; attempt += 1) {
    try {
      return [await push(), attempt];
    } catch {
      // The command was under way when the connection was lost: nobody knows whether it counted.
    }
  }
  throw new Error('never connected again');
}
