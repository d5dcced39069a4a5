"""Tests of the comparison with sides that only pretend to work: no PyTorch and
no Go are needed. python3 -m unittest discover -s bench"""

import contextlib
import io
import json
import os
import stat
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peer
import report
import sides

# Plays edmbench, a Python with PyTorch and torchside.py. A step of edm takes a
# hundredth of a second, one of PyTorch three times as long, and its first ten
# times as long again; FAKE_STEP is another time than a hundredth. FAKE_FAULT, lines
# of "WORD FAULT", makes the sides with that word in their command line or
# environment fail: at the start, in the check, by silence, or after some steps.
FAKE = """
import json, os, sys, time
words = sys.argv[1:]
wgmma = os.environ.get("EDM_CUDA_WGMMA", "")
log = open(os.environ["FAKE_LOG"], "a")
log.write(json.dumps(words + ["wgmma"] * bool(wgmma)) + "\\n")
log.close()
def after(flag, default=None):
    return words[words.index(flag) + 1] if flag in words else default
faults = [line.split() for line in os.environ.get("FAKE_FAULT", "").splitlines()]
marks = " ".join(w for w, before in zip(words, [""] + words) if before != "--check").replace("/", " ").replace("+", " ").split() + ["edm" if "-network" in words else "torch", "wgmma" if wgmma else "plain"]
faults = {fault for word, fault in faults if word in marks}
def end(said):
    print("a line before", said, "", sep="\\n", file=sys.stderr)
    sys.exit(3)
if "-c" in words:
    print("1.2.3+cpu" if "slow" in sys.argv[0] else "2.0.0")
elif "-write" in words:
    open(after("-write"), "w").write("x")
elif "-check" in words:
    if "check" in faults:
        end("no check here")
    open(after("-check"), "w").write("far" if "differs" in faults else "near")
elif "--check" in words:
    if "check" in faults:
        end("no check here")
    print("a warning of some library")
    for flag, path in zip(words, words[1:]):
        if flag == "--check":
            far = open(path, "rb").read() == b"far" or "differs" in faults
            error = 0.5 if far else float(os.environ.get("FAKE_ERROR", "0"))
            print(json.dumps({"D": error, "loss": 0, "gradient": 0, "whole": 0}))
else:
    edm = "-network" in words
    if "start" in faults:
        end("out of memory")
    threads = int(after("-threads" if edm else "--threads", 1))
    print(json.dumps({"train_gflop": 3.0, "forward_gflop": 1.0, "instructions": "none", "kernels": "cuda", "threads": threads,
                      "version": "2.0.0", "device": "a device"}), flush=True)
    first, steps = not edm, 0
    for line in sys.stdin:
        c = json.loads(line)
        if c["do"] == "peak":
            print(json.dumps({"gflops": 1000.0 * c["threads"]}), flush=True)
        elif c["do"] == "matmul":
            print(json.dumps({"gflops": 900.0}), flush=True)
        elif c["do"] == "memory":
            print(json.dumps({"mib": 100.0} if edm else {"mib": 300.0, "allocated_mib": 200.0}), flush=True)
        elif c["do"] == "limits":
            print(json.dumps({"tflops": 2.0, "copy_gb_per_s": 50.0}), flush=True)
        else:
            if "silence" in faults:
                time.sleep(60)
            steps += 1
            if "sample" in faults and c["do"] == "sample" or "midway" in faults and steps == 5:
                end("illegal memory access")
            start = time.perf_counter()
            time.sleep(float(os.environ.get("FAKE_STEP", "0.01")) * (1 if edm else 3) * (10 if first else 1) * c["steps"])
            first = False
            print(json.dumps({"seconds": time.perf_counter() - start, "images": 4 * c["steps"]}), flush=True)
"""


class WithFakes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.environ["FAKE_LOG"] = os.path.join(self.folder, "log")
        self.addCleanup(os.environ.pop, "FAKE_LOG")
        self.edm, self.new, self.slow = (self.fake(n) for n in ("edm", "new", "slow"))
        pause, sides.PAUSE = sides.PAUSE, 0.0
        self.addCleanup(setattr, sides, "PAUSE", pause)

    def fake(self, name):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(f"#!{sys.executable}\n{FAKE}")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def commands(self):
        """Returns the command lines of all fakes so far."""
        with open(os.environ["FAKE_LOG"]) as f:
            return [json.loads(line) for line in f]

    def run_peer(self, *args):
        """Runs a comparison and returns what it printed and its JSON."""
        to = os.path.join(self.folder, "out.json")
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            peer.main(["--edmbench", self.edm, "--case", "demo:4", "--threads", "2", "--seconds", "0.03", "--json", to, *args])
        with open(to) as f:
            return text.getvalue(), json.load(f)


@unittest.skipUnless(os.name == "posix", "the fakes are scripts with a first line")
class Comparisons(WithFakes):
    def test_all_sides_in_one_run(self):
        document = os.path.join(self.folder, "doc.md")
        with open(document, "w") as f:
            f.write("before\n\n<!-- measured: peer -->\nold\n<!-- end: peer -->\n\nafter\n")
        text, out = self.run_peer("--rounds", "3", "--python", self.slow, "--variant", "eager", "--variant", "sdpa+fused",
                                  "--python", self.new, "--markdown", document)
        self.assertEqual([m["mode"] for m in out["results"]], ["train", "forward"])
        m = out["results"][0]
        torches = ["torch 1.2.3 eager", "torch 1.2.3 sdpa+fused", "torch 2.0.0 eager"]
        self.assertEqual(list(m["figures"]), ["edm", *torches, "edm, 1 thread"])
        self.assertEqual(list(m["ratios"]), torches)
        self.assertEqual(set(m["best"]), {"1.2.3", "2.0.0"})
        for label in torches:
            self.assertEqual(len(m["figures"][label]["img_per_s_rounds"]), 3)
            self.assertGreater(m["ratios"][label]["median"], 1.5)
        edm = m["figures"]["edm"]
        self.assertAlmostEqual(edm["gflops"], 3 * edm["img_per_s"])
        self.assertAlmostEqual(edm["share_of_peak"], edm["gflops"] / 2000)
        self.assertAlmostEqual(m["figures"]["edm, 1 thread"]["share_of_peak"], m["figures"]["edm, 1 thread"]["gflops"] / 1000)
        self.assertGreater(m["scaling"]["edm"]["median"], 0.5)
        for want in ["FMA peak: 1000 GFLOP/s on one thread, 2000 on 2", "against the fastest of torch 1.2.3", "2 threads: edm"]:
            self.assertIn(want, text)
        with open(document) as f:
            written = f.read()
        self.assertTrue(written.startswith("before\n\n<!-- measured: peer -->\n") and written.endswith("<!-- end: peer -->\n\nafter\n"))
        self.assertNotIn("old", written)
        self.assertEqual(written.count("| demo, 4 | "), 10)
        self.assertEqual(written.count("**"), 8)  # the fastest of each version and mode

    def test_warm_up_is_not_timed(self):
        _, out = self.run_peer("--rounds", "1", "--python", self.new, "--scaling", "none", "--mode", "train")
        m = out["results"][0]
        self.assertEqual(list(m["figures"]), ["edm", "torch 2.0.0 eager"])
        self.assertLess(m["ratios"]["torch 2.0.0 eager"]["max"], 8)  # the first step was 30 times slower

    def test_scaling_of_all(self):
        _, out = self.run_peer("--rounds", "1", "--python", self.new, "--scaling", "all", "--mode", "forward")
        self.assertEqual(set(out["results"][0]["scaling"]), {"threads", "edm", "torch 2.0.0 eager"})
        threads = {w[w.index("--threads") + 1] for w in self.commands() if "--threads" in w}
        self.assertEqual(threads, {"1", "2"})

    def test_difference_ends_the_run(self):
        os.environ["FAKE_ERROR"] = "2e-4"
        self.addCleanup(os.environ.pop, "FAKE_ERROR")
        with self.assertRaisesRegex(SystemExit, "differ: D by 2.00e-04, at most 0.0001"):
            self.run_peer("--rounds", "1", "--python", self.new)

    def test_side_twice(self):
        with self.assertRaisesRegex(SystemExit, "a side is there twice"):
            self.run_peer("--python", self.new, "--variant", "eager", "--variant", "eager")

    def test_no_torch(self):
        with self.assertRaisesRegex(SystemExit, "has no PyTorch"):
            self.run_peer("--python", "/bin/false")

    def test_a_side_that_ends(self):
        with self.assertRaisesRegex(SystemExit, "x: ended with exit status 3"):
            sides.Process("x", [sys.executable, "-c", "raise SystemExit(3)"], 1)

    def test_settle_waits_for_work(self):
        code = "import time\nprint('{}', flush=True)\nend = time.time() + 0.6\nwhile time.time() < end: pass\nimport sys; sys.stdin.read()"
        busy = sides.Process("busy", [sys.executable, "-c", code], 1)
        start = time.time()
        try:
            self.assertTrue(sides.settle([busy]))
        finally:
            busy.close()
        if os.path.exists("/proc/self/stat"):
            self.assertGreater(time.time() - start, 0.4)


class CommandLine(unittest.TestCase):
    def test_variants_belong_to_the_interpreter_before(self):
        a = peer.parse(["--python", "a", "--variant", "x", "--variant", "y+z", "--python", "b"])
        self.assertEqual(a.torches, [("a", ["x", "y+z"]), ("b", ["eager"])])
        self.assertEqual(peer.parse(["--variant", "x"]).torches, [(sys.executable, ["x"])])
        self.assertEqual(peer.parse([]).torches, [(sys.executable, ["eager"])])
        self.assertEqual(peer.parse([]).case, [["small", "16"], ["demo", "16"], ["cifar10", "4"]])

    def test_faults(self):
        for args in [["--case", "small"], ["--case", "small:0"], ["--rounds", "0"], ["--threads", "0"], ["--seconds", "0"],
                     ["--mode", "sleep"], ["--scaling", "torch"]]:
            with self.subTest(args), contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
                peer.parse(args)


class Reports(unittest.TestCase):
    def test_ratios(self):
        r = report.ratios({"img_per_s_rounds": [10, 20, 30]}, {"img_per_s_rounds": [5, 20, 10]})
        self.assertEqual(r, {"rounds": [2, 1, 3], "median": 2, "min": 1, "max": 3, "best": 1.5})

    def test_rates(self):
        self.assertEqual([report.significant(x) for x in (0.5678, 5.678, 56.78, 567.8, 5678.4)], ["0.568", "5.68", "56.8", "568", "5678"])

    def test_document(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "new.md")
            for text in ("one\n", "two\n"):  # a new file, then again
                report.check_document(path)
                report.write_document(path, text)
                with open(path) as f:
                    self.assertEqual(f.read(), f"<!-- measured: peer -->\n{text}<!-- end: peer -->\n")

    def test_document_without_place(self):
        begin, end = report.markers(report.SECTION)
        for document in ["", begin, end, f"{end}\n{begin}", f"{begin}{end}{begin}{end}"]:
            with self.subTest(document), self.assertRaisesRegex(SystemExit, "want one line"):
                report.replace_section(document, "x", report.SECTION)


if __name__ == "__main__":
    unittest.main()
