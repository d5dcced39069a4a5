"""Tests of the steps, with programs that only pretend to check something."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import figures
import session


def python(code):
    return [sys.executable, "-c", code]


def first_line(log):
    return figures.text(log).splitlines()[0]


class InAFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = folder.name

    def verdicts(self):
        with open(os.path.join(self.out, "verdict.json")) as f:
            return [(s["step"], s["verdict"], s["figure"]) for s in json.load(f)]

    def logs(self):
        with tarfile.open(os.path.join(self.out, "result.tar.gz")) as t:
            return {m.name: t.extractfile(m).read().decode() for m in t}


class Steps(InAFolder):
    def run_steps(self, work, seconds=60, only=None):
        text = io.StringIO()
        with contextlib.redirect_stdout(text), session.Session(self.out, seconds, only) as s:
            work(s)
        return s, text.getvalue()

    def test_each_outcome(self):
        def work(s):
            s.step("good", 10, python("print('fine')"), first_line)
            s.step("bad", 10, python("print('x'); print('a cause'); raise SystemExit(3)"), first_line)
            s.step("slow", 3, python("import time; print('began', flush=True); time.sleep(60)"), first_line)
            s.step("no such", 10, [os.path.join(self.out, "none")], first_line)
            s.step("silent", 10, python("pass"), figures.tests)
            s.tool("no-program-of-that-name", 10, [], first_line)
            s.step("after", 10, python("print('still')"), first_line)

        s, text = self.run_steps(work)
        want = [("good", "passed", "fine"), ("bad", "failed", "x; exit status 3: a cause"), ("slow", "timeout", "began"),
                ("no such", "failed", None), ("silent", "failed", "0 passed; exit status 0: no output"),
                ("no-program-of-that-name", "missing", "no no-program-of-that-name on this machine"), ("after", "passed", "still")]
        got = self.verdicts()
        self.assertEqual([g[:2] for g in got], [w[:2] for w in want])
        for g, w in zip(got, want):
            if w[2] is not None:
                self.assertEqual(g[2], w[2])
        self.assertEqual([f["step"] for f in s.failed()], ["bad", "slow", "no such", "silent"])
        self.assertIn("2 passed, 3 failed, 1 timeout, 1 missing", text)
        self.assertEqual(self.logs()["bad.log"], "x\na cause\n")

    def test_time_runs_out(self):
        began = time.monotonic()
        s, _ = self.run_steps(lambda s: [s.step(str(i), 60, python("import time; time.sleep(60)"), first_line) for i in range(3)], seconds=6)
        self.assertEqual([v[1] for v in self.verdicts()], ["timeout", "not reached", "not reached"])
        self.assertLess(time.monotonic() - began, 12)

    def test_only_some(self):
        self.run_steps(lambda s: [s.step(n, 10, python("print(1)"), first_line) for n in "abc"], only=["b"])
        self.assertEqual([v[0] for v in self.verdicts()], ["b"])

    def test_children_end_with_their_step(self):
        code = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(p.pid)"
        self.run_steps(lambda s: s.step("parent", 10, python(code), first_line))
        pid = int(self.logs()["parent.log"])
        for _ in range(100):  # until whoever inherits it has noticed
            try:
                with open(f"/proc/{pid}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                        return
            except FileNotFoundError:
                return
            time.sleep(0.05)
        self.fail("a child of a step still runs")


class Signals(InAFolder):
    CODE = """
import sys
sys.path.insert(0, sys.argv[1])
import session
session.SAVE_EVERY = 0.1
with session.Session(sys.argv[2], 60) as s:
    s.step("done", 10, ["echo", "here"], lambda log: "here")
    s.step("cut", 50, ["sh", "-c", "echo begun; exec sleep 50.25"], lambda log: "")
    s.step("later", 50, ["true"], lambda log: "")
print("after")
"""

    def start(self):
        p = subprocess.Popen([sys.executable, "-c", self.CODE, HERE, self.out], stdout=subprocess.PIPE, text=True)
        self.addCleanup(p.stdout.close)
        for _ in range(200):
            with contextlib.suppress(FileNotFoundError, tarfile.TarError, KeyError):
                if "begun" in self.logs()["cut.log"]:
                    return p
            time.sleep(0.05)
        self.fail("the second step did not begin")

    def test_terminated(self):
        p = self.start()
        p.send_signal(signal.SIGTERM)
        said, _ = p.communicate(timeout=20)
        self.assertEqual(self.verdicts(), [("done", "passed", "here"), ("cut", "failed", "stopped by a signal")])
        self.assertIn("1 passed, 1 failed", said)
        self.assertEqual(p.returncode, 0)

    def test_killed(self):
        p = self.start()
        p.kill()
        p.communicate(timeout=20)
        self.assertEqual(self.verdicts(), [("done", "passed", "here")])
        self.assertEqual(self.logs()["cut.log"], "begun\n")
        subprocess.run(["pkill", "-f", "^sleep 50.25"], check=False)


class Figures(InAFolder):
    def log(self, text):
        path = os.path.join(self.out, "log")
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_tests(self):
        self.assertEqual(figures.tests(self.log("=== RUN x\n--- PASS: TestA (0.1s)\n    --- PASS: TestA/b (0s)\nPASS\n")), "1 passed")
        for text, want in [("--- PASS: TestA (0s)\n--- FAIL: TestB (0s)\n", "1 passed, FAIL TestB"),
                           ("--- SKIP: TestA (0s)\n", "0 passed, SKIP TestA"), ("testing: warning: no tests to run\n", "0 passed")]:
            with self.assertRaisesRegex(ValueError, want):
                figures.tests(self.log(text))

    def test_device(self):
        screen = ("| NVIDIA-SMI 580.159.03   Driver Version: 580.159.03   CUDA Version: 13.0 |\n"
                  "|   0  NVIDIA H200                    On  |   00000000:00:00.0 Off |   0 |\n")
        self.assertEqual(figures.device(self.log(screen)), "NVIDIA H200, driver 580.159.03")

    def test_speed(self):
        said = {"train_img_per_s": 1840, "forward_img_per_s": 5000, "train_share_of_peak": 0.3, "forward_share_of_peak": 0.4,
                "fma_peak_gflops": 700000, "kernels": "cuda-bf16",
                "gpu": {"copy_peak_gb_per_s": 4300, "operations": [{"ms": 1.5, "calls": 3, "share_of_peak": 0.5, "limit": "products", "name": "Conv2D"}] * 9}}
        lines = figures.speed(self.log("warming up\n" + json.dumps(said) + "\n")).splitlines()
        self.assertEqual(lines[0], "training 1840 img/s, evaluation 5000 img/s; 30 and 40 % of 700 TFLOP/s; copies 4300 GB/s; cuda-bf16")
        self.assertEqual(lines[1].split(), "1.500 ms, 3 calls, 50 % of products: Conv2D".split())
        self.assertEqual(len(lines), 9)

    def test_comparison(self):
        rows = [{"case": "cifar10:128", "precision": "bf16", "mode": "train", "side": "edm", "status": "ok", "img_per_s": 1840.4},
                {"case": "cifar10:128", "precision": "bf16", "mode": "train", "side": "torch compile", "status": "failed", "reason": "no room"},
                {"case": "cifar10:128", "precision": "bf16", "mode": "train", "side": "torch eager", "status": "ok", "img_per_s": 920.2,
                 "edm_is_faster_by": {"edm": {"median": 2.0}}}]
        self.assertEqual(figures.comparison(self.log(json.dumps({"rows": rows}))).splitlines(),
                         ["cifar10:128 bf16 train, edm: 1840 img/s, ok", "cifar10:128 bf16 train, torch compile: failed (no room)",
                          "cifar10:128 bf16 train, torch eager: 920.2 img/s, ok, edm is 2.00 times as fast"])
        with self.assertRaisesRegex(ValueError, "no side"):
            figures.comparison(self.log(json.dumps({"rows": rows[1:2]})))

    def test_kernels(self):
        table = '==PROF== x\n"ID","Kernel Name","Metric Value"\n"0","conv(a, b)","2,000,000"\n"1","conv(a, b)","1,000,000"\n"2","add","500,000"\n'
        self.assertEqual([line.split() for line in figures.kernels(self.log(table)).splitlines()],
                         [["3.000", "ms", "conv"], ["0.500", "ms", "add"]])
        with self.assertRaisesRegex(ValueError, "no kernel"):
            figures.kernels(self.log("==ERROR==\n"))


if __name__ == "__main__":
    unittest.main()
