// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"

	"go.etcd.io/etcd/clientv3"
)

// Follow calls use with every event of the keys that begin with prefix, from revision
// on, until ctx ends.  Ready is called once etcd has the watch.
func follow(ctx context.Context, client *clientv3.Client, prefix string, revision int64,
	ready func() error, use func(*clientv3.Event) error) error {
	responses := client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision),
		clientv3.WithCreatedNotify())
	for response := range responses {
		if response.Created {
			if err := ready(); err != nil {
				return err
			}
		}
		for _, event := range response.Events {
			if err := use(event); err != nil {
				return err
			}
		}
		if err := response.Err(); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func sayReady() error {
	return answer(map[string]interface{}{"ready": true})
}

func watchCommand(ctx context.Context, client *clientv3.Client, args []string) error {
	words, err := parsed(flag.NewFlagSet("watch", flag.ContinueOnError), args, 1)
	if err != nil {
		return err
	}
	events := 0
	err = follow(ctx, client, words[0], 0, sayReady, func(*clientv3.Event) error {
		events++
		return nil
	})
	if err != nil {
		return err
	}
	return answer(map[string]interface{}{"events": events})
}
