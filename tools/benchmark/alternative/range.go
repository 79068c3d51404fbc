// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/clientv3"
)

// EachPage calls use with every page of the keys that begin with prefix, all of one
// revision, which it returns.  A page of 0 keys is everything.
func eachPage(ctx context.Context, client *clientv3.Client, prefix string, page int64,
	use func(*clientv3.GetResponse) error) (int64, error) {
	from, revision := prefix, int64(0)
	for {
		response, err := client.Get(ctx, from,
			clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)),
			clientv3.WithLimit(page), clientv3.WithRev(revision))
		if err != nil {
			return 0, err
		}
		if err := use(response); err != nil {
			return 0, err
		}
		if revision == 0 {
			revision = response.Header.Revision
		}
		if !response.More {
			return revision, nil
		}
		from = string(response.Kvs[len(response.Kvs)-1].Key) + "\x00"
	}
}

func rangeCommand(ctx context.Context, client *clientv3.Client, args []string) error {
	flags := flag.NewFlagSet("range", flag.ContinueOnError)
	page := flags.Int64("page", 0, "keys in each request; 0: one request for all")
	words, err := parsed(flags, args, 1)
	if err != nil {
		return err
	}
	start := time.Now()
	var keys map[string][]byte
	_, err = eachPage(ctx, client, words[0], *page, func(response *clientv3.GetResponse) error {
		if keys == nil {
			keys = make(map[string][]byte, response.Count)
		}
		for _, kv := range response.Kvs {
			keys[string(kv.Key)] = kv.Value
		}
		return nil
	})
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	peak, err := peakKiB()
	if err != nil {
		return err
	}
	return answer(map[string]interface{}{"keys": len(keys), "seconds": seconds, "peak_kib": peak})
}

// PeakKiB is the most that was ever resident of this process.
func peakKiB() (int, error) {
	status, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "VmHWM:") {
			var peak int
			_, err := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &peak)
			return peak, err
		}
	}
	return 0, fmt.Errorf("no VmHWM in %s", status.Name())
}
