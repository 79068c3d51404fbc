# SPDX-License-Identifier: Apache-2.0
"""Many keys, as large trees have them: a thousand to a directory, each with 100 bytes."""

import etcd

VALUE = b"v" * 100
IN_DIRECTORY = 1000


def name(number):
    return f"{number // IN_DIRECTORY:04}/{number:07}"


def fill(server, prefix, count):
    keys = etcd.Keys(server, prefix)
    keys.fill((name(number), VALUE) for number in range(count))
    return keys


# Of each key only this, and its value, is not to be had for less.
NEEDED = len(name(0).rpartition("/")[2]) + len(VALUE)
