# SPDX-License-Identifier: Apache-2.0
"""The README's example, replayed; and what else it states as a fact."""

import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))

import case  # noqa: E402
from etcd import Keys  # noqa: E402
from readme import ROOT, example, readme  # noqa: E402


class Readme(case.MountTest):
    def setUp(self):
        super().setUp()
        etcd = self.own_etcd()
        self.keys = Keys(etcd, b"")
        self.environment = {**os.environ, "ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": etcd.endpoint,
                            "LC_ALL": "C"}

    def run_command(self, command, path):
        done = subprocess.run(["bash", "-c", command], env={**self.environment, "MNT": path},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        said = done.stdout.replace(path, "$MNT").replace("bash: line 1: ", "bash: ")
        return said.splitlines()

    def test_the_example(self):
        subprocess.run([os.path.join(ROOT, "tools", "sample")], env=self.environment, check=True,
                       stdin=subprocess.DEVNULL)
        mount = self.mount()
        [(watch, told)] = example("watch")
        with subprocess.Popen(["bash", "-c", f"exec {watch}"], text=True,
                              env={**self.environment, "MNT": mount.path},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watcher:
            try:
                while "Watches established" not in watcher.stderr.readline():
                    self.assertIsNone(watcher.poll())
                for command, output in example("change"):
                    self.assertEqual(output, self.run_command(command, mount.path), command)
                    mount.settle()  # as long as a person needs for the next line
                self.assertEqual(told, [watcher.stdout.readline().rstrip("\n") for _ in told])
            finally:
                watcher.terminate()

    def test_status_has_what_is_documented(self):
        mount = self.mount()
        rows = re.findall(r"^\| (`[^|]*) \|", readme(), re.MULTILINE)
        documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
        status = json.loads(mount.read(".etcdfs", "status"))
        self.assertEqual(set(), set(status) - documented - {"version"})
        for field, rows in (("reseeds", readme()), ("announcements", readme())):
            for name in status[field]:
                self.assertIn(f"`{name}`", rows)

    def test_faults_have_the_tests_they_name(self):
        _, table = readme().split("## When something fails")
        rows = re.findall(r"^\|.*\|(.*)\|$", table.split("\n## ")[0], re.MULTILINE)[2:]
        self.assertGreater(len(rows), 20)
        for row in rows:
            path, classes = None, ()
            for name in re.findall(r"`([^`]*)`", row):
                if name.endswith(".py"):
                    path = os.path.join(ROOT, "tests", name)
                    with open(path, encoding="utf-8") as text:
                        classes = re.findall(r"^class (\w+)", text.read(), re.MULTILINE)
                elif not name.startswith("tools/"):
                    self.assertIn(name, classes, f"{path}: {row}")


if __name__ == "__main__":
    case.main()
