-- redis-lua. It speaks RESP2, has no streams of its own, and does not connect again by itself.
-- Arguments: host port queue-prefix protocol

local host, port, prefix = arg[1], tonumber(arg[2]), arg[3]

package.path = arg[0]:match(".*/") .. "?.lua;" .. package.path
local report = require("report")
local scenario, expect, have_cut = report.scenario, report.expect, report.have_cut
local sleep = require("socket").sleep

-- [connect]
local redis = require("redis")

-- A list of names and values as a table.
local function named(flat)
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

-- The entries of one queue: a list of {id = ..., fields...}.
local function tasks_of(entries)
  local tasks = {}
  for _, entry in ipairs(entries or {}) do
    local task = named(entry[2])
    task.id = entry[1]
    table.insert(tasks, task)
  end
  return tasks
end

-- redis-lua is older than streams. A command is added once, with a function for its reply.
local plain = { "xack", "xadd", "xautoclaim", "xclaim", "xdel", "xgroup", "xlen", "xpending", "xinfo" }
for _, name in ipairs(plain) do redis.commands[name] = redis.command(name) end
redis.commands.xrange = redis.command("xrange", tasks_of)
redis.commands.xrevrange = redis.command("xrevrange", tasks_of)
redis.commands.xreadgroup = redis.command("xreadgroup", function(reply)
  return tasks_of(reply and reply[1][2]) -- of the one queue that was read
end)

local function connect()
  return redis.connect({ host = host, port = port, tcp_nodelay = true })
end
-- [/connect]

-- [worker]
-- Work on one queue until `stop` says so. `handle` gets a task; if it fails, the task is tried again,
-- and is dead after its last attempt.
local function work(ezra, queue, handle, stop)
  while not stop() do
    local tasks = ezra:xreadgroup(
      "GROUP", "workers", "worker-1", "COUNT", 1, "BLOCK", 1000, "STREAMS", queue, ">")
    for _, task in ipairs(tasks) do
      if pcall(handle, task) then
        ezra:xack(queue, "workers", task.id)
      else
        ezra:xdel(queue, task.id) -- In EZRA a nack: it deletes nothing.
      end
    end
  end
end
-- [/worker]

local GROUP, WORKER = "workers", "worker-1"

-- Claim what there is, without waiting.
local function claim(ezra, queue, worker, count)
  return ezra:xreadgroup(
    "GROUP", GROUP, worker or WORKER, "COUNT", count or 1, "STREAMS", queue, ">")
end

-- Claim the one task that there is.
local function claim_one(ezra, queue)
  local tasks = claim(ezra, queue)
  expect("tasks claimed", #tasks, 1)
  return tasks[1]
end

local function each(tasks, name)
  local values = {}
  for i, task in ipairs(tasks) do values[i] = task[name] end
  return values
end

-- The worker's loop: its task fails at first and is done at the second attempt.
local function let_it_work(ezra, queue)
  ezra:xadd(queue, "*", "payload", "again")
  local attempts = {}
  local function handle(task)
    table.insert(attempts, task.attempts)
    if #attempts == 1 then error("not yet") end
  end
  work(ezra, queue, handle, function() return #attempts == 2 end)
  expect("attempts of the loop", attempts, { 1, 2 })
  expect("claimed after the loop", claim(ezra, queue), {})
end

local function produce_and_work(ezra, queue)
  local payload = "caf\233\0\r\n"
  local id = ezra:xadd(queue, "*", "payload", payload, "to", "alice")
  for _ = 1, 2 do
    expect("XGROUP CREATE", ezra:xgroup("CREATE", queue, GROUP, 0, "MKSTREAM"), true)
  end
  local task = claim_one(ezra, queue)
  expect("id", task.id, id)
  expect("payload", task.payload == payload, true)
  expect("header", task.to, "alice")
  expect("attempts", task.attempts, "1")
  expect("XACK", ezra:xack(queue, GROUP, id), 1)
  expect("XLEN", ezra:xlen(queue), 0)
  let_it_work(ezra, queue)
end

local function order_and_batch(ezra, queue)
  local ids = {}
  for n = 1, 5 do ids[n] = ezra:xadd(queue, "*", "payload", n) end
  local tasks = claim(ezra, queue, WORKER, 5)
  expect("ids", each(tasks, "id"), ids)
  expect("payloads", each(tasks, "payload"), { 1, 2, 3, 4, 5 })
  expect("XACK", ezra:xack(queue, GROUP, unpack(ids)), 5)
  expect("an empty queue", claim(ezra, queue), {})
end

local function retry(ezra, queue)
  local id = ezra:xadd(queue, "*", "payload", "x")
  claim_one(ezra, queue)
  expect("XDEL", ezra:xdel(queue, id), 1)
  local task = claim_one(ezra, queue)
  expect("id", task.id, id)
  expect("attempts", task.attempts, 2)
  expect("XACK", ezra:xack(queue, GROUP, id), 1)
end

local function dead_letter(ezra, queue)
  local dead = queue .. "::dead"
  local id = ezra:xadd(queue, "*", "payload", "x", "max_attempts", 1)
  claim_one(ezra, queue)
  ezra:xdel(queue, id)
  expect("XLEN", ezra:xlen(dead), 1)
  expect("XRANGE", each(ezra:xrange(dead, "-", "+"), "id"), { id })
  expect("claimed", claim_one(ezra, dead).id, id)
  expect("XACK", ezra:xack(dead, GROUP, id), 1)
  expect("XLEN", ezra:xlen(dead), 0)
end

local function blocking(ezra, queue)
  local function wait(milliseconds)
    return ezra:xreadgroup(
      "GROUP", GROUP, WORKER, "COUNT", 1, "BLOCK", milliseconds, "STREAMS", queue, ">")
  end
  expect("an empty queue", wait(300), {})
  -- Lua has no threads: a process of its own pushes, most likely once the worker is blocked.
  local pusher = string.format("%s %s/push.lua %s %d %s &",
    arg[-1], arg[0]:match(".*/"), host, port, queue)
  os.execute(pusher)
  local tasks = wait(10000)
  expect("arrived", each(tasks, "payload"), { "arrived" })
  expect("XACK", ezra:xack(queue, GROUP, tasks[1].id), 1)
end

local function heartbeat(ezra, queue)
  local id = ezra:xadd(queue, "*", "payload", "x", "visibility_timeout", 1)
  claim_one(ezra, queue)
  for _ = 1, 12 do
    sleep(0.1)
    expect("XCLAIM", ezra:xclaim(queue, GROUP, WORKER, 0, id, "JUSTID"), { id })
    expect("another worker", claim(ezra, queue, "worker-2"), {})
  end
  expect("XACK", ezra:xack(queue, GROUP, id), 1)
  expect("XCLAIM", ezra:xclaim(queue, GROUP, WORKER, 0, id, "JUSTID"), {})
end

local function pending(ezra, queue)
  local id = ezra:xadd(queue, "*", "payload", "x")
  claim_one(ezra, queue)
  expect("XPENDING", ezra:xpending(queue, GROUP), { 1, id, id, { { WORKER, 1 } } })
  local seen = ezra:xpending(queue, GROUP, "-", "+", 10)[1]
  expect("XPENDING - +", { seen[1], seen[2], seen[4] }, { id, WORKER, 1 })
  sleep(0.02)
  local taken = tasks_of(ezra:xautoclaim(queue, GROUP, "worker-2", 1, "0-0")[2])
  expect("XAUTOCLAIM", { taken[1].id, taken[1].attempts }, { id, 2 })
  expect("XACK", ezra:xack(queue, GROUP, id), 1)
end

local function refused_as_a_whole(ezra, queue)
  local fine = pcall(ezra.transaction, ezra, function(together)
    together:xadd(queue, "*", "payload", 4)
    together:xadd(queue, "1-1", "x", "y")
  end)
  expect("a transaction with an id that is too small", fine, false)
  expect("XLEN", ezra:xlen(queue), 1)
end

local function transaction(ezra, queue)
  local first, second = queue .. ":a", queue .. ":b"
  local id = ezra:xadd(first, "*", "payload", 1)
  claim_one(ezra, first)
  local results = ezra:transaction(function(together)
    together:xadd(first, "*", "payload", 2)
    together:xadd(second, "*", "payload", 3)
    together:xack(first, GROUP, id)
  end)
  expect("results", { #results, results[3] }, { 3, 1 })
  expect("XLEN", { ezra:xlen(first), ezra:xlen(second) }, { 1, 1 })
  refused_as_a_whole(ezra, first)
end

local function inspect(ezra, queue)
  local ids = {}
  for n = 1, 2 do ids[n] = ezra:xadd(queue, "*", "payload", n) end
  ezra:xgroup("CREATE", queue, GROUP, 0, "MKSTREAM")
  expect("XRANGE", each(ezra:xrange(queue, "-", "+"), "id"), ids)
  expect("XREVRANGE", each(ezra:xrevrange(queue, "+", "-"), "id"), { ids[2], ids[1] })
  claim_one(ezra, queue)
  local stream = named(ezra:xinfo("STREAM", queue))
  expect("XINFO STREAM", { stream.length, stream.groups }, { 1, 1 })
  local group = named(ezra:xinfo("GROUPS", queue)[1])
  expect("XINFO GROUPS", { group.name, group.pending }, { GROUP, 1 })
  local worker = named(ezra:xinfo("CONSUMERS", queue, GROUP)[1])
  expect("XINFO CONSUMERS", { worker.name, worker.pending }, { WORKER, 1 })
  ezra:xack(queue, GROUP, ids[1])
end

local function reconnect(ezra, queue)
  have_cut(ezra:client("ID"))
  local fine, id = pcall(ezra.xadd, ezra, queue, "*", "payload", "x")
  if not fine then -- redis-lua says so, and leaves it to us to connect again.
    ezra = connect()
    id = ezra:xadd(queue, "*", "payload", "x")
  end
  expect("claimed", each(claim(ezra, queue, WORKER, 5), "id"), { id })
  expect("XACK", ezra:xack(queue, GROUP, id), 1)
end

print("version " .. redis._VERSION:match("%d[^ ]*"))
local ezra = connect()
local scenarios = {
  { "produce-and-work", produce_and_work },
  { "order-and-batch", order_and_batch },
  { "retry", retry },
  { "dead-letter", dead_letter },
  { "blocking", blocking },
  { "heartbeat", heartbeat },
  { "pending", pending },
  { "transaction", transaction },
  { "inspect", inspect },
  { "reconnect", reconnect },
}
for _, named_steps in ipairs(scenarios) do
  local name, steps = named_steps[1], named_steps[2]
  scenario(name, function() steps(ezra, prefix .. ":" .. name) end)
end
