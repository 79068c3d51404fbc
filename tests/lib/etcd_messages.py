# SPDX-License-Identifier: Apache-2.0
"""etcd's messages as classes: those of watch/*.proto, so what etcdfs can see."""

import os
import subprocess
import types

from google.protobuf import descriptor_pb2, message_factory

_WATCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "watch")


def _described():
    """The build needs protoc-c anyway, and it is protoc with another back end."""
    protoc = subprocess.run(
        ["protoc-c", f"--proto_path={_WATCH}", "--include_imports",
         "--descriptor_set_out=/dev/stdout", "rpc.proto"], check=True, stdout=subprocess.PIPE)
    return descriptor_pb2.FileDescriptorSet.FromString(protoc.stdout)


pb = types.SimpleNamespace(**{
    name.rpartition(".")[2]: message
    for name, message in message_factory.GetMessages(_described().file).items()})
