#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a mount must do on any kernel, with a shell and inotify-tools.
#
# Names are the tests': mount_etcdfs, put, watch and the rest are in lib.sh.

. "${0%/*}/lib.sh"

# --- Reading ------------------------------------------------------------------

test_seed() {
	put f 1
	put d/e/g "two words"
	mount_etcdfs
	same value 1 "$(cat "$mnt/f")"
	same value "two words" "$(cat "$mnt/d/e/g")"
	same listing "d end f" "$(echo $(ls "$mnt"))"
	same size 9 "$(stat -c %s "$mnt/d/e/g")"
	same "extended attribute" "${prefix}f" \
		"$(getfattr --only-values --absolute-names -n user.etcd.key "$mnt/f")"
	grep -q '"state" *: *"live"' "$mnt/.etcdfs/status"
	fails "No such file" cat "$mnt/nothing"
}

test_names() {
	put a//b 1
	put 'per%cent' 2
	put x/.. 3
	put dir 4
	put dir/below 5
	put "$(printf '\303\244 \377')" 6
	mount_etcdfs
	same value 1 "$(cat "$mnt/a/%/b")"
	same value 2 "$(cat "$mnt/per%25cent")"
	same value 3 "$(cat "$mnt/x/%2E.")"
	same value 4 "$(cat "$mnt/dir/.value")"
	same value 5 "$(cat "$mnt/dir/below")"
	same value 6 "$(cat "$mnt/$(printf '\303\244 \377')")"
	same key "${prefix}a//b" \
		"$(getfattr --only-values --absolute-names -n user.etcd.key "$mnt/a/%/b")"
}

# One open, one revision; and a new one shows what is new.
test_old_descriptor() {
	put f old
	mount_etcdfs
	watch "$dir/events" "$mnt"
	exec 7<"$mnt/f"
	put_all new f end
	told "$dir/events" >/dev/null
	same "a new descriptor" new "$(cat "$mnt/f")"
	same "the old descriptor" old "$(cat <&7)"
	exec 7<&-
}

# What the kernel has seen before costs no request.
test_quiet() {
	local asked round
	put_all 1 d/f d/g d/h
	mount_etcdfs -d
	for round in 1 2 3; do
		[ -e "$mnt/mark-$round" ] || ls -l "$mnt/d" && cat "$mnt/d/f" "$mnt/d/g" "$mnt/d/h"
	done >/dev/null
	[ ! -e "$mnt/mark-4" ]
	# From the second look on; the kernel may drop a page whenever it likes.
	asked=$(sed -n '/mark-3/,/mark-4/p' "$log" | grep 'fuse: ' |
		grep -v 'mark-\|forget\|read ino') || true
	same "requests of the third look" "" "$asked"
}

# Of many that are read in turn few are asked for.
test_ahead() {
	put_all value. $(seq -w 40 | sed 's,^,d/,')
	mount_etcdfs -d
	same values 40 "$(cat "$mnt"/d/* | tr -dc . | wc -c)"
	same "few READs" yes \
		"$([ "$(grep -c 'fuse: read ino' "$log")" -lt 20 ] && echo yes)"
}

# What the kernel forgets by itself is found again, and is told of.
test_forgotten() {
	put_all 1 d/f d/g
	mount_etcdfs
	watch "$dir/events" "$mnt/d" "$mnt"
	ls -lR "$mnt" >/dev/null
	echo 2 >/proc/sys/vm/drop_caches
	put_all 2 d/f end
	same events "OPEN f
MODIFY f
CLOSE_WRITE,CLOSE f" "$(told "$dir/events" | grep ' f$')"
	same value 2 "$(cat "$mnt/d/f")"
	same value 1 "$(cat "$mnt/d/g")"
}

# --- Events -------------------------------------------------------------------

# Everything that changes in a directory, one step a line: done to etcd and, by
# ordinary means, to a local disk.
steps() {
	step put f 1
	step put f 2
	step put f 2
	step delete f
	step put new/file 1
	step put new/other 1
	step delete new/other
	step delete new/file
}

remote_step() {
	remote_count=$((remote_count + 1))
	"$1" "d/$2" "${3-}"
	# The next step may otherwise be told together with this one.
	put d/end "$remote_count"
	told "$dir/remote" "$remote_count" >/dev/null
}

local_step() {
	local path=$dir/local.d/$2 # 1<>: no truncation, which is a change of its own
	case $1 in
	put)
		mkdir -p "${path%/*}"
		printf %s "$3" 1<>"$path"
		;;
	delete)
		rm "$path"
		rmdir "${path%/*}" 2>/dev/null || true
		;;
	esac
	printf 1 1<>"$dir/local.d/end"
}

# Watches both directories, changes both, compares what was told.
#   compare STEPS
compare() {
	mkdir "$dir/local.d"
	printf 0 >"$dir/local.d/end"
	put d/end 0
	mount_etcdfs
	watch "$dir/local" "$dir/local.d"
	watch "$dir/remote" "$mnt/d"
	remote_count=0
	step() { remote_step "$@"; }
	"$1"
	step() { local_step "$@"; }
	"$1"
	told "$dir/local" "$remote_count" >"$dir/local.told"
	told "$dir/remote" "$remote_count" >"$dir/remote.told"
	[ "$(wc -l <"$dir/local.told")" -gt 8 ]
	diff "$dir/local.told" "$dir/remote.told"
}

test_events() {
	compare steps
}

test_events_as_a_user() {
	compare steps
}

# What is a file here and a directory there has no counterpart on a local disk but
# its parts.
test_file_becomes_directory() {
	put d/a 1
	put d/end 0
	mount_etcdfs
	watch "$dir/events" "$mnt/d"
	put d/a/b 1
	put d/end 1
	told "$dir/events" 1 >/dev/null
	delete d/a/b
	put d/end 2
	same events "DELETE a
CREATE,ISDIR a
DELETE,ISDIR a
CREATE a
OPEN a
MODIFY a
CLOSE_WRITE,CLOSE a" "$(told "$dir/events" 2)"
	same value 1 "$(cat "$mnt/d/a")"
}

# A watch on the file itself goes on through every revision, to its end.
watch_file() {
	put f 1
	mount_etcdfs
	watch "$dir/events" "$mnt/f" "$mnt"
	watch "$dir/file" "$mnt/f"
	for value in 2 3 4; do
		put_all "$value" f end
		told "$dir/events" $((value - 1)) >/dev/null
	done
	delete f
	eventually grep -q DELETE_SELF "$dir/file"
	same "events of the file" "OPEN MODIFY CLOSE_WRITE,CLOSE OPEN MODIFY CLOSE_WRITE,CLOSE \
OPEN MODIFY CLOSE_WRITE,CLOSE DELETE_SELF" "$(echo $(grep -v ATTRIB "$dir/file"))"
}

test_watched_file() {
	watch_file
}

test_watched_file_as_a_user() {
	watch_file
}

test_watched_recursively() {
	put d/e/f 1
	mount_etcdfs
	watch "$dir/events" -r "$mnt"
	put_all 2 d/e/f end
	told "$dir/events" >/dev/null
	put_all 1 d/new/f end
	told "$dir/events" 2 >/dev/null
	# inotifywait may hear of it after the first key is there.
	put_all 2 d/new/f end
	same events "CREATE,ISDIR new" "$(told "$dir/events" 3 | grep '^CREATE,ISDIR')"
	[ "$(grep -c '^MODIFY f$' "$dir/events")" -ge 2 ]
}

# Woken by the first event of a revision, one sees all of it.
test_whole_revision() {
	local value
	put_all 0 a b c z
	mount_etcdfs
	inotifywait -m -e close_write --format %f --include '/a$' "$mnt" 2>"$dir/err" |
		while read -r _; do
			echo $(cat "$mnt/a" "$mnt/b" "$mnt/c" "$mnt/z")
		done >"$dir/seen" &
	eventually grep -q established "$dir/err"
	for value in 1 2 3 4 5; do
		put_all "$value" a b c z
		eventually grep -q "$value" "$dir/seen"
	done
	same "what was seen" "1111
2222
3333
4444
5555" "$(cat "$dir/seen")"
}

# --- Nobody writes ------------------------------------------------------------

refuses_writers() {
	local text="Read-only file system"
	put_all 1 f d/g
	mount_etcdfs
	watch "$dir/events" -e modify -e attrib -e move -e create -e delete -e close_write \
		"$mnt" "$mnt/d"
	fails "$text" sh -c "echo 2 >$mnt/f"
	fails "$text" sh -c "echo 2 >>$mnt/f"
	fails "$text" sh -c "echo 2 >$mnt/new"
	fails "$text" rm -f "$mnt/f"
	fails "$text" mkdir "$mnt/new"
	fails "$text" mkdir "$mnt/d/new"
	fails "$text" rmdir "$mnt/d"
	fails "$text" mv "$mnt/f" "$mnt/new"
	fails "$text" ln "$mnt/f" "$mnt/new"
	fails "$text" ln -s f "$mnt/new"
	fails "$text" mkfifo "$mnt/new"
	fails "$text" chmod 777 "$mnt/f"
	fails "$text" chown "$(id -u)" "$mnt/f"
	fails "$text" touch "$mnt/f"
	fails "$text" truncate -s 0 "$mnt/f"
	put end 1
	same events "MODIFY end" "$(told "$dir/events" && grep MODIFY "$dir/events")"
	same value 1 "$(cat "$mnt/f")"
}

test_read_only() {
	refuses_writers
	shows_read_only
}

test_read_only_as_a_user() {
	refuses_writers
}

# --- Its end ------------------------------------------------------------------

# Twenty changes at a time, one transaction after the other.
load() {
	local names
	names=$(seq 20 | sed "s|^|load/|")
	while :; do
		put_all 1 $names
	done
}

# A mount whose events are just now on their way to a watcher.
under_load() {
	put load/1 0
	mount_etcdfs
	watch "$dir/load" "$mnt/load"
	[ -n "${loading-}" ] || load &
	loading=1
	eventually several "$dir/load"
}

several() {
	[ "$(grep -c CLOSE_WRITE "$1")" -ge 30 ]
}

test_umount() {
	put f 1
	mount_etcdfs
	leave
	is_left
}

test_umount_as_a_user() {
	test_umount
}

test_umount_under_load() {
	under_load
	leave
	is_left
}

test_umount_under_load_as_a_user() {
	under_load
	leave
	is_left
}

test_lazy_umount_under_load() {
	under_load
	umount -l "$mnt"
	is_left
}

test_sigterm_under_load() {
	under_load
	kill "$daemon"
	is_left
}

test_sigterm_under_load_as_a_user() {
	under_load
	kill "$daemon"
	is_left
}

# A reader's own descriptor is a reason for EBUSY; then everything goes on.
test_busy() {
	put f 1
	mount_etcdfs
	exec 7<"$mnt/f"
	fails busy umount "$mnt"
	same "what is still open" 1 "$(cat <&7)"
	put f 2
	exec 7<&-
	leave
	is_left
}

# Its mount says so, goes when told to, and a new one can be made in its place.
test_killed() {
	put f 1
	mount_etcdfs
	kill -9 "$daemon"
	eventually ended "$daemon"
	fails onnect cat "$mnt/f" # not connected, or just now: connection abort
	umount "$mnt"
	mount_etcdfs
	same value 1 "$(cat "$mnt/f")"
	leave
	is_left
}

# Nobody is left who cannot die: neither the daemon, which waits for requests of its
# own while it announces, nor a reader.
killed_under_load() {
	under_load
	while cat "$mnt"/load/*; do
		:
	done >/dev/null 2>&1 &
	kill -9 "$daemon"
	eventually ended "$daemon"
	fails onnect ls "$mnt" # not connected, or just now: connection abort
	if is_root; then
		umount "$mnt"
	else
		fusermount3 -u "$mnt"
	fi
	eventually ended $!
}

test_killed_under_load() {
	killed_under_load
}

test_killed_under_load_as_a_user() {
	killed_under_load
}

# Who has a copy of the mount is served until SIGTERM.
test_other_namespace() {
	put f 1
	mount_etcdfs
	mkfifo "$dir/in" "$dir/out"
	unshare -m sh -c "read -r _ <$dir/in; cat $mnt/f >$dir/out; read -r _ <$dir/in" &
	echo >"$dir/in"
	same "the copy" 1 "$(cat "$dir/out")"
	umount "$mnt"
	! ended "$daemon"
	kill "$daemon"
	is_left
	echo >"$dir/in"
}

# --- Bind mounts --------------------------------------------------------------

# A directory shows what is new, a file stays what it was.
test_bind() {
	put d/f 1
	mount_etcdfs
	mkdir "$dir/bound"
	: >"$dir/bound-file"
	mount --bind "$mnt/d" "$dir/bound"
	mount --bind "$mnt/d/f" "$dir/bound-file"
	watch "$dir/events" "$dir/bound" "$mnt"
	put_all 2 d/f end
	same events "OPEN f
MODIFY f
CLOSE_WRITE,CLOSE f" "$(told "$dir/events")"
	same "in the directory" 2 "$(cat "$dir/bound/f")"
	same "the file alone" 1 "$(cat "$dir/bound-file")"
	umount "$dir/bound" "$dir/bound-file"
}

# --- etcd comes and goes ------------------------------------------------------

wait_state() {
	eventually grep -q "\"state\" *: *\"$1\"" "$mnt/.etcdfs/status"
}

test_etcd_away() {
	allow "lost contact with etcd"
	put_all 1 f g
	mount_etcdfs
	watch "$dir/events" -e modify -e close_write -e create -e delete "$mnt"
	etcd_kill
	wait_state reconnecting
	same "while it is away" 1 "$(cat "$mnt/f")"
	etcd_start
	put_all 2 f end
	same events "MODIFY f
CLOSE_WRITE,CLOSE f" "$(told "$dir/events")"
	same value 2 "$(cat "$mnt/f")"
	wait_state live
}

# The difference is told, and nothing else.
test_compacted() {
	allow "lost contact with etcd\|compacted"
	put_all 1 changed gone stays
	mount_etcdfs
	watch "$dir/events" -e create -e modify -e delete "$mnt"
	# It cannot follow while it is stopped.
	kill -STOP "$daemon"
	etcd_kill
	etcd_start
	put changed 2
	delete gone
	put came 1
	compact
	kill -CONT "$daemon"
	eventually grep -q MODIFY.came "$dir/events"
	put end 1
	eventually grep -q MODIFY.end "$dir/events"
	same events "CREATE came
DELETE gone
MODIFY came
MODIFY changed" "$(grep -v ' end$\|compact' "$dir/events" | sort)"
	grep -q '"compacted" *: *1' "$mnt/.etcdfs/status"
}

main "$@"
