# SPDX-License-Identifier: Apache-2.0
"""Prometheus's text format, and what Prometheus itself says of it."""

import re
import shutil
import subprocess

_SAMPLE = re.compile(r'(\w+)\{(.*)\} (\S+)')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
PROMTOOL = shutil.which("promtool")


class Metrics:
    """TEXT taken apart; the label of the mount is checked and taken off."""

    def __init__(self, text, mountpoint):
        self.help, self.type, self.labels, self.values = {}, {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                _, _, name, self.help[name] = line.split(" ", 3)
            elif line.startswith("# TYPE "):
                _, _, name, self.type[name] = line.split(" ", 3)
                self.labels[name] = []
            else:
                self._add(*_SAMPLE.fullmatch(line).groups(), mountpoint)

    def _add(self, name, labels, value, mountpoint):
        labels = dict(_LABEL.findall(labels))
        assert labels.pop("mountpoint") == mountpoint, labels
        family = next(f for f in (name, re.sub("_(bucket|sum|count)$", "", name))
                      if f in self.type)
        # After the type of its own family, and before the next.
        assert family == list(self.type)[-1], name
        self.labels[family] += [label for label in labels
                                if label != "le" and label not in self.labels[family]]
        key = name, *sorted(labels.values())
        assert key not in self.values, key
        self.values[key] = float(value)

    def __getitem__(self, key):
        """The value of NAME, or of (NAME, LABEL'S VALUE...)."""
        return self.values[key if isinstance(key, tuple) else (key,)]

    def of(self, name):
        """{value of the label: value} of a metric with one label, without zeros."""
        return {key[1]: value for key, value in self.values.items()
                if key[0] == name and value}


def read(mount):
    return Metrics(mount.read(".etcdfs", "metrics").decode(), mount.path)


def promtool(*args, **options):
    """Returns what it complains of."""
    done = subprocess.run([PROMTOOL, *args], text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    return done.stdout if done.returncode or "metrics" in args else ""
