# SPDX-License-Identifier: Apache-2.0
# What every test of the guest has: a directory, a prefix and a mount of its own.
#
# A test is a function test_*, run by a process of its own under "set -e", as nobody
# if its name ends in _as_a_user.  A check that fails says what it expected and ends it.

etcd_url=http://127.0.0.1:2379
limit=120 # seconds for each wait: emulated, everything takes long
number=0

# Emulated, etcd may take its time to answer.
export ETCDCTL_DIAL_TIMEOUT=60s ETCDCTL_COMMAND_TIMEOUT=60s
export ETCDCTL_KEEPALIVE_TIME=60s ETCDCTL_KEEPALIVE_TIMEOUT=60s

# --- Waiting ------------------------------------------------------------------

# Seconds since the start, in $now.
look_at_clock() {
	read -r now _ </proc/uptime
	now=${now%.*}
}

# Until COMMAND succeeds.
#   eventually COMMAND...
eventually() {
	local now end
	look_at_clock
	end=$((now + limit))
	until "$@"; do
		look_at_clock
		if [ "$now" -ge "$end" ]; then
			echo "not within $limit s: $*"
			return 1
		fi
		usleep 50000
	done
}

ended() {
	[ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# --- Judgement ----------------------------------------------------------------

#   same WHAT EXPECTED FOUND
same() {
	[ "$2" != "$3" ] || return 0
	printf '%s: expected\n%s\nbut found\n%s\n' "$@"
	return 1
}

# That COMMAND fails, and says TEXT.
#   fails TEXT COMMAND...
fails() {
	local text=$1 said
	shift
	if said=$("$@" 2>&1); then
		echo "succeeded: $*"
		return 1
	fi
	case $said in
	*"$text"*) ;;
	*) same "$*" "$text" "$said" ;;
	esac
}

# --- etcd ---------------------------------------------------------------------

# Outlives the test that starts it again.
etcd_start() {
	(etcd_run &)
	eventually etcd_answers
}

etcd_run() {
	etcd --data-dir /tmp/etcd --listen-client-urls "$etcd_url" \
		--advertise-client-urls "$etcd_url" --listen-peer-urls http://127.0.0.1:2380 \
		--log-outputs stderr --logger zap --log-level warn >>/tmp/etcd.log 2>&1 &
	echo "$!" >/tmp/etcd.pid
	wait
}

etcd_answers() {
	etcd_call kv/range '{"key":"eA=="}' >/dev/null 2>&1
}

etcd_kill() {
	kill -9 "$(cat /tmp/etcd.pid)"
	eventually ended "$(cat /tmp/etcd.pid)"
}

#   etcd_call METHOD JSON
etcd_call() {
	wget -q -O - --post-data "$2" "$etcd_url/v3/$1"
}

b64() {
	printf %s "$1" | base64 -w 0
}

put_json() {
	printf '{"key":"%s","value":"%s"}' "$(b64 "$prefix$1")" "$(b64 "$2")"
}

#   put NAME VALUE
put() {
	etcd_call kv/put "$(put_json "$1" "$2")" >/dev/null
}

delete() {
	etcd_call kv/deleterange "{\"key\":\"$(b64 "$prefix$1")\"}" >/dev/null
}

# All NAMEs in one revision.
#   put_all VALUE NAME...
put_all() {
	local value=$1 ops= name
	shift
	for name in "$@"; do
		ops="$ops${ops:+,}{\"request_put\":$(put_json "$name" "$value")}"
	done
	etcd_call kv/txn "{\"success\":[$ops]}" >/dev/null
}

# Forgets all revisions but the newest.
compact() {
	local revision
	revision=$(put compact "" && etcd_call kv/range '{"key":"eA=="}' |
		sed 's/.*"revision":"\([0-9]*\)".*/\1/')
	etcd_call kv/compaction "{\"revision\":\"$revision\"}" >/dev/null
}

# --- The mount ----------------------------------------------------------------

is_mounted() {
	grep -q " $mnt .* fuse.etcdfs " /proc/self/mountinfo
}

is_ready() {
	if ended "$daemon"; then
		echo "etcdfs ended"
		exit 1
	fi
	# Root's becomes read-only last of all.
	is_mounted && { ! is_root || shows_read_only; }
}

is_root() {
	[ "$(id -u)" -eq 0 ]
}

shows_read_only() {
	grep -q " $mnt ro," /proc/self/mountinfo
}

# Runs etcdfs, and waits until everything is there.
#   mount_etcdfs [OPTION...]
mount_etcdfs() {
	mkdir -p "$mnt"
	put end 0 # by whose events the tests know that all others have come
	etcdfs "etcd://127.0.0.1:2379$prefix" "$mnt" -f "$@" >>"$log" 2>&1 &
	daemon=$!
	eventually is_ready
}

# As a person does; an ordinary user's can be busy in the instant of an announcement.
leave() {
	if is_root; then
		umount "$mnt"
	else
		eventually fusermount3 -u "$mnt"
	fi
}

# The warnings that the test provokes, as a regular expression.
allow() {
	echo "$1" >"$dir/allowed"
}

# That the daemon ends, well, and its mount with it.
is_left() {
	local status=0
	eventually ended "$daemon"
	wait "$daemon" || status=$?
	same "exit status of etcdfs" 0 "$status"
	! is_mounted
}

# --- Events -------------------------------------------------------------------

# Notes the events of PATHS, one "EVENTS NAME" a line, in FILE.
#   watch FILE PATH...
watch() {
	local file=$1
	shift
	: >"$file"
	: >"$file.err"
	inotifywait -m --format '%e %f' "$@" >"$file" 2>"$file.err" &
	eventually grep -q established "$file.err"
}

# The events in FILE up to the end of the key "end", which is changed COUNT times
# in the directory that is watched.
#   told FILE [COUNT]
told() {
	eventually closed_times "$1" "${2:-1}"
	grep -v ' end$' "$1" || true
}

closed_times() {
	[ "$(grep -c '^CLOSE_WRITE,CLOSE end$' "$1")" -ge "$2" ]
}

# --- Running ------------------------------------------------------------------

clean_up() {
	local pid
	set +e # its status is the test's
	for pid in $(jobs -p); do
		kill -9 "$pid"
	done
	if is_root; then
		umount -l "$mnt"
	else
		fusermount3 -uz "$mnt"
	fi
} 2>/dev/null

# Lines of the log that should not be there.
complaints() {
	touch "$1/allowed" # no line: nothing is allowed
	grep -iE '(warning|error|critical)\b' "$1/log" | grep -v -f "$1/allowed"
}

# In the process that is for it.
run_here() {
	dir=/tmp/$1
	mnt=$dir/mnt
	log=$dir/log
	prefix=/$1/
	mkdir "$dir"
	trap clean_up EXIT
	set -eu
	"$1"
}

run_as() {
	if [ "$1" = root ]; then
		sh "$0" "$2"
	else
		su "$1" -c "sh $0 $2"
	fi
}

# That a test has told TAP, with its log if it went wrong.
#   judge NAME STATUS TEXT
judge() {
	if [ "$2" -eq 0 ] && ! complaints "/tmp/$1" >/dev/null; then
		echo "ok $number - $3"
		return
	fi
	{
		cat "/tmp/$1.out"
		tail -n 30 "/tmp/$1/log"
	} | sed 's/^/# /'
	echo "not ok $number - $3"
}

run_test() {
	local now began user=root status
	look_at_clock
	began=$now
	number=$((number + 1))
	case $1 in
	*_as_a_user) user=nobody ;;
	esac
	run_as "$user" "$1" >"/tmp/$1.out" 2>&1
	status=$?
	look_at_clock
	judge "$1" "$status" "${1#test_} ($((now - began)) s)"
}

run_all() {
	local test
	for test in $(sed -n 's/^\(test_[a-z_]*\)().*/\1/p' "$0" | grep -e "$(cat /tests/only)"); do
		run_test "$test"
	done
	echo "1..$number"
}

# Without a name: everything.
main() {
	if [ $# -gt 0 ]; then
		run_here "$1"
	else
		etcd_start
		run_all
	fi
}
