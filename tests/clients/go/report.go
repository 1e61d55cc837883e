// How a program tells the runner what it has found: a line for each scenario.

package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"strings"
)

// A surprise is what a scenario found instead of what it should have.
type surprise string

// scenario runs one scenario and says how it went. The others run even if it fails.
func scenario(name string, steps func()) {
	defer func() {
		switch reason := recover().(type) {
		case nil:
			fmt.Println("ok", name)
		case surprise, error:
			line, _, _ := strings.Cut(fmt.Sprint(reason), "\n")
			fmt.Printf("FAIL %s: %s\n", name, line)
		default:
			panic(reason)
		}
	}()
	steps()
}

// expect leaves the scenario unless the two are equal.
func expect(what string, got, wanted any) {
	if !reflect.DeepEqual(got, wanted) {
		panic(surprise(fmt.Sprintf("%s: %#v, not %#v", what, got, wanted)))
	}
}

// must returns a value, and leaves the scenario if there is an error instead.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// haveCut has the runner cut the connection with this id, and returns once it has.
func haveCut(clientID int64) {
	fmt.Println("cut", clientID)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// later runs steps in a goroutine of its own. The function that it returns waits for their value, and
// leaves the scenario if they have left it.
func later[T any](steps func() T) func() T {
	var value T
	var reason any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { reason = recover() }()
		value = steps()
	}()
	return func() T {
		<-done
		if reason != nil {
			panic(reason)
		}
		return value
	}
}
