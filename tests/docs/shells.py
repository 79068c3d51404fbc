# SPDX-License-Identifier: Apache-2.0
"""What a shell proposes, asked for as a person does: at a terminal, with a key.

Each shell has all that it proposes written down.  A line ends where the cursor is.
"""

import os
import pty
import select
import shutil
import subprocess
import tempfile

from wait import Deadline


class Terminal:
    """COMMAND at a terminal of its own."""

    def __init__(self, command, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {**os.environ, "TERM": "dumb", **env})
        self.seen = b""

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, text):
        """Reads until TEXT was shown."""
        deadline = Deadline(f"{text!r} at the terminal")
        while text.encode() not in self.seen:
            if select.select([self.fd], [], [], deadline.left())[0]:
                self.seen += os.read(self.fd, 65536)
        self.seen = b""

    def close(self):
        os.close(self.fd)  # it hangs up
        os.waitpid(self.pid, 0)


class Bash:
    """M-* puts all that it would propose into the line; the line is then printed."""

    def __init__(self, completions):
        self.directory = tempfile.mkdtemp(prefix="etcdfs-test-")
        self.said = os.path.join(self.directory, "said")
        self.terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], {"PS1": ""})
        sources = ["/usr/share/bash-completion/bash_completion",
                   *(os.path.join(completions, name) for name in ("etcdfs", "etcdfs-wait"))]
        self.terminal.type(
            "stty -echo; bind 'set enable-bracketed-paste off'\n" +
            "".join(f". {source}\n" for source in sources) +
            f"said() {{ printf '%s\\n' \"$@\" > {self.said}; echo 'I have'' said'; }}\n"
            "echo 'I am'' ready'\n")
        self.terminal.until("I am ready")

    def proposes(self, line):
        self.terminal.type(f"{line}\033*\x01said \n")
        self.terminal.until("I have said")
        with open(self.said, encoding="utf-8") as file:
            words = file.read().splitlines()
        return set(words[len(line.split()) - (not line.endswith(" ")):])

    def close(self):
        self.terminal.close()
        shutil.rmtree(self.directory)


# What the completion adds, it hands to compadd, the one way to propose anything.
ZSH = """fpath=({completions} $fpath); autoload -U compinit; compinit -u -D
compadd() {{
	if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
	local -a hits
	builtin compadd -O hits "$@"
	print -lr -- $hits >> {said}
	builtin compadd "$@"
}}
finish() {{ zle kill-whole-line; print -r 'I have'' said' }}
zle -N finish; bindkey '^T' finish
stty -echo; PS1=; LISTMAX=-1
"""


class Zsh:
    def __init__(self, completions):
        self.directory = tempfile.mkdtemp(prefix="etcdfs-test-")
        self.said = os.path.join(self.directory, "said")
        rc = os.path.join(self.directory, ".zshrc")
        with open(rc, "w", encoding="utf-8") as file:
            file.write(ZSH.format(completions=completions, said=self.said) +
                       "print 'I am'' ready'\n")
        self.terminal = Terminal(["zsh", "-d", "-i"], {"ZDOTDIR": self.directory})
        self.terminal.until("I am ready")

    def proposes(self, line):
        with open(self.said, "w", encoding="utf-8"):
            pass
        self.terminal.type(f"{line}\t\x14")
        self.terminal.until("I have said")
        with open(self.said, encoding="utf-8") as file:
            return set(file.read().splitlines()) - {""}

    close = Bash.close


class Fish:
    """complete -C is what the tabulator does."""

    def __init__(self, completions):
        self.home = tempfile.mkdtemp(prefix="etcdfs-test-")
        self.sources = [os.path.join(completions, name)
                        for name in ("etcdfs.fish", "etcdfs-wait.fish")]

    def proposes(self, line):
        script = "".join(f"source {source}\n" for source in self.sources)
        done = subprocess.run(["fish", "--no-config", "-c", f"{script}complete -C '{line}'"],
                              check=True, capture_output=True, text=True,
                              env={**os.environ, "HOME": self.home})
        return {said.split("\t")[0] for said in done.stdout.splitlines()}

    def close(self):
        shutil.rmtree(self.home)
