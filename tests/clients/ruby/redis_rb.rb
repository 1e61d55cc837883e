# redis-rb. With version 4 it speaks RESP2; from 5 on either, as `protocol` says.
# Arguments: host port queue-prefix protocol

require_relative "report"

# [connect]
require "redis"

def connect(host, port, protocol)
  Redis.new(host: host, port: port, protocol: protocol)
end
# [/connect]

# [worker]
# Work on one queue until `stop` says so. `yield` gets a task's fields; if it raises, the task is
# tried again, and is dead after its last attempt.
def work(ezra, queue, stop)
  until stop.call
    reply = ezra.xreadgroup("workers", "worker-1", queue, ">", count: 1, block: 1000)
    reply.fetch(queue, []).each do |id, task|
      yield task
      ezra.xack(queue, "workers", id)
    rescue StandardError
      ezra.xdel(queue, id) # In EZRA a nack: it deletes nothing.
    end
  end
end
# [/worker]

HOST, PORT, PREFIX, PROTOCOL = ARGV
GROUP = "workers"
WORKER = "worker-1"

def another_connection = connect(HOST, PORT.to_i, PROTOCOL.to_i)

def queue_of(name) = "#{PREFIX}:#{name}"

# Claim what there is, without waiting: a list of id and fields.
def claim(ezra, queue, worker: WORKER, count: 1)
  ezra.xreadgroup(GROUP, worker, queue, ">", count: count).fetch(queue, [])
end

# Claim the one task that there is: its id and its fields.
def claim_one(ezra, queue, worker: WORKER)
  tasks = claim(ezra, queue, worker: worker)
  expect("tasks claimed", tasks.size, 1)
  tasks.first
end

def produce_and_work(ezra, queue)
  payload = "caf\xE9\x00\r\n".b
  id = ezra.xadd(queue, { "payload" => payload, "to" => "alice" })
  2.times { expect("XGROUP CREATE", ezra.xgroup(:create, queue, GROUP, "0", mkstream: true), "OK") }
  claimed, task = claim_one(ezra, queue)
  expect("id", claimed, id)
  expect("payload", task["payload"].b, payload)
  expect("header", task["to"], "alice")
  expect("attempts", task["attempts"], "1")
  expect("XACK", ezra.xack(queue, GROUP, id), 1)
  expect("XLEN", ezra.xlen(queue), 0)
  let_it_work(ezra, queue)
end

# The worker's loop: its task fails at first and is done at the second attempt.
def let_it_work(ezra, queue)
  ezra.xadd(queue, { "payload" => "again" })
  attempts = []
  work(ezra, queue, -> { attempts.size == 2 }) do |task|
    attempts << task["attempts"]
    raise "not yet" if attempts.size == 1
  end
  expect("attempts of the loop", attempts, %w[1 2])
  expect("claimed after the loop", claim(ezra, queue), [])
end

def order_and_batch(ezra, queue)
  ids = (1..5).map { |n| ezra.xadd(queue, { "payload" => n.to_s }) }
  tasks = claim(ezra, queue, count: 5)
  expect("ids", tasks.map(&:first), ids)
  expect("payloads", tasks.map { |_, task| task["payload"] }, %w[1 2 3 4 5])
  expect("XACK", ezra.xack(queue, GROUP, ids), 5)
  expect("an empty queue", ezra.xreadgroup(GROUP, WORKER, queue, ">"), {})
end

def retry_it(ezra, queue)
  id = ezra.xadd(queue, { "payload" => "x" })
  claim_one(ezra, queue)
  expect("XDEL", ezra.xdel(queue, id), 1)
  again, task = claim_one(ezra, queue)
  expect("id", again, id)
  expect("attempts", task["attempts"], "2")
  expect("XACK", ezra.xack(queue, GROUP, id), 1)
end

def dead_letter(ezra, queue)
  dead = "#{queue}::dead"
  id = ezra.xadd(queue, { "payload" => "x", "max_attempts" => 1 })
  claim_one(ezra, queue)
  ezra.xdel(queue, id)
  expect("XLEN", ezra.xlen(dead), 1)
  expect("XRANGE", ezra.xrange(dead).map(&:first), [id])
  expect("claimed", claim_one(ezra, dead).first, id)
  expect("XACK", ezra.xack(dead, GROUP, id), 1)
  expect("XLEN", ezra.xlen(dead), 0)
end

def blocking(ezra, queue)
  nothing = ezra.xreadgroup(GROUP, WORKER, queue, ">", block: 300)
  expect("an empty queue", nothing, {})
  worker = Thread.new do
    another_connection.xreadgroup(GROUP, WORKER, queue, ">", count: 1, block: 10_000)
  end
  sleep 0.2 # Most likely it is blocked by now; its task arrives in any case.
  id = ezra.xadd(queue, { "payload" => "x" })
  expect("arrived", worker.value.fetch(queue, []).map(&:first), [id])
  expect("XACK", ezra.xack(queue, GROUP, id), 1)
end

def heartbeat(ezra, queue)
  id = ezra.xadd(queue, { "payload" => "x", "visibility_timeout" => 1 })
  claim_one(ezra, queue)
  12.times do
    sleep 0.1
    expect("XCLAIM", ezra.xclaim(queue, GROUP, WORKER, 0, id, justid: true), [id])
    expect("another worker", claim(ezra, queue, worker: "worker-2"), [])
  end
  expect("XACK", ezra.xack(queue, GROUP, id), 1)
  expect("XCLAIM", ezra.xclaim(queue, GROUP, WORKER, 0, id, justid: true), [])
end

def pending(ezra, queue)
  id = ezra.xadd(queue, { "payload" => "x" })
  claim_one(ezra, queue)
  wanted = { "size" => 1, "min_entry_id" => id, "max_entry_id" => id, "consumers" => { WORKER => "1" } }
  expect("XPENDING", ezra.xpending(queue, GROUP), wanted)
  seen = ezra.xpending(queue, GROUP, "-", "+", 10)
  expect("XPENDING - +", seen.map { _1.values_at("entry_id", "consumer", "count") }, [[id, WORKER, 1]])
  sleep 0.02
  taken = ezra.xautoclaim(queue, GROUP, "worker-2", 1, "0-0")["entries"]
  expect("XAUTOCLAIM", taken.map { |taken_id, task| [taken_id, task["attempts"]] }, [[id, "2"]])
  expect("XACK", ezra.xack(queue, GROUP, id), 1)
end

def transaction(ezra, queue)
  first, second = "#{queue}:a", "#{queue}:b"
  id = ezra.xadd(first, { "payload" => "1" })
  claim_one(ezra, first)
  results = ezra.multi do |together|
    together.xadd(first, { "payload" => "2" })
    together.xadd(second, { "payload" => "3" })
    together.xack(first, GROUP, id)
  end
  expect("results", [results.size, results.last], [3, 1])
  expect("XLEN", [ezra.xlen(first), ezra.xlen(second)], [1, 1])
  refused_as_a_whole(ezra, first)
end

def refused_as_a_whole(ezra, queue)
  ezra.multi do |together|
    together.xadd(queue, { "payload" => "4" })
    together.xadd(queue, { "x" => "y" }, id: "1-1")
  end
  raise Surprise, "an id that is too small was accepted"
rescue Redis::CommandError
  expect("XLEN", ezra.xlen(queue), 1)
end

def inspect_it(ezra, queue)
  ids = [1, 2].map { |n| ezra.xadd(queue, { "payload" => n.to_s }) }
  ezra.xgroup(:create, queue, GROUP, "0", mkstream: true)
  expect("XRANGE", ezra.xrange(queue).map(&:first), ids)
  expect("XREVRANGE", ezra.xrevrange(queue).map(&:first), ids.reverse)
  claim_one(ezra, queue)
  expect("XINFO STREAM", ezra.xinfo(:stream, queue).values_at("length", "groups"), [1, 1])
  expect("XINFO GROUPS", ezra.xinfo(:groups, queue).map { _1.values_at("name", "pending") }, [[GROUP, 1]])
  workers = ezra.xinfo(:consumers, queue, GROUP)
  expect("XINFO CONSUMERS", workers.map { _1.values_at("name", "pending") }, [[WORKER, 1]])
  ezra.xack(queue, GROUP, ids.first)
end

def reconnect(ezra, queue)
  have_cut(ezra.call("CLIENT", "ID"))
  id = ezra.xadd(queue, { "payload" => "x" }) # redis-rb connects again by itself.
  expect("claimed", claim(ezra, queue, count: 5).map(&:first), [id])
  expect("XACK", ezra.xack(queue, GROUP, id), 1)
end

puts "version #{Redis::VERSION}"
ezra = another_connection
{
  "produce-and-work" => :produce_and_work,
  "order-and-batch" => :order_and_batch,
  "retry" => :retry_it,
  "dead-letter" => :dead_letter,
  "blocking" => :blocking,
  "heartbeat" => :heartbeat,
  "pending" => :pending,
  "transaction" => :transaction,
  "inspect" => :inspect_it,
  "reconnect" => :reconnect,
}.each { |name, steps| scenario(name) { send(steps, ezra, queue_of(name)) } }
