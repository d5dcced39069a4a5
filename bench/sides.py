"""The sides of a comparison as processes that stay warm and answer a JSON line
with a JSON line, and what the system says of them."""

import json
import os
import queue
import subprocess
import tempfile
import threading
import time

# Threads of a side spin for a moment after their work: OpenMP's for up to 0.2
# s, a BLAS's for some hundredths. A timing starts after this pause, once the
# sides have in fact been idle.
PAUSE = 0.3
IDLE_WINDOW, IDLE_LIMIT = 0.1, 0.02  # seconds, and processor seconds of all sides in them
IDLE_TRIES = 20


class Failed(SystemExit):
    """A side cannot go on. A program that does not catch it ends and prints why."""

    def __init__(self, label, reason, late=False):
        super().__init__(f"{label}: {reason}")
        self.reason, self.late = reason, late


class Process:
    """One side. Its first line describes it. An answer may take `limit` seconds,
    which is a number, None for any time, or a function that returns either. With
    `quiet` its error output is kept: Failed then says the last line of it."""

    def __init__(self, label, command, threads, limit=None, more=None, quiet=False):
        self.label, self.threads, self.limit = label, threads, limit
        self.errors = tempfile.TemporaryFile("w+", errors="replace") if quiet else None
        self.lines = queue.SimpleQueue()
        try:
            self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                      env={**environment(threads), **(more or {})})
        except OSError as e:
            raise Failed(label, f"does not start: {e}") from e
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()
        try:
            self.about = self.read()
        except BaseException:
            self.kill()
            self.close()
            raise

    def listen(self):
        for line in self.p.stdout:
            self.lines.put(line)
        self.lines.put("")

    def read(self):
        limit = self.limit() if callable(self.limit) else self.limit
        try:
            line = self.lines.get(timeout=limit)
        except queue.Empty:
            self.kill()
            raise Failed(self.label, f"no answer in {limit:.3g} s", late=True) from None
        if not line:
            raise self.ended()
        try:
            answer = json.loads(line)
        except ValueError:
            raise Failed(self.label, f"answered {line.strip()!r}, want JSON") from None
        if answer.get("error"):
            raise Failed(self.label, answer["error"])
        return answer

    def ended(self):
        said = last_line(self.errors)
        return Failed(self.label, f"ended with exit status {self.p.wait()}" + (f": {said}" if said else ""))

    def ask(self, **command):
        try:
            self.p.stdin.write(json.dumps(command) + "\n")
            self.p.stdin.flush()
        except OSError:
            raise self.ended() from None
        return self.read()

    def warm_up(self, mode, tries=6):
        """Runs single steps until one is no faster than the one before (the
        first compile, tune and touch memory) and returns the seconds of one."""
        last = self.ask(do=mode, steps=1)["seconds"]
        for _ in range(tries):
            before, last = last, self.ask(do=mode, steps=1)["seconds"]
            if last > 0.9 * before:
                break
        return last

    def time(self, mode, steps):
        """Returns seconds, images, and the processor seconds used."""
        before = self.cpu()
        answer = self.ask(do=mode, steps=steps)
        after = self.cpu()
        answer["cpu"] = None if None in (before, after) else after - before
        return answer

    def cpu(self):
        """Returns the processor seconds of the process so far, or None."""
        fields = proc(self.p.pid, "stat")
        if fields is None:
            return None
        fields = fields.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self):
        """Returns the most memory the process ever had resident, in MiB."""
        for line in (proc(self.p.pid, "status") or "").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return None

    def kill(self):
        self.p.kill()

    def close(self):
        """Ends the process, by force if it does not end itself."""
        try:
            self.p.stdin.close()
        except OSError:
            pass  # It died with a command unread.
        try:
            self.p.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            self.p.wait()
        self.reader.join(timeout=1)  # A child of the process may hold its output open.
        if not self.reader.is_alive():
            self.p.stdout.close()
        if self.errors:
            self.errors.close()


def last_line(f):
    """Returns the last line of a file that is not blank, or nothing."""
    if f is None:
        return ""
    f.seek(0)
    lines = [line.strip() for line in f if line.strip()]
    return lines[-1] if lines else ""


def settle(sides):
    """Waits until no side works. Returns False if one still did at the end."""
    time.sleep(PAUSE)
    for _ in range(IDLE_TRIES):
        before = [s.cpu() for s in sides]
        if None in before:
            return True
        time.sleep(IDLE_WINDOW)
        after = [s.cpu() for s in sides]
        if None in after or sum(after) - sum(before) <= IDLE_LIMIT:
            return True
    return False


def proc(pid, name):
    """Returns a file of Linux's /proc, or None on other systems."""
    try:
        with open(f"/proc/{pid}/{name}") as f:
            return f.read()
    except OSError:
        return None


def environment(threads):
    """PyTorch built with a generic BLAS does not pass its thread count on."""
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    return {**os.environ, **{name: str(threads) for name in names}}
