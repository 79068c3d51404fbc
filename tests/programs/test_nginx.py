#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nginx, its configuration and its pages in etcd.

What reloads it is the loop that people write: inotifywait, `nginx -t`, `nginx -s reload`.
"""

import http.client
import os
import re
import socket
import subprocess

import program
from inotify import CLOSE_WRITE
from mount import privileged
from wait import Deadline, times

RELOAD = """
inotifywait -m -r -e close_write,delete "$1/conf.d" | while read -r _; do
    if nginx -q -t -p "$2" -c "$1/nginx.conf"; then
        nginx -p "$2" -c "$1/nginx.conf" -s reload
        echo reloaded
    else
        echo refused
    fi
done
"""

# What is not in etcd: where this nginx may write.
MAIN = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include conf.d/*.conf;
}}
"""


def site(text):
    """A configuration whose only answer is TEXT."""
    return f"server {{ listen unix:nginx.sock; return 200 {text}; }}"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=Deadline("nginx answers").left())
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class NginxTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.need("nginx")
        # Its workers are another user than root, who makes no way for them.
        os.chmod(self.directory, 0o755)
        self.keys.put("nginx.conf", MAIN.format(directory=self.directory))
        self.socket = os.path.join(self.directory, "nginx.sock")

    def configure(self, name, text):
        self.keys.put(f"conf.d/{name}", text.replace("unix:nginx.sock", f"unix:{self.socket}"))

    def start_nginx(self):
        """With what the mount has; it answers."""
        self.mounted = self.mount(*(["-o", "allow_other"] if privileged() else []))
        self.nginx = self.start("nginx", "-p", self.directory, "-e", "stderr",
                                "-c", self.mounted.join("nginx.conf"))
        deadline = Deadline("nginx listens")
        while not self._answers():
            self.assertIsNone(self.nginx.process.poll(), "nginx ended")
            deadline.pause()

    def _answers(self):
        try:
            self.get("/")
            return True
        except OSError:
            return False

    def get(self, path, **headers):
        """(status, body) of an answer that is whole."""
        connection = _Connection(self.socket)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get_until(self, path, before, after):
        """Asks for PATH until the answer is AFTER; until then it is BEFORE."""
        deadline = Deadline(f"{path} is {after}")
        while (answer := self.get(path)) != after:
            self.assertEqual(before, answer)
            deadline.pause()


class Configuration(NginxTest):
    def start_reloading(self):
        self.start_nginx()
        self.loop = self.script(RELOAD, self.mounted.path, self.directory)
        self.loop.until("Watches established")

    def test_a_change_of_the_configuration(self):
        self.configure("site.conf", site("one"))
        self.start_reloading()
        self.assertEqual((200, b"one"), self.get("/"))
        self.configure("site.conf", site("two"))
        self.loop.until("reloaded")
        self.get_until("/", (200, b"one"), (200, b"two"))

    def test_a_bad_configuration_is_refused(self):
        self.configure("site.conf", site("one"))
        self.start_reloading()
        self.configure("site.conf", "server { this is not nginx")
        said = self.loop.until("refused")
        self.assertIn("unexpected end of file", " ".join(said))
        self.assertEqual((200, b"one"), self.get("/"))
        self.configure("site.conf", site("two"))
        self.assertNotIn("refused", self.loop.until("reloaded"))
        self.get_until("/", (200, b"one"), (200, b"two"))

    def test_a_file_that_comes_and_goes(self):
        self.configure("site.conf", "server { listen unix:nginx.sock; include conf.d/*.location; "
                       "location / { return 404 missing; } }")
        self.start_reloading()
        missing = (404, b"missing")
        self.assertEqual(missing, self.get("/new"))
        self.configure("new.location", "location /new { return 200 new; }")
        self.loop.until("reloaded")
        self.get_until("/new", missing, (200, b"new"))
        self.keys.delete("conf.d/new.location")
        self.loop.until("reloaded")
        self.get_until("/new", (200, b"new"), missing)


class Transaction(NginxTest):
    FILES = 60
    VERSION = re.compile(r"version_(\d+)")

    def put_version(self, number):
        """Files of which any is invalid without the others of the same version."""
        names = ["a", *(f"m{i}" for i in range(self.FILES)), "z"]
        texts = [f"map $uri $version_{number} {{ default {number}; }}",
                 *(f"map $version_{number} $unused_{i} {{ default {i}; }}"
                   for i in range(self.FILES)),
                 f"server {{ listen unix:{self.socket}; return 200 $version_{number}; }}"]
        self.keys.txn({f"conf.d/{name}.conf": text for name, text in zip(names, texts)})

    def dump(self):
        return subprocess.run(
            ["nginx", "-T", "-q", "-p", self.directory, "-e", "stderr",
             "-c", self.mounted.join("nginx.conf")], check=False, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, env=program.ENVIRONMENT)

    def test_who_is_woken_by_the_first_event_reads_one_version(self):
        self.put_version(0)
        self.mounted = self.mount()
        watcher = self.watcher()
        watcher.add(self.mounted.join("conf.d"), CLOSE_WRITE)
        for number in range(1, times(8) + 1):
            self.put_version(number)
            watcher.next()
            done = self.dump()
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertEqual({str(number)}, set(self.VERSION.findall(done.stdout)))
            watcher.until_closed("z.conf")


class Pages(NginxTest):
    """Static files, sent by sendfile(2)."""

    def start_serving(self, options=""):
        # More than a page of memory, more than one buffer, and each byte says which it is.
        self.pages = [bytes([digit]) * 300_000 for digit in b"0123456789"]
        self.keys.put("pages/page", self.pages[0])
        self.configure("site.conf", "server { listen unix:nginx.sock; sendfile on; "
                       f"{options} root {self.directory}/mnt/pages; }}")
        self.start_nginx()

    def test_an_update_is_served_at_once(self):
        self.start_serving()
        for page in self.pages:
            self.keys.put("pages/page", page)
            self.mounted.settle()
            self.assertEqual((200, page), self.get("/page"))

    def test_pages_come_and_go_at_once(self):
        self.start_serving()
        for _ in range(3):
            self.assertEqual(404, self.get("/new")[0])
            self.keys.put("pages/new", "new")
            self.mounted.settle()
            self.assertEqual((200, b"new"), self.get("/new"))
            self.keys.delete("pages/new")
            self.mounted.settle()

    def test_open_files_are_kept_no_longer_than_nginx_was_told(self):
        self.start_serving("open_file_cache max=10; open_file_cache_valid 1s; "
                           "open_file_cache_errors on;")
        for before, after in zip(self.pages[:2], self.pages[1:3]):
            self.get("/page")
            self.keys.put("pages/page", after)
            self.get_until("/page", (200, before), (200, after))

    def test_what_has_not_changed_is_not_sent_again(self):
        self.start_serving()
        connection = _Connection(self.socket)
        self.addCleanup(connection.close)
        connection.request("GET", "/page")
        answer = connection.getresponse()
        answer.read()
        tag = answer.headers["ETag"]
        self.assertEqual(304, self.get("/page", **{"If-None-Match": tag})[0])
        self.keys.put("pages/page", "of another size")
        self.mounted.settle()
        self.assertEqual((200, b"of another size"), self.get("/page", **{"If-None-Match": tag}))


if __name__ == "__main__":
    program.main()
