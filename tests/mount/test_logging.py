#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The log in the background and in a service: each line with its fields in the journal,
and in syslog where there is no journal; nothing secret in any of them.

Root's: this test is its own journald, in a mount namespace of its own."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import journal  # noqa: E402
import libc  # noqa: E402
from etcd import Auth, free_port  # noqa: E402
from mount import Mount, find_mount, unmount_from_background, wait_mounts, wrapper  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import ENDS_WITH_US, Deadline  # noqa: E402

MS_RDONLY, MS_REMOUNT = 1, 32
PASSWORD = "Correct-Horse-Battery-Staple"
CRIT, ERR, WARNING, NOTICE, INFO, DEBUG = map(str, range(2, 8))


def setUpModule():
    journal.hide()


class LoggingTest(case.MountTest):
    def setUp(self):
        super().setUp()
        self.keys.put("f", "1")
        self.point = os.path.join(self.directory, "mnt")
        os.mkdir(self.point)
        self.seen = Mount(self.program(), self.keys, self.directory)  # to look into it
        self.proxy = Proxy(free_port(), self.keys.etcd.port)
        self.addCleanup(self.proxy.close)
        self.source = f"etcd://{self.proxy.endpoint}{self.keys.prefix.decode()}"

    def collect(self, collector):
        self.addCleanup(collector.close)
        return collector

    def command(self, *args, source=None):
        return [*wrapper(), self.program(), source or self.source, self.point, *args]

    def mount_behind(self, log, *args, **options):
        """Goes to the background; returns what LOG got of the mount."""
        result = subprocess.run(self.command(*args, **options), check=False,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.addCleanup(self.unmount_rest)
        self.assertEqual((0, "", ""), (result.returncode, result.stdout, result.stderr))
        return log.until(" is mounted on ") if log else None

    def unmount_rest(self):
        if find_mount(self.point) is not None:
            unmount_from_background(self.point)

    def make_untold(self, key):
        """Nobody can be told of a change to KEY: a person has made the filesystem
        read-only behind the daemon's back."""
        libc.call("mount", None, os.fsencode(self.point), None, MS_REMOUNT | MS_RDONLY, None)
        os.listdir(self.point)  # somebody is there
        self.keys.put(key, "2")

    def assert_has(self, entry, **fields):
        self.assertEqual(fields, {name: entry.get(name) for name in fields})


class InTheJournal(LoggingTest):
    def test_each_state_with_its_fields(self):
        log = self.collect(journal.Journal())
        entry = self.mount_behind(log)
        status = self.seen.status()
        every = {"SYSLOG_IDENTIFIER": "etcdfs", "SYSLOG_FACILITY": "3",
                 "ETCDFS_SOURCE": self.source, "ETCDFS_MOUNTPOINT": self.point,
                 "GLIB_DOMAIN": "etcdfs", "_PID": entry["_PID"]}
        self.assert_has(entry, **every, PRIORITY=NOTICE, ETCDFS_STATE=None,
                        MESSAGE=f"{self.source} is mounted on {self.point}")
        told = {**every, "ETCDFS_ENDPOINT": self.proxy.endpoint,
                "ETCDFS_REVISION": str(status["revision"]),
                "ETCDFS_CLUSTER_ID": status["cluster_id"], "ETCDFS_REASON": None}
        self.proxy.refuse()
        entry = log.until("lost contact")
        self.assertRegex(entry["ETCDFS_ERROR"], "connection (reset|refused)")
        self.assert_has(entry, **told, PRIORITY=WARNING, ETCDFS_STATE="reconnecting",
                        ETCDFS_ERROR_KIND="unreachable",
                        MESSAGE=f"lost contact with etcd at {self.proxy.endpoint}: "
                                f"{entry['ETCDFS_ERROR']}")
        self.proxy.accept()
        entry = log.until("^watching ")
        self.assert_has(entry, **told, PRIORITY=NOTICE, ETCDFS_STATE="live", ETCDFS_ERROR=None,
                        ETCDFS_ERROR_KIND=None, ETCDFS_MEMBER_ID=status["member_id"],
                        MESSAGE=f"watching etcd at {self.proxy.endpoint} from revision "
                                f"{status['revision']}")
        unmount_from_background(self.point)
        self.assert_has(log.until("is unmounted"), **every, PRIORITY=NOTICE,
                        MESSAGE=f"{self.point} is unmounted")

    def test_why_everything_is_read_again(self):
        log = self.collect(journal.Journal())
        self.mount_behind(log)
        self.proxy.refuse()
        log.until("lost contact")
        revision = self.keys.put("f", "2")
        self.keys.put("f", "3")
        self.keys.etcd.call("compaction", {"revision": str(revision), "physical": True})
        self.proxy.accept()
        entry = log.until("reading everything again")
        self.assert_has(entry, PRIORITY=NOTICE, ETCDFS_STATE="reseeding",
                        ETCDFS_REASON="compacted", ETCDFS_SOURCE=self.source)
        self.assertTrue(entry["MESSAGE"].endswith(entry["ETCDFS_ERROR"]), entry)

    def test_what_the_announcer_says(self):
        """Its thread cannot write: it has descriptors of its own.  And a key is not to
        write a second line, or a field."""
        name = "n\nPRIORITY=0\nETCDFS_STATE=live"
        log = self.collect(journal.Journal())
        self.mount_behind(log)
        self.make_untold(name)
        entry = log.until("were not told")
        self.assert_has(entry, PRIORITY=WARNING, ETCDFS_MOUNTPOINT=self.point,
                        ETCDFS_SOURCE=self.source, ETCDFS_STATE=None, CODE_FUNC="announce")
        self.assertIn("\"n\\nPRIORITY=0\\nETCDFS_STATE=live\"", entry["MESSAGE"])

    def test_the_journal_comes_later(self):
        """Or was restarted; and nobody waits for one that is not there."""
        self.mount_behind(None)
        log = self.collect(journal.Journal())
        self.proxy.refuse()
        self.assert_has(log.until("lost contact"), PRIORITY=WARNING, ETCDFS_STATE="reconnecting")

    def test_why_it_ends(self):
        """Also for whoever waits for it."""
        log = self.collect(journal.Journal())
        source = f"etcd://127.0.0.1:{free_port()}/"
        result = subprocess.run(self.command("--dial-timeout=100ms", source=source), check=False, text=True,
                                stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(1, result.returncode)
        entry = log.until("not reachable")
        self.assertEqual(f"etcdfs: {entry['MESSAGE']}\n", result.stderr)
        self.assert_has(entry, PRIORITY=ERR, ETCDFS_SOURCE=source, ETCDFS_MOUNTPOINT=self.point)

    def test_it_gets_stale(self):
        log = self.collect(journal.Journal())
        self.mount_behind(log, "--max-stale=1s")
        self.proxy.refuse()
        self.assert_has(log.until("stale"), PRIORITY=WARNING, ETCDFS_STATE="stale",
                        ETCDFS_ENDPOINT=self.proxy.endpoint, ETCDFS_ERROR_KIND="unreachable")

    def test_denied_and_nothing_secret(self):
        etcd = self.own_etcd("--bcrypt-cost=4")
        self.keys.put("f", "the value")
        auth = Auth(etcd)
        auth.add_user("u", PASSWORD)
        auth.enable()
        auth.grant_role("u", "root")
        self.proxy.retarget(etcd.port)
        log = self.collect(journal.Journal())
        self.mount_behind(log, "--log-level=debug", "-o", f"user=u,password={PASSWORD}")
        with open(os.path.join(self.point, "f"), encoding="ascii") as file:
            self.assertEqual("the value", file.read())
        self.proxy.refuse()
        log.until("lost contact")
        auth.revoke_role("u", "root")
        self.proxy.accept()
        entry = log.until("denies access")
        self.assert_has(entry, PRIORITY=WARNING, ETCDFS_STATE="denied",
                        ETCDFS_ERROR="etcdserver: permission denied",
                        ETCDFS_ERROR_KIND="denied", ETCDFS_ENDPOINT=self.proxy.endpoint)
        unmount_from_background(self.point)
        log.queued()
        self.assertIn(b"fuse: lookup", log.raw)
        for secret in (PASSWORD, "the value"):
            self.assertNotIn(secret.encode(), log.raw)


class Levels(LoggingTest):
    def test_only_warnings(self):
        log = self.collect(journal.Journal())
        self.mount_behind(None, "--log-level=warning")
        self.proxy.refuse()
        self.assertIn("lost contact", log.next()["MESSAGE"])

    def test_requests(self):
        """In the background, too, and without -d."""
        log = self.collect(journal.Journal())
        self.mount_behind(log, "-o", "log_level=debug")
        self.assertFalse(os.path.exists(os.path.join(self.point, "nobody")))
        self.assert_has(log.until('^fuse: lookup .*"nobody"'), PRIORITY=DEBUG,
                        ETCDFS_MOUNTPOINT=self.point)


class InAService(LoggingTest):
    """In the foreground, and standard error is the journal's."""

    def run_service(self, stderr, *args, **environment):
        process = subprocess.Popen([*ENDS_WITH_US, "TERM", *self.command("-f", *args)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=stderr, env={**os.environ, **environment})
        self.addCleanup(self.unmount_rest)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def test_standard_error_is_the_journal(self):
        log = self.collect(journal.Journal())
        stream = self.collect(journal.JournalStream())
        process = self.run_service(stream.service)
        entry = log.until(" is mounted on ")
        self.assert_has(entry, PRIORITY=NOTICE, ETCDFS_SOURCE=self.source, _PID=process.pid)
        self.make_untold("g")
        self.assert_has(log.until("were not told"), PRIORITY=WARNING, CODE_FUNC="announce")
        process.terminate()
        self.assertEqual(0, process.wait(Deadline("etcdfs ends").left()))
        self.assertEqual(b"", stream.said())

    def test_it_is_a_journal_of_another_name(self):
        """As LogNamespace= has it: only the variable tells."""
        log = self.collect(journal.Journal())
        with open(os.path.join(self.directory, "stream"), "w+b") as stream:
            st = os.fstat(stream.fileno())
            self.run_service(stream, JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino}")
            log.until(" is mounted on ")
            self.assertEqual(0, os.fstat(stream.fileno()).st_size)

    def test_it_is_not(self):
        """The variable was inherited, and standard error is another's since."""
        log = self.collect(journal.Journal())
        with open(os.path.join(self.directory, "other"), "w+b") as other:
            process = self.run_service(other, JOURNAL_STREAM="1:1")
            wait_mounts(lambda: find_mount(self.point) is not None,
                        Deadline("etcdfs mounts"), process)
            process.terminate()
            self.assertEqual(0, process.wait(Deadline("etcdfs ends").left()))
            other.seek(0)
            self.assertIn(b" is mounted on ", other.read())
        self.assertEqual([], log.queued())

    def test_why_it_ends(self):
        """Once, and not as two different lines."""
        log = self.collect(journal.Journal())
        stream = self.collect(journal.JournalStream())
        self.source = f"etcd://127.0.0.1:{free_port()}/"
        process = self.run_service(stream.service, "--dial-timeout=100ms")
        self.assertEqual(1, process.wait(Deadline("etcdfs ends").left()))
        self.assert_has(log.until("not reachable"), PRIORITY=ERR, ETCDFS_SOURCE=self.source)
        self.assertEqual(b"", stream.said())


class WithoutStandardStreams(LoggingTest):
    def test_nothing_else_gets_their_numbers(self):
        """And then what is written there.  (Standard input, which nobody reads, a library
        may have taken before we begin.)"""
        process = subprocess.Popen([*ENDS_WITH_US, "TERM", "sh", "-c",
                                    'exec "$@" <&- >&- 2>&-', "sh", *self.command("-f")])
        self.addCleanup(self.unmount_rest)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        wait_mounts(lambda: find_mount(self.point) is not None, Deadline("etcdfs mounts"),
                    process)
        self.assertEqual(["/dev/null"] * 2, [os.readlink(f"/proc/{process.pid}/fd/{fd}")
                                             for fd in (1, 2)])


class InSyslog(LoggingTest):
    def test_without_a_journal(self):
        log = self.collect(journal.Syslog())
        entry = self.mount_behind(log)
        every = {"SYSLOG_IDENTIFIER": "etcdfs", "SYSLOG_FACILITY": "3", "_PID": entry["_PID"],
                 "SYSLOG_PID": entry["_PID"]}
        self.assert_has(entry, **every, PRIORITY=NOTICE,
                        MESSAGE=f"{self.source} is mounted on {self.point}")
        self.proxy.refuse()
        self.assert_has(log.until("lost contact"), **every, PRIORITY=WARNING)
        self.proxy.accept()
        log.until("^watching ")
        self.make_untold("n\n<0>etcdfs: all is well")
        entry = log.until("were not told")
        self.assert_has(entry, **every, PRIORITY=WARNING)
        unmount_from_background(self.point)

    def test_a_journal_is_preferred(self):
        syslog = self.collect(journal.Syslog())
        log = self.collect(journal.Journal())
        self.mount_behind(log)
        self.assertEqual([], syslog.queued())


if __name__ == "__main__":
    case.main()
