// redigo, which speaks RESP2 and has no methods for commands. Arguments: host port queue-prefix protocol

package main

import (
	"context"
	"errors"

	"github.com/gomodule/redigo/redis"
)

// [connect]

func connect(address string) *redis.Pool {
	return &redis.Pool{MaxIdle: 8, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", address) }}
}

// [/connect]

// [worker]

// work handles the tasks of a queue until the context is done. A task whose handler returns an error
// is tried again, and is dead after its last attempt.
func work(ctx context.Context, pool *redis.Pool, queue string, handle func(task map[string]string) error) error {
	ezra := pool.Get()
	defer ezra.Close()
	for ctx.Err() == nil {
		queues, err := redis.Values(ezra.Do("XREADGROUP", "GROUP", "workers", "worker-1",
			"COUNT", 1, "BLOCK", 1000, "STREAMS", queue, ">"))
		if errors.Is(err, redis.ErrNil) {
			continue // Nothing was there for a second.
		}
		if err != nil {
			return err
		}
		for _, entry := range queues[0].([]any)[1].([]any) {
			id, fields := entry.([]any)[0], entry.([]any)[1]
			task, err := redis.StringMap(fields, nil)
			if err == nil && handle(task) == nil {
				_, err = ezra.Do("XACK", queue, "workers", id)
			} else {
				_, err = ezra.Do("XDEL", queue, id) // In EZRA a nack: it deletes nothing.
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// [/worker]

type pooled struct{ *redis.Pool }

func (p pooled) do(words ...any) (any, error) {
	ezra := p.Get()
	defer ezra.Close()
	reply, err := ezra.Do(words[0].(string), words[1:]...)
	return text(reply), err
}

func (p pooled) together(commands ...[]any) ([]any, error) {
	ezra := p.Get()
	defer ezra.Close()
	_ = ezra.Send("MULTI")
	for _, words := range commands {
		_ = ezra.Send(words[0].(string), words[1:]...) // An error is reported by EXEC.
	}
	return redis.Values(ezra.Do("EXEC"))
}

func (p pooled) work(ctx context.Context, queue string, handle func(map[string]string) error) error {
	return work(ctx, p.Pool, queue, handle)
}

func main() {
	runAll("1.9.2", func(address string) client { return pooled{connect(address)} }) // It does not tell.
}
