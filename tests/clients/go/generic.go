// The scenarios for clients that have no methods for streams: they send the commands as they are.

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// A client is what the scenarios need of a library.
type client interface {
	// do sends a command and returns its reply: strings, int64s, nil and lists of them.
	do(words ...any) (any, error)
	// together sends commands as one transaction.
	together(commands ...[]any) ([]any, error)
	// work handles the tasks of a queue until the context is done.
	work(ctx context.Context, queue string, handle func(task map[string]string) error) error
}

// A task is an entry of a stream.
type task struct {
	id     string
	fields map[string]string
}

type list = []any

const (
	group  = "workers"
	worker = "worker-1"
)

// text returns a reply with strings in place of bytes, also within lists.
func text(reply any) any {
	switch value := reply.(type) {
	case []byte:
		return string(value)
	case list:
		for i := range value {
			value[i] = text(value[i])
		}
	}
	return reply
}

// named returns a list of names and values as a map.
func named(flat any) map[string]any {
	pairs := flat.(list)
	fields := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i].(string)] = pairs[i+1]
	}
	return fields
}

// tasksOf returns the entries of a stream.
func tasksOf(entries any) []task {
	var tasks []task
	for _, entry := range entries.(list) {
		fields := make(map[string]string)
		for name, value := range named(entry.(list)[1]) {
			fields[name] = value.(string)
		}
		tasks = append(tasks, task{entry.(list)[0].(string), fields})
	}
	return tasks
}

func idsOf(tasks []task) []string {
	ids := make([]string, len(tasks))
	for i, task := range tasks {
		ids[i] = task.id
	}
	return ids
}

// A run is one client and the address of its server.
type run struct {
	ezra  client
	other func() client // a client of its own, with connections of its own
}

func (r run) ask(words ...any) any { return must(r.ezra.do(words...)) }

func (r run) push(queue string, fields ...any) string {
	return r.ask(append(list{"XADD", queue, "*"}, fields...)...).(string)
}

// claim claims up to count tasks; with more words before STREAMS, such as BLOCK.
func claim(ezra client, queue, worker string, count int, more ...any) []task {
	words := append(list{"XREADGROUP", "GROUP", group, worker, "COUNT", count}, more...)
	reply := must(ezra.do(append(words, "STREAMS", queue, ">")...))
	if reply == nil {
		return nil
	}
	return tasksOf(reply.(list)[0].(list)[1])
}

// claimOne claims the one task that there is.
func (r run) claimOne(queue string) task {
	tasks := claim(r.ezra, queue, worker, 2)
	expect("tasks claimed", len(tasks), 1)
	return tasks[0]
}

func (r run) ack(queue, id string) { expect("XACK", r.ask("XACK", queue, group, id), int64(1)) }

func (r run) produceAndWork(queue string) {
	payload := "caf\xe9\x00\r\n"
	id := r.push(queue, "payload", payload, "to", "alice")
	for i := 0; i < 2; i++ {
		expect("XGROUP CREATE", r.ask("XGROUP", "CREATE", queue, group, "0", "MKSTREAM"), "OK")
	}
	claimed := r.claimOne(queue)
	expect("id", claimed.id, id)
	expect("payload", claimed.fields["payload"], payload)
	expect("header", claimed.fields["to"], "alice")
	expect("attempts", claimed.fields["attempts"], "1")
	r.ack(queue, id)
	expect("XLEN", r.ask("XLEN", queue), int64(0))
	r.letItWork(queue)
}

// letItWork has the worker's loop handle a task that fails at first and is done at the second attempt.
func (r run) letItWork(queue string) {
	r.push(queue, "payload", "again")
	working, stop := context.WithCancel(context.Background())
	var attempts []string
	err := r.ezra.work(working, queue, func(task map[string]string) error {
		attempts = append(attempts, task["attempts"])
		if len(attempts) == 1 {
			return errors.New("not yet")
		}
		stop()
		return nil
	})
	expect("error of the loop", err, nil)
	expect("attempts of the loop", attempts, []string{"1", "2"})
	expect("claimed after the loop", len(claim(r.ezra, queue, worker, 1)), 0)
}

func (r run) orderAndBatch(queue string) {
	words := list{"XACK", queue, group}
	var ids []string
	for n := 1; n <= 5; n++ {
		ids = append(ids, r.push(queue, "payload", n))
		words = append(words, ids[n-1])
	}
	tasks := claim(r.ezra, queue, worker, 5)
	expect("ids", idsOf(tasks), ids)
	for i, task := range tasks {
		expect("payload", task.fields["payload"], strconv.Itoa(i+1))
	}
	expect("XACK", r.ask(words...), int64(5))
	expect("an empty queue", r.ask("XREADGROUP", "GROUP", group, worker, "STREAMS", queue, ">"), nil)
}

func (r run) retry(queue string) {
	id := r.push(queue, "payload", "x")
	r.claimOne(queue)
	expect("XDEL", r.ask("XDEL", queue, id), int64(1))
	again := r.claimOne(queue)
	expect("id", again.id, id)
	expect("attempts", again.fields["attempts"], "2")
	r.ack(queue, id)
}

func (r run) deadLetter(queue string) {
	dead := queue + "::dead"
	id := r.push(queue, "payload", "x", "max_attempts", 1)
	r.claimOne(queue)
	r.ask("XDEL", queue, id)
	expect("XLEN", r.ask("XLEN", dead), int64(1))
	expect("XRANGE", idsOf(tasksOf(r.ask("XRANGE", dead, "-", "+"))), []string{id})
	expect("claimed", r.claimOne(dead).id, id)
	r.ack(dead, id)
	expect("XLEN", r.ask("XLEN", dead), int64(0))
}

func (r run) blocking(queue string) {
	expect("an empty queue", len(claim(r.ezra, queue, worker, 1, "BLOCK", 300)), 0)
	other := r.other()
	arrived := later(func() []task { return claim(other, queue, worker, 1, "BLOCK", 10_000) })
	time.Sleep(200 * time.Millisecond) // Most likely it is blocked by now; its task arrives in any case.
	id := r.push(queue, "payload", "x")
	expect("arrived", idsOf(arrived()), []string{id})
	r.ack(queue, id)
}

func (r run) heartbeat(queue string) {
	id := r.push(queue, "payload", "x", "visibility_timeout", 1)
	r.claimOne(queue)
	renew := list{"XCLAIM", queue, group, worker, 0, id, "JUSTID"}
	for beat := 0; beat < 12; beat++ {
		time.Sleep(100 * time.Millisecond)
		expect("XCLAIM", r.ask(renew...), list{id})
		expect("another worker", len(claim(r.ezra, queue, "worker-2", 1)), 0)
	}
	r.ack(queue, id)
	expect("XCLAIM", r.ask(renew...), list{})
}

func (r run) pending(queue string) {
	id := r.push(queue, "payload", "x")
	r.claimOne(queue)
	expect("XPENDING", r.ask("XPENDING", queue, group), list{int64(1), id, id, list{list{worker, "1"}}})
	seen := r.ask("XPENDING", queue, group, "-", "+", 10).(list)[0].(list)
	expect("XPENDING - +", list{seen[0], seen[1], seen[3]}, list{id, worker, int64(1)})
	time.Sleep(20 * time.Millisecond)
	taken := tasksOf(r.ask("XAUTOCLAIM", queue, group, "worker-2", 1, "0-0").(list)[1])
	expect("XAUTOCLAIM", idsOf(taken), []string{id})
	expect("attempts", taken[0].fields["attempts"], "2")
	r.ack(queue, id)
}

func (r run) transaction(queue string) {
	first, second := queue+":a", queue+":b"
	id := r.push(first, "payload", 1)
	r.claimOne(first)
	results := must(r.ezra.together(
		list{"XADD", first, "*", "payload", 2},
		list{"XADD", second, "*", "payload", 3},
		list{"XACK", first, group, id},
	))
	expect("results", list{len(results), results[2]}, list{3, int64(1)})
	expect("XLEN", list{r.ask("XLEN", first), r.ask("XLEN", second)}, list{int64(1), int64(1)})

	_, err := r.ezra.together(list{"XADD", first, "*", "payload", 4}, list{"XADD", first, "1-1", "x", "y"})
	expect("a transaction with an id that is too small fails", err != nil, true)
	expect("XLEN", r.ask("XLEN", first), int64(1))
}

func (r run) inspect(queue string) {
	ids := []string{r.push(queue, "payload", 1), r.push(queue, "payload", 2)}
	r.ask("XGROUP", "CREATE", queue, group, "0", "MKSTREAM")
	expect("XRANGE", idsOf(tasksOf(r.ask("XRANGE", queue, "-", "+"))), ids)
	expect("XREVRANGE", idsOf(tasksOf(r.ask("XREVRANGE", queue, "+", "-"))), []string{ids[1], ids[0]})
	claim(r.ezra, queue, worker, 1)
	stream := named(r.ask("XINFO", "STREAM", queue))
	expect("XINFO STREAM", list{stream["length"], stream["groups"]}, list{int64(1), int64(1)})
	groups := named(r.ask("XINFO", "GROUPS", queue).(list)[0])
	expect("XINFO GROUPS", list{groups["name"], groups["pending"]}, list{group, int64(1)})
	workers := named(r.ask("XINFO", "CONSUMERS", queue, group).(list)[0])
	expect("XINFO CONSUMERS", list{workers["name"], workers["pending"]}, list{worker, int64(1)})
	r.ack(queue, ids[0])
}

// reconnect has a pooled connection cut. A library that reports that once connects again at the next call.
func (r run) reconnect(queue string) {
	haveCut(r.ask("CLIENT", "ID").(int64))
	id, err := r.ezra.do("XADD", queue, "*", "payload", "x")
	if err != nil {
		id = r.push(queue, "payload", "x")
	}
	expect("claimed", idsOf(claim(r.ezra, queue, worker, 5)), []string{id.(string)})
	r.ack(queue, id.(string))
}

// runAll runs every scenario. Arguments: host port queue-prefix protocol
func runAll(version string, connect func(address string) client) {
	fmt.Println("version", version)
	address, prefix := net.JoinHostPort(os.Args[1], os.Args[2]), os.Args[3]
	other := func() client { return connect(address) }
	r := run{other(), other}
	for _, named := range []struct {
		name  string
		steps func(queue string)
	}{
		{"produce-and-work", r.produceAndWork},
		{"order-and-batch", r.orderAndBatch},
		{"retry", r.retry},
		{"dead-letter", r.deadLetter},
		{"blocking", r.blocking},
		{"heartbeat", r.heartbeat},
		{"pending", r.pending},
		{"transaction", r.transaction},
		{"inspect", r.inspect},
		{"reconnect", r.reconnect},
	} {
		scenario(named.name, func() { named.steps(prefix + ":" + named.name) })
	}
}
