// SPDX-License-Identifier: Apache-2.0

// Alternative does with etcd's official client what people do without etcdfs, for
// etcdfs to be measured against, and changes keys as fast as that client can.
//
// Each subcommand connects to -endpoint and answers with one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/clientv3"
)

// A command reads its flags from args and what is left of them; it ends when ctx does.
type command func(ctx context.Context, client *clientv3.Client, args []string) error

var commands = map[string]command{
	"range":   rangeCommand,
	"mirror":  mirrorCommand,
	"watch":   watchCommand,
	"put":     putCommand,
	"latency": latencyCommand,
}

func main() {
	endpoint := flag.String("endpoint", "127.0.0.1:2379", "where etcd listens")
	flag.Usage = usage
	flag.Parse()
	run, known := commands[flag.Arg(0)]
	if !known {
		usage()
		os.Exit(2)
	}
	if err := connected(*endpoint, run, flag.Args()[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "alternative: %s: %v\n", flag.Arg(0), err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprint(os.Stderr, `alternative [-endpoint HOST:PORT] COMMAND

  range [-page KEYS] PREFIX       reads all keys into a map
  mirror PREFIX DIRECTORY         keeps each key in a file, until SIGTERM
  watch PREFIX                    counts events, until SIGTERM
  put [-workers N] [-rate N] [-together N] [-keys N] [-size BYTES] COUNT PREFIX
                                  changes PREFIX0, PREFIX1, ...
  latency [-for bytes|event] [-size BYTES] COUNT KEY FILE
                                  puts KEY, and waits until it shows in FILE
`)
}

func connected(endpoint string, run command, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	if err != nil {
		return err
	}
	defer client.Close()
	return run(ctx, client, args)
}

// Answer is the one line that the caller waits for.
func answer(fields map[string]interface{}) error {
	return json.NewEncoder(os.Stdout).Encode(fields)
}

// Parsed takes flags and exactly count words from args.
func parsed(flags *flag.FlagSet, args []string, count int) ([]string, error) {
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() != count {
		return nil, fmt.Errorf("%d arguments, not %d", count, flags.NArg())
	}
	return flags.Args(), nil
}
