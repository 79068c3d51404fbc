# SPDX-License-Identifier: Apache-2.0
"""What is said of each command: by its --help, by its man page, by the sources.

PROGRAMS has them, a colon between; MAN_PAGES names the directory of the man pages,
COMPLETIONS that of what the shells read.
"""

import os
import re
import subprocess

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MAN = os.path.join(ROOT, "tools", "man")
SECTIONS = {"etcdfs": 8, "etcdfs-wait": 1}


def programs():
    """{command: its program}."""
    return {os.path.basename(path): path for path in os.environ["PROGRAMS"].split(":")}


def help_options(program):
    """{long flag: (letter or None, value or None)} of --help."""
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^  (?:(-\w), )?(--[\w-]+)(?:=(\S+))?(?=\s)", text, re.MULTILINE)
    return {flag: (letter or None, value or None) for letter, flag, value in found}


def page_text(command):
    """The man page as a person reads it, in lines that no option is too long for."""
    page = os.path.join(os.environ["MAN_PAGES"], f"{command}.{SECTIONS[command]}")
    return subprocess.run(["man", "-E", "UTF-8", "-l", page], check=True, capture_output=True,
                          text=True, env={**os.environ, "MANWIDTH": "150"}).stdout


def page_section(command, title):
    found = re.search(rf"^{title}\n(.*?)^(?=\S)", page_text(command), re.MULTILINE | re.DOTALL)
    return found[1]


def page_options(command):
    """As help_options, of the man page.  Behind a short one its description begins."""
    found = re.findall(r"^ {7}(?:(-\w), )?(--[\w-]+)(?:=(\S+)|\[=\S+\])?"
                       r"(?=$|   |(?<=^ {7}--\w{4}) [A-Z])",
                       page_section(command, "OPTIONS"), re.MULTILINE)
    return {flag: (letter or None, value or None) for letter, flag, value in found}


def mount_options():
    """{fate: names} of the table in the sources: PASSED, TOLERATED, REFUSED."""
    with open(os.path.join(ROOT, "fs", "mountopt.c"), encoding="utf-8") as file:
        found = re.findall(r'^    \{"([^"]*)", (\w+),', file.read(), re.MULTILINE)
    fates = {}
    for name, fate in found:
        fates.setdefault(fate, set()).add(name.removesuffix("*"))
    return fates


def page_mount_options():
    """[names of each list of the page's section]; the source's, in which no name is cut."""
    with open(os.path.join(MAN, "etcdfs.8.rst"), encoding="utf-8") as file:
        section = re.search(r"^Mount options\n-+\n(.*?)\n\n\w[^\n]*\n=", file.read(),
                            re.MULTILINE | re.DOTALL)[1]
    lists = re.findall(r"(?:^ {4}.*\n?)+", section, re.MULTILINE)
    return [set(re.findall(r"\*\*([^*]+)\*\*", re.sub(r"\([^)]*\)", "", text)))
            for text in lists]


def variables():
    """Every variable of etcdctl's that the program reads."""
    found = set()
    for name in os.listdir(os.path.join(ROOT, "fs")):
        with open(os.path.join(ROOT, "fs", name), encoding="utf-8") as file:
            found |= set(re.findall(r'"(ETCDCTL_\w+)"', file.read()))
    return found


def hidden_options():
    """Those that --help does not show."""
    with open(os.path.join(ROOT, "fs", "flags.c"), encoding="utf-8") as file:
        return {f"--{name}" for name in re.findall(r'\{"([\w-]+)", 0, HIDDEN', file.read())}
