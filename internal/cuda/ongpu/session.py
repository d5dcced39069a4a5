"""Steps within a budget of time: each is a process with a limit, and each outcome is
on disk as soon as it is known, since the machine may be taken away at any time."""

import glob
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time

RESERVE = 8  # seconds kept to write the last results
LEAST = 3  # seconds below which no step is begun
SAVE_EVERY = 10  # seconds between two archives of the output

PASSED, FAILED, TIMEOUT, MISSING, NOT_REACHED = "passed", "failed", "timeout", "missing", "not reached"

# Where programs and libraries of NVIDIA's may be that no path leads to.
TOOLS = ("/usr/local/cuda*/bin", "/opt/nvidia/nsight-compute/*")
DRIVERS = ("/usr/local/nvidia/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/local/cuda/compat")


class Session:
    """The steps so far, and the time that is left for others. work is a folder for
    programs and logs the one for what steps print; both go at the end."""

    def __init__(self, out, seconds, only=None):
        self.began = time.monotonic()
        self.end = self.began + seconds - min(RESERVE, seconds / 4)
        self.out, self.only, self.steps = os.path.abspath(out), only, []
        os.makedirs(self.out, exist_ok=True)
        self.work = tempfile.mkdtemp(prefix="edm-gpu-")
        self.logs = os.path.join(self.work, "logs")
        os.mkdir(self.logs)
        self.saving, self.ended = threading.Lock(), threading.Event()
        self.saver = threading.Thread(target=self.save_again, daemon=True)

    def __enter__(self):
        signal.signal(signal.SIGTERM, interrupted)
        self.saver.start()
        return self

    def __exit__(self, kind, *_):
        self.ended.set()
        self.saver.join()
        self.save()
        shutil.rmtree(self.work, ignore_errors=True)
        print(self.table(), flush=True)
        return kind is Stopped

    def left(self):
        """Returns the seconds that are left for steps."""
        return self.end - time.monotonic()

    def failed(self):
        """Returns the steps that went wrong."""
        return [s for s in self.steps if s["verdict"] in (FAILED, TIMEOUT)]

    def call(self, name, work):
        """Makes a step of a function and reports whether it ended well."""
        began = time.monotonic()
        try:
            work()
        except Exception as e:  # whatever it is, it is the step's outcome
            self.note(name, FAILED, began, f"{type(e).__name__}: {e}")
            return False
        self.note(name, PASSED, began, "")
        return True

    def step(self, name, limit, command, figure, folder=None, environment=None):
        """Runs a command, with its output in a log, for at most limit seconds.
        figure(log) returns what the log says in short and raises ValueError if it
        shows a failure that the exit status does not."""
        began = time.monotonic()
        if self.only and name not in self.only:
            return
        limit = min(limit, self.left())
        if limit < LEAST:
            self.note(name, NOT_REACHED, began, "")
            return
        log = os.path.join(self.logs, name.replace(" ", "-") + ".log")
        print(f"{name}: at most {limit:.0f} s", flush=True)
        try:
            status = execute(command, log, limit, folder, environment)
        except OSError as e:
            self.note(name, FAILED, began, str(e))
            return
        except Stopped:
            self.note(name, FAILED, began, "stopped by a signal")
            raise
        self.judge(name, status, began, figure, log)

    def judge(self, name, status, began, figure, log):
        """Notes how a command ended: None is out of time."""
        verdict = {0: PASSED, None: TIMEOUT}.get(status, FAILED)
        try:
            said = figure(log)
        except Exception as e:  # a log that was cut is no reason to end the run
            said = f"{e}" if isinstance(e, ValueError) else f"{type(e).__name__}: {e}"
            if verdict == PASSED:
                verdict = FAILED
        if verdict == FAILED:
            said = f"{said}; exit status {status}: {last_line(log)}"
        self.note(name, verdict, began, said)

    def tool(self, program, limit, arguments, figure, name=None, **more):
        """Runs a program that need not be installed."""
        path = find_tool(program)
        name = name or program
        if path:
            self.step(name, limit, [path, *arguments], figure, **more)
        elif not self.only or name in self.only:
            self.note(name, MISSING, time.monotonic(), f"no {program} on this machine")

    def note(self, name, verdict, began, figure):
        """Adds an outcome to verdict.json."""
        self.steps.append({"step": name, "verdict": verdict, "seconds": round(time.monotonic() - began, 1), "figure": figure})
        print(row(self.steps[-1]).splitlines()[0], flush=True)
        replace(os.path.join(self.out, "verdict.json"), json.dumps(self.steps, indent=1).encode() + b"\n")

    def save_again(self):
        while not self.ended.wait(SAVE_EVERY):
            self.save()

    def save(self):
        """Writes result.tar.gz: the verdicts and all output."""
        with self.saving:
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w:gz") as t:
                for path in sorted(glob.glob(os.path.join(self.logs, "*"))) + [os.path.join(self.out, "verdict.json")]:
                    if os.path.exists(path):
                        add(t, path)
            replace(os.path.join(self.out, "result.tar.gz"), packed.getvalue())

    def table(self):
        """Returns what a person reads."""
        lines = [row(s) for s in self.steps]
        counts = {v: sum(s["verdict"] == v for s in self.steps) for v in (PASSED, FAILED, TIMEOUT, MISSING, NOT_REACHED)}
        total = ", ".join(f"{n} {v}" for v, n in counts.items() if n or v in (PASSED, FAILED))
        return "\n".join(["", *lines, "", f"{total}, {time.monotonic() - self.began:.0f} s; logs in {self.out}/result.tar.gz"])


def row(s):
    first, *rest = (s["figure"] or "").splitlines() or [""]
    return "\n".join([f"{s['verdict']:<12}{s['seconds']:>6.1f} s  {s['step']:<20}{first}", *(f"{'':<42}{line}" for line in rest)])


def execute(command, log, limit, folder, environment):
    """Runs a command and returns its exit status, or None if it ran out of time. A
    Go program that is told to quit prints where it is."""
    with open(log, "wb") as output:
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
                             env={**os.environ, **(environment or {})}, start_new_session=True)
        try:
            return p.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            stop(p.pid, signal.SIGQUIT)
            try:
                p.wait(timeout=3)
            except subprocess.TimeoutExpired:
                pass
            return None
        finally:
            stop(p.pid, signal.SIGKILL)  # those that it started, too
            p.wait()


def stop(group, how):
    try:
        os.killpg(group, how)
    except ProcessLookupError:
        pass


def add(archive, path):
    """Adds a file as it is at this moment: a log may be growing."""
    with open(path, "rb") as f:
        data = f.read()
    entry = tarfile.TarInfo(os.path.basename(path))
    entry.size, entry.mtime = len(data), int(os.path.getmtime(path))
    archive.addfile(entry, io.BytesIO(data))


def replace(path, data):
    """Writes a file that is whole at every moment."""
    part = path + ".part"
    with open(part, "wb") as f:
        f.write(data)
    os.replace(part, path)


def last_line(path):
    with open(path, errors="replace") as f:
        lines = [line.strip() for line in f if line.strip()]
    return lines[-1][:200] if lines else "no output"


def find_tool(name):
    """Returns the path of a program, or None."""
    folders = [f for pattern in TOOLS for f in sorted(glob.glob(pattern), reverse=True)]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


def find_driver():
    """Names the driver in the environment where the loader would not find it."""
    if os.environ.get("EDM_CUDA_DRIVER"):
        return
    try:
        known = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    except OSError:
        known = ""
    if "libcuda.so.1" in known:
        return
    for folder in [*os.environ.get("LD_LIBRARY_PATH", "").split(":"), *DRIVERS]:
        path = os.path.join(folder, "libcuda.so.1")
        if folder and os.path.exists(path):
            os.environ["EDM_CUDA_DRIVER"] = path
            return


class Stopped(BaseException):
    """A signal asked the run to end: no handler of errors is to go on after it."""


def interrupted(*_):
    raise Stopped
