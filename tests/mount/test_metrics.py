#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What .etcdfs/metrics and .etcdfs/status count: each thing provoked, and seen there."""

import glob
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
import metrics  # noqa: E402
import stall  # noqa: E402
from etcd import Auth, Keys, free_port  # noqa: E402
from fake import FakeEtcd  # noqa: E402
from mount import privileged  # noqa: E402
from proxy import Proxy  # noqa: E402
from readme import ROOT, readme  # noqa: E402

AWAY = [r"connect", r"lost", r"etcd"]
TOOLS = os.path.join(ROOT, "tools")
RULES = os.path.join(TOOLS, "prometheus", "etcdfs.rules.yml")
DASHBOARD = os.path.join(TOOLS, "grafana", "etcdfs.json")
METRIC = re.compile(r"\betcdfs_\w+")

needs_promtool = unittest.skipUnless(metrics.PROMTOOL, "no promtool")


def grown(before, after, name):
    """What a metric with a label has gained, by the label's value.  But for what the
    kernel does when it likes."""
    then = before.of(name)
    return {label: value - then.get(label, 0) for label, value in after.of(name).items()
            if value != then.get(label, 0) and label != "forget"}


class Text(case.MountTest):
    @needs_promtool
    def test_promtool_has_no_complaint(self):
        text = self.mount().read(".etcdfs", "metrics").decode()
        self.assertEqual("", metrics.promtool("check", "metrics", input=text))

    def test_a_mount_point_that_needs_escapes(self):
        directory = os.path.join(self.directory, 'a "quoted\\ one')
        mount = self.mount(directory=directory)
        text = mount.read(".etcdfs", "metrics").decode()
        self.assertIn('/a \\"quoted\\\\ one/mnt"', text)
        if metrics.PROMTOOL:
            self.assertEqual("", metrics.promtool("check", "metrics", input=text))

    def test_a_descriptor_keeps_its_text(self):
        mount = self.mount()
        with open(mount.join(".etcdfs", "metrics"), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.keys.put("f", "1")
            mount.settle()
            text = file.read()
        self.assertEqual(size, len(text))
        self.assertNotEqual(text, mount.read(".etcdfs", "metrics"))

    def test_the_list_is_complete(self):
        """tools/prometheus/README.md has name, type, labels and help of each."""
        found = metrics.read(self.mount())
        with open(os.path.join(TOOLS, "prometheus", "README.md"), encoding="utf-8") as file:
            rows = re.findall(r"^\| `(etcdfs_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", file.read(),
                              re.MULTILINE)
        self.assertEqual({name: (found.type[name], found.labels[name], found.help[name])
                          for name in found.type},
                         {name: (kind, re.findall(r"`(\w+)`", labels), text)
                          for name, kind, labels, text in rows})

    def test_the_fields_of_the_status_are_documented(self):
        """In the README: no other, and none is missing."""
        mount = self.mount("-o", "max_stale=60s")
        status = mount.status()
        section = readme().partition("## At 3 in the morning")[2].partition("\n\n|")[2]
        rows = section.partition("\n\n")[0].splitlines()
        names = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
        self.assertEqual(sorted(status), sorted(names))
        for field in ("reseeds", "errors", "lag", "seeds", "inodes", "announcements", "options"):
            for name in status[field]:
                self.assertIn(f"`{name}`", "\n".join(rows), field)

    def test_what_is_mounted(self):
        mount = self.mount("-o", "max_stale=60s,stale_policy=fail")
        status = mount.status()
        self.assertEqual((mount.source, mount.path, self.keys.prefix.decode(),
                          {"max_stale_ms": 60000, "stale_policy": "fail"}),
                         tuple(status[name] for name in ("source", "mountpoint", "prefix",
                                                         "options")))
        found = metrics.read(mount)
        self.assertEqual(1, found["etcdfs_mount_info", mount.source])
        self.assertEqual(1, found["etcdfs_build_info", status["version"]])
        self.assertEqual({"live": 1}, found.of("etcdfs_state"))


class Files(case.MountTest):
    """The alerts and the dashboard speak of what there is."""

    def dashboard(self):
        with open(DASHBOARD, encoding="utf-8") as file:
            return json.load(file)

    def expressions(self):
        return [target["expr"] for panel in self.dashboard()["panels"]
                for target in panel["targets"]]

    def test_only_metrics_that_exist(self):
        found = {key[0] for key in metrics.read(self.mount()).values}
        with open(RULES, encoding="utf-8") as file:
            named = set(METRIC.findall("\n".join(re.findall(r"expr: (.*)", file.read()))))
        self.assertGreater(len(named), 5)
        self.assertEqual(set(), named - found)
        shown = set(METRIC.findall("\n".join(self.expressions())))
        self.assertGreater(len(shown), 20)
        self.assertEqual(set(), shown - found)

    def test_the_dashboard_can_be_imported(self):
        dashboard = self.dashboard()
        for field in ("title", "uid", "schemaVersion", "panels", "templating", "time"):
            self.assertIn(field, dashboard)
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        places = set()
        for panel in dashboard["panels"]:
            self.assertLessEqual({"type", "title", "gridPos", "targets", "datasource"}, set(panel))
            grid = panel["gridPos"]
            self.assertLessEqual(grid["x"] + grid["w"], 24, panel["title"])
            for x in range(grid["x"], grid["x"] + grid["w"]):
                self.assertNotIn((x, grid["y"]), places, panel["title"])
                places.add((x, grid["y"]))
        variables = {variable["name"] for variable in dashboard["templating"]["list"]}
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard["panels"])))
        self.assertEqual({"__rate_interval"}, used - variables)

    @needs_promtool
    def test_promtool_takes_the_queries(self):
        rules = [{"record": "x", "expr": expr.replace("$__rate_interval", "5m")}
                 for expr in self.expressions()]
        path = os.path.join(self.directory, "rules.yml")
        with open(path, "w", encoding="utf-8") as file:
            for number, rule in enumerate(rules):  # JSON is YAML
                rule["record"] += str(number)
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
        self.assertEqual("", metrics.promtool("check", "rules", path))

    @needs_promtool
    def test_promtool_takes_the_alerts(self):
        self.assertEqual("", metrics.promtool("check", "rules", RULES))
        for tests in glob.glob(os.path.join(os.path.dirname(RULES), "*.test.yml")):
            self.assertEqual("", metrics.promtool("test", "rules", tests))


class Counted(case.MountTest):
    def test_events(self):
        """Each is counted once, and so are the times that it took."""
        self.keys.put("d/old", "1")
        mount = self.mount()
        os.listdir(mount.join("d"))
        mount.settle()
        before = metrics.read(mount)
        for number in range(10):
            self.keys.put(f"d/new-{number}", "1")
        self.keys.txn({f"d/more-{number}": "1" for number in range(5)}, ["d/old"])
        mount.settle()  # with a put of its own
        after = metrics.read(mount)
        self.assertEqual({"put": 16, "delete": 1}, grown(before, after, "etcdfs_events_total"))
        for name, count in {"etcdfs_batches_total": 12, "etcdfs_apply_seconds_count": 12,
                            "etcdfs_announcements_told_total": 17,
                            "etcdfs_announce_seconds_count": 17, "etcdfs_keys": 14}.items():
            self.assertEqual(count, after[name] - before[name], name)
        for name in ("etcdfs_apply_seconds", "etcdfs_announce_seconds"):
            self.assertEqual(after[f"{name}_count"], after[f"{name}_bucket", "+Inf"])
            self.assertGreater(after[f"{name}_sum"], before[f"{name}_sum"])
            buckets = [value for key, value in after.values.items() if key[0] == f"{name}_bucket"]
            self.assertEqual(sorted(buckets), buckets)
        self.assertGreaterEqual(after["etcdfs_notifications_total"] -
                                before["etcdfs_notifications_total"], 17)
        self.assertGreater(after["etcdfs_received_bytes_total"],
                           before["etcdfs_received_bytes_total"] + 17 * len("d/new-0"))
        self.assertEqual(0, after["etcdfs_announcements_untold_total"])

    def test_requests(self):
        """What the kernel has seen before makes none."""
        self.keys.put("f", "1")
        mount = self.mount()
        os.stat(mount.join("f"))
        metrics.read(mount)
        read = [metrics.read(mount) for _ in range(2)]
        alone = grown(*read, "etcdfs_requests_total")
        for _ in range(100):
            os.stat(mount.join("f"))
        warm = metrics.read(mount)
        self.assertEqual(alone, grown(read[1], warm, "etcdfs_requests_total"))
        for number in range(10):
            os.path.exists(mount.join(f"none-{number}"))
        cold = metrics.read(mount)
        self.assertEqual({**alone, "lookup": alone["lookup"] + 10},
                         grown(warm, cold, "etcdfs_requests_total"))

    def test_the_seed(self):
        self.keys.fill((f"{number:03}", b"x" * 100) for number in range(300))
        mount = self.mount()
        found, status = metrics.read(mount), mount.status()
        self.assertEqual((1, 301), (found["etcdfs_seeds_total"], found["etcdfs_seed_keys"]))
        self.assertGreater(found["etcdfs_seed_bytes"], 300 * 100)
        self.assertGreater(found["etcdfs_seed_duration_seconds"], 0)
        self.assertEqual((1, 301, found["etcdfs_seed_bytes"]),
                         tuple(status["seeds"][name] for name in ("complete", "last_keys",
                                                                  "last_bytes")))
        self.assertEqual((301, 300 * 100 + 1), (found["etcdfs_keys"], found["etcdfs_value_bytes"]))

    def test_the_process(self):
        mount = self.mount()
        found = metrics.read(mount)
        self.assertAlmostEqual(mount.process_status("VmRSS") * 1024,
                               found["etcdfs_process_resident_memory_bytes"], delta=1 << 23)
        self.assertGreater(found["etcdfs_process_threads"], 3)
        fds = len(os.listdir(f"/proc/{mount.process.pid}/fd")) if privileged() else 10
        self.assertAlmostEqual(fds, found["etcdfs_process_open_fds"], delta=10)

    @case.privileged_only("it stops another mount's daemon")
    def test_an_announcement_that_waits(self):
        keys = Keys(self.keys.etcd, f"/slow{self.keys.prefix.decode()}")
        keys.put(stall.Gate.KEY, stall.Gate.VALUE)
        slow = self.mount(keys=keys, directory=os.path.join(self.directory, "slow"))
        gate = stall.Gate(slow)
        self.addCleanup(gate.open)
        self.keys.put("d/f", "1")
        mount = self.mount()
        os.stat(mount.join("d", "f"))
        told = metrics.read(mount)["etcdfs_announce_seconds_count"]
        watcher = self.watcher()
        watcher.add(mount.join("d"), inotify.CLOSE_WRITE)
        gate.close(mount.join("d"))
        self.keys.put("d/f", "2")
        stall.until(lambda: metrics.read(mount)["etcdfs_announcements_pending"] == 1, "it waits")
        self.assertEqual(told, metrics.read(mount)["etcdfs_announce_seconds_count"])
        gate.open()
        watcher.until_closed("f")
        stall.until(lambda: metrics.read(mount)["etcdfs_announcements_pending"] == 0, "it is told")
        self.assertEqual(told + 1, metrics.read(mount)["etcdfs_announce_seconds_count"])


class Mishaps(case.MountTest):
    def proxied(self, *args):
        if not self.etcd:
            self.own_etcd()
        self.proxy = Proxy(free_port(), self.etcd.port)
        self.addCleanup(self.proxy.close)
        self.keys.put("f", "1")
        return self.mount(*args, endpoint=self.proxy.endpoint, allow=AWAY)

    def test_a_lost_connection(self):
        mount = self.proxied()
        before = metrics.read(mount)
        self.assertEqual({}, before.of("etcdfs_errors_total"))
        self.proxy.refuse()
        status = mount.wait_state("reconnecting")
        self.assertEqual("unreachable", status["last_error_kind"])
        away = metrics.read(mount)
        self.assertEqual({"reconnecting": 1}, away.of("etcdfs_state"))
        self.assertEqual({"unreachable"}, set(away.of("etcdfs_errors_total")))
        self.proxy.accept()
        status = mount.wait_state("live")
        after = metrics.read(mount)
        self.assertEqual((1, 1, 0), (after["etcdfs_reconnects_total"], status["reconnects"],
                                     sum(status["reseeds"].values())))
        self.assertGreater(after["etcdfs_last_contact_timestamp_seconds"],
                           away["etcdfs_last_contact_timestamp_seconds"])
        self.assertGreater(after["etcdfs_probes_total"], before["etcdfs_probes_total"])
        self.assertEqual(status["lag"]["probe_revision"], after["etcdfs_probe_revision"])

    def test_compacted(self):
        mount = self.proxied()
        self.proxy.refuse()
        mount.wait_state("reconnecting")
        self.keys.put("f", "2")
        self.etcd.compact(self.keys.put("f", "3"))
        self.proxy.accept()
        status = mount.wait_state("live")
        found = metrics.read(mount)
        self.assertEqual({"compacted": 1}, found.of("etcdfs_reseeds_total"))
        self.assertEqual(1, found["etcdfs_errors_total", "compacted"])
        self.assertEqual("compacted", status["last_error_kind"])
        self.assertEqual((2, 2), (found["etcdfs_seeds_total"], found["etcdfs_pages_total"]))

    def test_denied(self):
        self.own_etcd("--bcrypt-cost=4")
        auth = Auth(self.etcd)
        auth.add_role("reader")
        auth.grant_read("reader", self.keys.prefix)
        auth.add_user("reader", "secret")
        auth.grant_role("reader", "reader")
        auth.enable()
        mount = self.proxied("--user=reader", "--password=secret")
        self.assertGreaterEqual(metrics.read(mount)["etcdfs_tokens_total"], 1)
        auth.revoke_role("reader", "reader")
        self.proxy.cut()
        status = mount.wait_state("denied")
        found = metrics.read(mount)
        self.assertEqual({"denied": 1}, found.of("etcdfs_state"))
        self.assertEqual("denied", status["last_error_kind"])
        self.assertEqual({"denied", "unreachable"}, set(found.of("etcdfs_errors_total")))
        for file in ("status", "metrics"):
            self.assertNotIn(b"secret", mount.read(".etcdfs", file))

    def test_an_event_that_etcd_lost(self):
        fake = FakeEtcd()
        self.addCleanup(fake.stop)
        self.keys = FakeKeys(fake, "/lost/")
        self.keys.put("key", "1")
        mount = self.mount()
        self.assertEqual(0, mount.status()["losses_detected"])
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CLOSE_WRITE)
        os.stat(mount.join("key"))
        fake.order("quiet")
        self.keys.put("key", "2")
        fake.order("skip")
        fake.order("loud")
        self.keys.put("key", "3")
        watcher.until_closed("key")
        status, found = mount.wait_state("live"), metrics.read(mount)
        self.assertEqual((1, "event_lost"), (status["losses_detected"], status["last_error_kind"]))
        self.assertEqual(1, found["etcdfs_losses_detected_total"])
        self.assertEqual({"event_lost": 1}, found.of("etcdfs_reseeds_total"))
        self.assertEqual({"event_lost": 1}, found.of("etcdfs_errors_total"))
        self.assertEqual(b"3", mount.read("key"))


class FakeKeys(Keys):
    def put(self, name, value, lease=0):
        return self.etcd.put(self.full(name), value)


if __name__ == "__main__":
    case.main()
