"""The sides of a comparison as processes that stay warm and answer a JSON line
with a JSON line, and what the system says of them."""

import json
import os
import subprocess
import time

# Threads of a side spin for a moment after their work: OpenMP's for up to 0.2
# s, a BLAS's for some hundredths. A timing starts after this pause, once the
# sides have in fact been idle.
PAUSE = 0.3
IDLE_WINDOW, IDLE_LIMIT = 0.1, 0.02  # seconds, and processor seconds of all sides in them
IDLE_TRIES = 20


class Process:
    """One side. Its first line describes it."""

    def __init__(self, label, command, threads):
        self.label, self.threads = label, threads
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  env=environment(threads))
        try:
            self.about = self.read()
        except BaseException:
            self.close()
            raise

    def read(self):
        line = self.p.stdout.readline()
        if not line:
            raise SystemExit(f"{self.label}: ended with exit status {self.p.wait()}")
        answer = json.loads(line)
        if answer.get("error"):
            raise SystemExit(f"{self.label}: {answer['error']}")
        return answer

    def ask(self, **command):
        self.p.stdin.write(json.dumps(command) + "\n")
        self.p.stdin.flush()
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
        answer["cpu"] = None if before is None else self.cpu() - before
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

    def close(self):
        """Ends the process, by force if it does not end itself."""
        self.p.stdin.close()
        try:
            self.p.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.p.stdout.close()


def settle(sides):
    """Waits until no side works. Returns False if one still did at the end."""
    time.sleep(PAUSE)
    for _ in range(IDLE_TRIES):
        before = [s.cpu() for s in sides]
        if None in before:
            return True
        time.sleep(IDLE_WINDOW)
        if sum(s.cpu() for s in sides) - sum(before) <= IDLE_LIMIT:
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
