// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"go.etcd.io/etcd/clientv3"
)

// Arrivals tells when an event said that file was replaced, be it by a rename or, as
// on etcdfs, by one who closes it after writing.
func arrivals(file string) (<-chan time.Time, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	_, err = syscall.InotifyAddWatch(fd, filepath.Dir(file), syscall.IN_CLOSE_WRITE|syscall.IN_MOVED_TO)
	if err != nil {
		return nil, err
	}
	times := make(chan time.Time, 1)
	go func() {
		defer close(times)
		runtime.LockOSThread()
		events := make([]byte, 4096)
		for {
			length, err := syscall.Read(fd, events)
			if err != nil {
				return
			}
			if now := time.Now(); names(events[:length], filepath.Base(file)) {
				times <- now
			}
		}
	}()
	return times, nil
}

// Names is whether one of inotify's events is of name.
func names(events []byte, name string) bool {
	for len(events) >= syscall.SizeofInotifyEvent {
		length := binary.LittleEndian.Uint32(events[12:])
		end := syscall.SizeofInotifyEvent + length
		found := bytes.TrimRight(events[syscall.SizeofInotifyEvent:end], "\x00")
		if string(found) == name {
			return true
		}
		events = events[end:]
	}
	return false
}

// Holds is whether file is there and has just the bytes wanted.
func holds(file string, wanted, buffer []byte) (bool, error) {
	fd, err := syscall.Open(file, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err == syscall.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer syscall.Close(fd)
	length, err := syscall.Read(fd, buffer)
	return err == nil && bytes.Equal(buffer[:length], wanted), err
}

func latencyCommand(ctx context.Context, client *clientv3.Client, args []string) error {
	flags := flag.NewFlagSet("latency", flag.ContinueOnError)
	until := flags.String("for", "bytes", "what counts: the bytes in the file, or the event")
	size := flags.Int("size", 100, "bytes of each value")
	words, err := parsed(flags, args, 3)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(words[0])
	if err != nil {
		return err
	}
	key, file := words[1], words[2]
	events, err := arrivals(file)
	if err != nil {
		return err
	}
	buffer := make([]byte, *size+1)
	seconds := make([]float64, 0, count)
	for i := 0; i < count; i++ {
		wanted := value(i, *size)
		if _, err := client.Put(ctx, key, wanted); err != nil {
			return err
		}
		replied := time.Now()
		shown := replied
		for done := *until != "bytes"; !done; shown = time.Now() {
			if done, err = holds(file, []byte(wanted), buffer); err != nil {
				return err
			}
		}
		// Also where only the bytes count: the next put finds everybody idle.
		arrived, open := <-events
		if !open {
			return fmt.Errorf("no events of %s", file)
		}
		if *until != "bytes" {
			shown = arrived
		}
		seconds = append(seconds, shown.Sub(replied).Seconds())
	}
	return answer(map[string]interface{}{"seconds": seconds})
}
