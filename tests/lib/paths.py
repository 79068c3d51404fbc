# SPDX-License-Identifier: Apache-2.0
"""Keys and paths, written a second time to judge the first: simple, slow, whole.

A path is a tuple of components, as bytes.
"""

import re

# A component that was too long: its beginning, then a hash; the key is in the xattr.
CUT = re.compile(rb"^(.*)%~([0-9a-f]+)$", re.DOTALL)
NAME_MAX = 255


def _escaped(raw):
    return raw.replace(b"%", b"%25").replace(b"\0", b"%00")


def _component(raw, at_root):
    if raw == b"":
        return b"%"
    if raw in (b".", b"..", b".value") or (at_root and raw == b".etcdfs"):
        return b"%2E" + _escaped(raw[1:])
    return _escaped(raw)


def _components(key):
    base = key[1:] if key.startswith(b"/") else key
    if not base:
        return ()
    return tuple(_component(raw, i == 0) for i, raw in enumerate(base.split(b"/")))


def paths(keys):
    """{path: key} of the files that KEYS (less the prefix) show as; a component
    over NAME_MAX is left whole here."""
    keys = set(keys)
    claims = {}
    for key in keys:
        path = _components(key)
        if key.startswith(b"/") and key[1:] in keys and _components(key[1:]) == path:
            # With the slash in front, a dot needs no escape any more.
            path = (b"%2F" + _escaped(key[1:].split(b"/")[0]),) + path[1:]
        assert path not in claims, f"{key} and {claims[path]} are both {path}"
        claims[path] = key
    directories = {path[:n] for path in claims for n in range(len(path))} | {()}
    return {path + (b".value",) if path in directories else path: key
            for path, key in claims.items()}


def fits(path):
    return all(len(name) <= NAME_MAX for name in path)


def cut_matches(shown, whole):
    """Whether SHOWN, a path as listed, is WHOLE with what is too long cut."""
    if len(shown) != len(whole):
        return False
    for name, full in zip(shown, whole):
        if len(full) <= NAME_MAX:
            if name != full:
                return False
        else:
            cut = CUT.match(name)
            if not cut or len(name) > NAME_MAX or not full.startswith(cut[1]):
                return False
    return True
