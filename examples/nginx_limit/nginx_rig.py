# SPDX-License-Identifier: Apache-2.0
"""A real nginx with the module, in a folder of its own, for the test and the measurement."""

import fcntl
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

FOLDER = pathlib.Path(__file__).parent
NGINX = "/usr/sbin/nginx"
HANG_SECONDS = 60  # a limit for hangs, not a pause
WORKER_USER = "www-data"

CONFIG = """\
load_module {module};
{user}
pid {folder}/pid;
error_log {folder}/log {level};
worker_processes {workers};
worker_rlimit_core 0;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    {http}
    server {{
        listen {listen};
        {server}
    }}
}}
"""


class Hang(AssertionError):
    """A condition did not come true, or a request had no answer."""


def await_(condition, what):
    """Waits until condition() is true, and returns what it returned."""
    end = time.monotonic() + HANG_SECONDS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Hang(what)
        time.sleep(0.005)


def build_module(module, *headers):
    """None, or why this system cannot build the module. headers: a new folder for nginx's."""
    done = subprocess.run(
        [FOLDER / "build.sh", module, *headers], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode == 77:
        return done.stdout.splitlines()[-1]
    done.check_returncode()
    return None


def stat_of(pid):
    """The fields of /proc/PID/stat after the name: state, parent, ...; None: there is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def is_running(pid):
    """Whether it has not ended; a zombie has."""
    stat = stat_of(pid)
    return stat is not None and stat[0] not in "ZX"


def children_of(pid):
    """Those that run."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        stat = stat_of(path.name)
        if stat is not None and stat[0] not in "ZX" and stat[1] == str(pid):
            found.append(int(path.name))
    return sorted(found)


def is_worker(pid):
    """Whether nginx has named it one; a process that has ended is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"nginx: worker process")
    except OSError:
        return False


class Nginx:
    """Starts and ends nginx. Its zone is a POSIX segment, unless http says otherwise."""

    n_made = 0

    def __init__(self, module, workers=2, level="info", listen=None):
        Nginx.n_made += 1
        self.module = module
        self.workers = workers
        self.level = level
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nginx-limit-"))
        self.folder.chmod(0o711)
        self.zone = f"nginx_limit.{os.getpid()}.{Nginx.n_made}"
        self.listen = listen or f"unix:{self.folder}/socket"
        self.is_root = os.geteuid() == 0

    def configure(self, http, server):
        """Writes the configuration. ZONE in it is the zone's name, FOLDER the folder."""
        text = CONFIG.format(
            module=self.module,
            user=f"user {WORKER_USER};" if self.is_root else "",
            folder=self.folder,
            level=self.level,
            workers=self.workers,
            listen=self.listen,
            http=http,
            server=server,
        )
        text = text.replace("ZONE", self.zone).replace("FOLDER", str(self.folder))
        (self.folder / "conf").write_text(text)

    def command(self, *words):
        """Calls nginx with this configuration."""
        places = ["-p", self.folder, "-e", self.folder / "log", "-c", self.folder / "conf"]
        return subprocess.run(
            [NGINX, *places, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=HANG_SECONDS,
        )

    def start(self):
        """Returns when the workers run."""
        done = self.command()
        if done.returncode != 0:
            raise AssertionError(f"nginx did not start: {done.stdout}")
        await_(lambda: self.pid() and len(self.pids_of_workers()) == self.workers, "no workers")

    def pid(self, name="pid"):
        """The master's, or None."""
        try:
            return int((self.folder / name).read_text())
        except (OSError, ValueError):
            return None

    def pids_of_workers(self):
        """Of the present master, of those that are ready: nginx names a worker once it is set up.

        Before, a child still has its master's name and its master's user.
        """
        pid = self.pid()
        return [child for child in children_of(pid) if is_worker(child)] if pid else []

    def send(self, number, pid=None):
        os.kill(pid or self.pid(), number)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def await_log(self, text, n_times=1):
        """Waits until the log has the text so often."""
        await_(lambda: self.log().count(text) >= n_times, f"not in the log: {text}")

    def reload(self):
        """Returns when new workers run and the old ones have ended."""
        old = self.pids_of_workers()
        self.send(signal.SIGHUP)
        await_(
            lambda: not any(map(is_running, old))
            and len(self.pids_of_workers()) == self.workers,
            "the workers are not replaced",
        )

    def upgrade(self):
        """By another process of the same program; the old one ends. Returns both masters."""
        old = self.pid()
        self.send(signal.SIGUSR2)
        new = await_(lambda: self.pid() not in (None, old) and self.pid(), "no new master")
        await_(lambda: len(self.pids_of_workers()) == self.workers, "no new workers")
        self.send(signal.SIGQUIT, old)
        await_(lambda: not is_running(old), "the old master does not end")
        return old, new

    def stop(self, number=signal.SIGQUIT):
        """Ends the master, and waits for all of it."""
        pid = self.pid()
        if pid is None or not is_running(pid):
            return
        pids = [pid, *children_of(pid)]
        self.send(number, pid)
        if number == signal.SIGKILL:
            for worker in pids[1:]:
                os.kill(worker, number)
        await_(lambda: not any(map(is_running, pids)), "nginx does not end")

    def close(self):
        """Ends it, and removes all that it made."""
        try:
            self.stop()
        finally:
            for path in pathlib.Path("/dev/shm").glob(f"{self.zone}*"):
                path.unlink()
            shutil.rmtree(self.folder)

    # --- Requests, at a Unix socket ---

    def connect(self):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(HANG_SECONDS)
        link.connect(f"{self.folder}/socket")
        return link

    def ask(self, path, key="", link=None):
        """(status, body), or None if the connection ended without an answer; Hang if it did not."""
        try:
            with link or self.connect() as link:
                link.sendall(request_text(path, key).encode())
                answer = b""
                while part := link.recv(65536):
                    answer += part
        except TimeoutError as error:
            raise Hang(f"{path}: no answer") from error
        except OSError:
            return None
        head, _, body = answer.decode("latin-1").partition("\r\n\r\n")
        found = re.match(r"HTTP/1\.1 (\d+)", head)
        return (int(found[1]), body) if found else None

    def must_ask(self, path, key=""):
        """Asks until an answer comes: workers may be dying."""
        return await_(lambda: self.ask(path, key), f"{path}: no answer at all")

    def counts(self, zone=None):
        """The zone's line of the page, as a dict of numbers."""
        page = self.must_ask("/status")[1]
        for line in page.splitlines():
            words = dict(word.split("=", 1) for word in line.split())
            if words.pop("zone") == (zone or self.zone):
                return {name: int(value) for name, value in words.items()}
        raise AssertionError(page)


def request_text(path, key, more="Connection: close\r\n"):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Key: {key}\r\n{more}\r\n"


def await_read(link):
    """Waits until the other side has read all that was sent."""
    def n_unread():
        return struct.unpack("i", fcntl.ioctl(link, termios.TIOCOUTQ, b"\0" * 4))[0]

    await_(lambda: n_unread() == 0, "nginx does not read")


class Load:
    """Threads that ask a fixed number of requests and keep what came."""

    def __init__(self, nginx, n_threads, n_each, key_of, path="/file"):
        self.results = [[] for _ in range(n_threads)]  # (key, status or None)
        self.errors = []
        self.threads = [
            threading.Thread(target=self.run, args=(nginx, idx, n_each, key_of, path))
            for idx in range(n_threads)
        ]
        for thread in self.threads:
            thread.start()

    def run(self, nginx, idx, n_each, key_of, path):
        try:
            for number in range(n_each):
                key = key_of(idx, number)
                answer = nginx.ask(path, key)
                self.results[idx].append((key, answer and answer[0]))
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)

    def n_done(self):
        return sum(map(len, self.results))

    def await_done(self, n):
        """Waits until so many requests have ended."""
        await_(lambda: self.errors or self.n_done() >= n, f"{n} requests do not end")

    def join(self):
        """All results."""
        for thread in self.threads:
            thread.join()
        if self.errors:
            raise self.errors[0]
        return [result for each in self.results for result in each]


def status_of(pid, pattern):
    """A number in a line of /proc/PID/status."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(pattern, text, re.MULTILINE)[1])


def uid_of(pid):
    """The effective user of a process."""
    return status_of(pid, r"^Uid:\t\d+\t(\d+)")


def tracer_of(pid):
    """The debugger of a process, or 0."""
    return status_of(pid, r"^TracerPid:\t(\d+)")


def debug(pid, *commands):
    """gdb at a process."""
    words = ["gdb", "-nx", "-batch", "-ex", "set confirm off", "-ex", "set debuginfod enabled off"]
    for command in commands:
        words += ["-ex", command]
    return subprocess.Popen(
        [*words, "-p", str(pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def worker_uid():
    """The user that workers should have."""
    return pwd.getpwnam(WORKER_USER).pw_uid if os.geteuid() == 0 else os.geteuid()
