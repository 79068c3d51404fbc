// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
)

// Value is one of size bytes, another for each number.
func value(number, size int) string {
	return fmt.Sprintf("%0*d", size, number)
}

// Paced gives out the numbers below count, not more than rate of them a second when
// there is one.
func paced(ctx context.Context, count, rate int) <-chan int {
	numbers := make(chan int)
	go func() {
		defer close(numbers)
		start := time.Now()
		for i := 0; i < count && ctx.Err() == nil; i++ {
			if rate > 0 {
				due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
				time.Sleep(time.Until(due))
			}
			numbers <- i
		}
	}()
	return numbers
}

func putCommand(ctx context.Context, client *clientv3.Client, args []string) error {
	flags := flag.NewFlagSet("put", flag.ContinueOnError)
	workers := flags.Int("workers", 1, "requests at the same time")
	rate := flags.Int("rate", 0, "requests a second; 0: as many as etcd takes")
	keys := flags.Int("keys", 1, "different keys")
	size := flags.Int("size", 100, "bytes of each value")
	words, err := parsed(flags, args, 2)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(words[0])
	if err != nil {
		return err
	}
	start := time.Now()
	if err := putNumbers(ctx, client, words[1], *workers, *keys, *size, paced(ctx, count, *rate)); err != nil {
		return err
	}
	return answer(map[string]interface{}{"puts": count, "seconds": time.Since(start).Seconds()})
}

func putNumbers(ctx context.Context, client *clientv3.Client, prefix string,
	workers, keys, size int, numbers <-chan int) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wait sync.WaitGroup
	failures := make(chan error, workers)
	for w := 0; w < workers; w++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for number := range numbers {
				key := prefix + strconv.Itoa(number%keys)
				if _, err := client.Put(ctx, key, value(number, size)); err != nil {
					failures <- err
					stop()
					return
				}
			}
		}()
	}
	wait.Wait()
	close(failures)
	return <-failures
}
