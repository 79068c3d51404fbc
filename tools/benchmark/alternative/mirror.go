// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/mvcc/mvccpb"
)

// A mirror keeps each key in a file that is replaced at once: written under a
// temporary name, outside of the directories that others watch, and renamed.
type mirror struct {
	prefix    string
	directory string
	temporary string
}

func (m *mirror) path(key []byte) string {
	return filepath.Join(m.directory, strings.TrimPrefix(string(key), m.prefix))
}

func (m *mirror) put(kv *mvccpb.KeyValue) error {
	path := m.path(kv.Key)
	if err := os.WriteFile(m.temporary, kv.Value, 0o644); err != nil {
		return err
	}
	err := os.Rename(m.temporary, path)
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.Rename(m.temporary, path)
}

func (m *mirror) apply(event *clientv3.Event) error {
	if event.Type == clientv3.EventTypeDelete {
		return os.Remove(m.path(event.Kv.Key))
	}
	return m.put(event.Kv)
}

func (m *mirror) putAll(response *clientv3.GetResponse) error {
	for _, kv := range response.Kvs {
		if err := m.put(kv); err != nil {
			return err
		}
	}
	return nil
}

func mirrorCommand(ctx context.Context, client *clientv3.Client, args []string) error {
	words, err := parsed(flag.NewFlagSet("mirror", flag.ContinueOnError), args, 2)
	if err != nil {
		return err
	}
	m := &mirror{prefix: words[0], directory: words[1], temporary: words[1] + ".temporary"}
	revision, err := eachPage(ctx, client, m.prefix, 0, m.putAll)
	if err != nil {
		return err
	}
	return follow(ctx, client, m.prefix, revision+1, sayReady, m.apply)
}
