// go-redis 9. It speaks either protocol.
// Arguments: host port queue-prefix protocol

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// [connect]

func connect(address string, protocol int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: address, Protocol: protocol})
}

// [/connect]

// [worker]

// work handles the tasks of a queue until the context is done. A task whose handler returns an error
// is tried again, and is dead after its last attempt.
func work(ctx context.Context, ezra *redis.Client, queue string, handle func(task map[string]any) error) error {
	for ctx.Err() == nil {
		queues, err := ezra.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "workers", Consumer: "worker-1", Streams: []string{queue, ">"}, Count: 1, Block: time.Second,
		}).Result()
		if errors.Is(err, redis.Nil) {
			continue // Nothing was there for a second.
		}
		if err != nil {
			return err
		}
		for _, task := range queues[0].Messages {
			if handle(task.Values) == nil {
				err = ezra.XAck(ctx, queue, "workers", task.ID).Err()
			} else {
				err = ezra.XDel(ctx, queue, task.ID).Err() // In EZRA a nack: it deletes nothing.
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// [/worker]

// [heartbeat]

// keep renews the lease of a task until the context is done. It returns false when the lease is lost:
// then another worker may have the task, and this one had better stop.
func keep(ctx context.Context, ezra *redis.Client, queue, id string, interval time.Duration) (bool, error) {
	beat := time.NewTicker(interval) // a third of the visibility timeout, or less
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return true, nil
		case <-beat.C:
			held, err := ezra.XClaimJustID(ctx, &redis.XClaimArgs{
				Stream: queue, Group: "workers", Consumer: "worker-1", MinIdle: 0, Messages: []string{id},
			}).Result()
			if ctx.Err() != nil {
				return true, nil
			}
			if err != nil || len(held) == 0 {
				return false, err
			}
		}
	}
}

// [/heartbeat]

const (
	group  = "workers"
	worker = "worker-1"
)

var (
	ctx      = context.Background()
	address  string
	protocol int
	ezra     *redis.Client
)

// push adds a task and returns its id.
func push(queue string, fields ...any) string {
	return must(ezra.XAdd(ctx, &redis.XAddArgs{Stream: queue, Values: fields}).Result())
}

// claimWithin claims what there is, or comes within the time given; a negative one does not wait.
func claimWithin(client *redis.Client, queue, worker string, count int64, block time.Duration) []redis.XMessage {
	queues, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: worker, Streams: []string{queue, ">"}, Count: count, Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return must(queues, err)[0].Messages
}

// claim claims what there is, without waiting.
func claim(queue, worker string, count int64) []redis.XMessage {
	return claimWithin(ezra, queue, worker, count, -1)
}

// claimOne claims the one task that there is.
func claimOne(queue string) redis.XMessage {
	tasks := claim(queue, worker, 2)
	expect("tasks claimed", len(tasks), 1)
	return tasks[0]
}

func ack(queue string, ids ...string) {
	expect("XACK", must(ezra.XAck(ctx, queue, group, ids...).Result()), int64(len(ids)))
}

func length(queue string) int64 { return must(ezra.XLen(ctx, queue).Result()) }

func idsOf(tasks []redis.XMessage) []string {
	ids := make([]string, len(tasks))
	for i, task := range tasks {
		ids[i] = task.ID
	}
	return ids
}

func produceAndWork(queue string) {
	payload := "caf\xe9\x00\r\n"
	id := push(queue, "payload", payload, "to", "alice")
	for i := 0; i < 2; i++ {
		expect("XGROUP CREATE", must(ezra.XGroupCreateMkStream(ctx, queue, group, "0").Result()), "OK")
	}
	task := claimOne(queue)
	expect("id", task.ID, id)
	expect("payload", task.Values["payload"], payload)
	expect("header", task.Values["to"], "alice")
	expect("attempts", task.Values["attempts"], "1")
	ack(queue, id)
	expect("XLEN", length(queue), int64(0))
	letItWork(queue)
}

// letItWork has the worker's loop handle a task that fails at first and is done at the second attempt.
func letItWork(queue string) {
	push(queue, "payload", "again")
	working, stop := context.WithCancel(ctx)
	var attempts []any
	err := work(working, ezra, queue, func(task map[string]any) error {
		attempts = append(attempts, task["attempts"])
		if len(attempts) == 1 {
			return errors.New("not yet")
		}
		time.AfterFunc(50*time.Millisecond, stop) // once this task is acked
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		panic(err)
	}
	expect("attempts of the loop", attempts, []any{"1", "2"})
	expect("claimed after the loop", len(claim(queue, worker, 1)), 0)
}

func orderAndBatch(queue string) {
	var ids []string
	for n := 1; n <= 5; n++ {
		ids = append(ids, push(queue, "payload", n))
	}
	tasks := claim(queue, worker, 5)
	expect("ids", idsOf(tasks), ids)
	for i, task := range tasks {
		expect("payload", task.Values["payload"], strconv.Itoa(i+1))
	}
	ack(queue, ids...)
	_, err := ezra.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: worker, Streams: []string{queue, ">"}, Block: -1,
	}).Result()
	expect("an empty queue", err, redis.Nil)
}

func retry(queue string) {
	id := push(queue, "payload", "x")
	claimOne(queue)
	expect("XDEL", must(ezra.XDel(ctx, queue, id).Result()), int64(1))
	task := claimOne(queue)
	expect("id", task.ID, id)
	expect("attempts", task.Values["attempts"], "2")
	ack(queue, id)
}

func deadLetter(queue string) {
	dead := queue + "::dead"
	id := push(queue, "payload", "x", "max_attempts", 1)
	claimOne(queue)
	must(ezra.XDel(ctx, queue, id).Result())
	expect("XLEN", length(dead), int64(1))
	expect("XRANGE", idsOf(must(ezra.XRange(ctx, dead, "-", "+").Result())), []string{id})
	expect("claimed", claimOne(dead).ID, id)
	ack(dead, id)
	expect("XLEN", length(dead), int64(0))
}

func blocking(queue string) {
	expect("an empty queue", len(claimWithin(ezra, queue, worker, 1, 300*time.Millisecond)), 0)
	other := connect(address, protocol)
	defer other.Close()
	arrived := later(func() []redis.XMessage { return claimWithin(other, queue, worker, 1, 10*time.Second) })
	time.Sleep(200 * time.Millisecond) // Most likely it is blocked by now; its task arrives in any case.
	id := push(queue, "payload", "x")
	expect("arrived", idsOf(arrived()), []string{id})
	ack(queue, id)
}

func heartbeat(queue string) {
	id := push(queue, "payload", "x", "visibility_timeout", 1)
	claimOne(queue)
	working, stop := context.WithTimeout(ctx, 1200*time.Millisecond)
	defer stop()
	kept := later(func() bool { return must(keep(working, ezra, queue, id, 100*time.Millisecond)) })
	for working.Err() == nil {
		expect("another worker", len(claimWithin(ezra, queue, "worker-2", 1, 100*time.Millisecond)), 0)
	}
	expect("kept", kept(), true)
	ack(queue, id)
	expect("kept after the ack", must(keep(ctx, ezra, queue, id, time.Millisecond)), false)
}

func pending(queue string) {
	id := push(queue, "payload", "x")
	claimOne(queue)
	summary := must(ezra.XPending(ctx, queue, group).Result())
	expect("XPENDING", *summary, redis.XPending{Count: 1, Lower: id, Higher: id, Consumers: map[string]int64{worker: 1}})
	seen := must(ezra.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: queue, Group: group, Start: "-", End: "+", Count: 10,
	}).Result())
	expect("XPENDING - +", len(seen), 1)
	expect("XPENDING - +", []any{seen[0].ID, seen[0].Consumer, seen[0].RetryCount}, []any{id, worker, int64(1)})
	time.Sleep(20 * time.Millisecond)
	taken, _, err := ezra.XAutoClaim(ctx, &redis.XAutoClaimArgs{
		Stream: queue, Group: group, Consumer: "worker-2", MinIdle: time.Millisecond, Start: "0-0",
	}).Result()
	expect("XAUTOCLAIM", idsOf(must(taken, err)), []string{id})
	expect("attempts", taken[0].Values["attempts"], "2")
	ack(queue, id)
}

func transaction(queue string) {
	first, second := queue+":a", queue+":b"
	id := push(first, "payload", "1")
	claimOne(first)
	results := must(ezra.TxPipelined(ctx, func(together redis.Pipeliner) error {
		together.XAdd(ctx, &redis.XAddArgs{Stream: first, Values: []any{"payload", "2"}})
		together.XAdd(ctx, &redis.XAddArgs{Stream: second, Values: []any{"payload", "3"}})
		together.XAck(ctx, first, group, id)
		return nil
	}))
	expect("results", len(results), 3)
	expect("XACK", results[2].(*redis.IntCmd).Val(), int64(1))
	expect("XLEN", []int64{length(first), length(second)}, []int64{1, 1})

	_, err := ezra.TxPipelined(ctx, func(together redis.Pipeliner) error {
		together.XAdd(ctx, &redis.XAddArgs{Stream: first, Values: []any{"payload", "4"}})
		together.XAdd(ctx, &redis.XAddArgs{Stream: first, ID: "1-1", Values: []any{"x", "y"}})
		return nil
	})
	expect("a transaction with an id that is too small fails", err != nil, true)
	expect("XLEN", length(first), int64(1))
}

func inspect(queue string) {
	ids := []string{push(queue, "payload", "1"), push(queue, "payload", "2")}
	must(ezra.XGroupCreateMkStream(ctx, queue, group, "0").Result())
	expect("XRANGE", idsOf(must(ezra.XRange(ctx, queue, "-", "+").Result())), ids)
	expect("XREVRANGE", idsOf(must(ezra.XRevRange(ctx, queue, "+", "-").Result())), []string{ids[1], ids[0]})
	claim(queue, worker, 1)
	stream := must(ezra.XInfoStream(ctx, queue).Result())
	expect("XINFO STREAM", []int64{stream.Length, stream.Groups}, []int64{1, 1})
	full := must(ezra.XInfoStreamFull(ctx, queue, 10).Result())
	expect("XINFO STREAM FULL", []string{full.Groups[0].Name, full.Groups[0].Consumers[0].Name}, []string{group, worker})
	groups := must(ezra.XInfoGroups(ctx, queue).Result())
	expect("XINFO GROUPS", []any{groups[0].Name, groups[0].Pending}, []any{group, int64(1)})
	workers := must(ezra.XInfoConsumers(ctx, queue, group).Result())
	expect("XINFO CONSUMERS", []any{workers[0].Name, workers[0].Pending}, []any{worker, int64(1)})
	ack(queue, ids[0])
}

// reconnect has a connection cut that is in go-redis' pool, which opens another by itself.
func reconnect(queue string) {
	haveCut(must(ezra.ClientID(ctx).Result()))
	id := push(queue, "payload", "x")
	expect("claimed", idsOf(claim(queue, worker, 5)), []string{id})
	ack(queue, id)
}

func main() {
	fmt.Println("version", redis.Version())
	prefix := os.Args[3]
	address = net.JoinHostPort(os.Args[1], os.Args[2])
	protocol = must(strconv.Atoi(os.Args[4]))
	ezra = connect(address, protocol)
	for _, named := range []struct {
		name  string
		steps func(queue string)
	}{
		{"produce-and-work", produceAndWork},
		{"order-and-batch", orderAndBatch},
		{"retry", retry},
		{"dead-letter", deadLetter},
		{"blocking", blocking},
		{"heartbeat", heartbeat},
		{"pending", pending},
		{"transaction", transaction},
		{"inspect", inspect},
		{"reconnect", reconnect},
	} {
		scenario(named.name, func() { named.steps(prefix + ":" + named.name) })
	}
}
