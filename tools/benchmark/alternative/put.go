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
			select {
			case numbers <- i:
			case <-ctx.Done():
			}
		}
	}()
	return numbers
}

func putCommand(ctx context.Context, client *clientv3.Client, args []string) error {
	flags := flag.NewFlagSet("put", flag.ContinueOnError)
	workers := flags.Int("workers", 1, "requests at the same time")
	rate := flags.Int("rate", 0, "requests a second; 0: as many as etcd takes")
	together := flags.Int("together", 1, "changes in each request")
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
	put := func(ctx context.Context, request int) error {
		var puts []clientv3.Op
		for i := request * *together; i < (request+1)**together && i < count; i++ {
			key := words[1] + strconv.Itoa(i%*keys)
			puts = append(puts, clientv3.OpPut(key, value(i, *size)))
		}
		if len(puts) == 1 {
			_, err := client.Do(ctx, puts[0])
			return err
		}
		_, err := client.Txn(ctx).Then(puts...).Commit()
		return err
	}
	start := time.Now()
	requests := (count + *together - 1) / *together
	if err := inParallel(ctx, *workers, paced(ctx, requests, *rate), put); err != nil {
		return err
	}
	return answer(map[string]interface{}{"puts": count, "seconds": time.Since(start).Seconds()})
}

// InParallel has workers do each number, until all are done or one fails.
func inParallel(ctx context.Context, workers int, numbers <-chan int,
	do func(ctx context.Context, number int) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wait sync.WaitGroup
	failures := make(chan error, workers)
	for w := 0; w < workers; w++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for number := range numbers {
				if err := do(ctx, number); err != nil {
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
