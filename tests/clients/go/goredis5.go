// go-redis 5, which speaks RESP2 and is older than streams. Arguments: host port queue-prefix protocol

package main

import (
	"context"
	"errors"
	"time"

	"gopkg.in/redis.v5"
)

// [connect]

func connect(address string) *redis.Client {
	// A worker waits for as long as its BLOCK says, so no reply may be given up earlier.
	return redis.NewClient(&redis.Options{Addr: address, ReadTimeout: time.Minute})
}

// do sends a command that go-redis 5 has no method for.
func do(ezra *redis.Client, words ...any) (any, error) {
	command := redis.NewCmd(words...)
	_ = ezra.Process(command) // The result has the same error.
	reply, err := command.Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return reply, err
}

// [/connect]

// [worker]

// work handles the tasks of a queue until the context is done. A task whose handler returns an error
// is tried again, and is dead after its last attempt.
func work(ctx context.Context, ezra *redis.Client, queue string, handle func(task map[string]string) error) error {
	for ctx.Err() == nil {
		reply, err := do(ezra, "XREADGROUP", "GROUP", "workers", "worker-1",
			"COUNT", 1, "BLOCK", 1000, "STREAMS", queue, ">")
		if err != nil {
			return err
		}
		if reply == nil {
			continue // Nothing was there for a second.
		}
		for _, task := range tasksOf(reply.([]any)[0].([]any)[1]) {
			if handle(task.fields) == nil {
				_, err = do(ezra, "XACK", queue, "workers", task.id)
			} else {
				_, err = do(ezra, "XDEL", queue, task.id) // In EZRA a nack: it deletes nothing.
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// [/worker]

type pooled struct{ *redis.Client }

func (p pooled) do(words ...any) (any, error) {
	reply, err := do(p.Client, words...)
	return text(reply), err
}

func (p pooled) together(commands ...[]any) ([]any, error) {
	results := make([]any, len(commands))
	commanders, err := p.TxPipelined(func(together *redis.Pipeline) error {
		for _, words := range commands {
			_ = together.Process(redis.NewCmd(words...)) // It is only queued.
		}
		return nil
	})
	for i, command := range commanders {
		results[i] = text(command.(*redis.Cmd).Val())
	}
	return results, err
}

func (p pooled) work(ctx context.Context, queue string, handle func(map[string]string) error) error {
	return work(ctx, p.Client, queue, handle)
}

func main() {
	runAll("5.2.9", func(address string) client { return pooled{connect(address)} }) // It does not tell.
}
