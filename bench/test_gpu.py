"""Tests of the comparison on a GPU with sides that only pretend to work."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from unittest import mock

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gpu
import gpucheck
import gpureport
import sides
from test_peer import WithFakes

EDM = ["edm", "edm wgmma"]
TORCH = ["torch eager", "torch compile", "torch reduce-overhead"]
ONE = ["--case", "demo:4", "--precision", "bf16", "--mode", "train", "--rounds", "1"]


@unittest.skipUnless(os.name == "posix", "the fakes are scripts with a first line")
class Comparisons(WithFakes):
    def setUp(self):
        super().setUp()
        for name in ("IDLE_WINDOW", "PAUSE"):
            self.enterContext(mock.patch.object(sides, name, 0.0))
        self.enterContext(mock.patch.dict(os.environ, FAKE_STEP="0.003"))

    def flags(self, *args):
        self.json, self.table = (os.path.join(self.folder, name) for name in ("gpu.json", "gpu.md"))
        return ["--edmbench", self.edm, "--python", self.new, "--seconds", "0.01", "--rounds", "3", "--json", self.json,
                "--markdown", self.table, *args]

    def run_gpu(self, *args):
        """Runs a comparison and returns what it printed, its JSON and its table."""
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            gpu.main(self.flags(*args))
        with open(self.json) as f, open(self.table) as g:
            return text.getvalue(), json.load(f), g.read()

    def rows(self, fault, *args):
        """Returns the rows by side, or by mode and side, of a run with a fault."""
        with mock.patch.dict(os.environ, FAKE_FAULT=fault):
            _, out, self.markdown = self.run_gpu(*args)
        several = len({r["mode"] for r in out["rows"]}) > 1
        return {(r["mode"], r["side"]) if several else r["side"]: r for r in out["rows"]}

    def test_all_sides_in_one_run(self):
        text, out, table = self.run_gpu("--case", "demo:4", "--case", "demo:8")
        got = [(r["case"], r["precision"], r["mode"], r["side"]) for r in out["rows"]]
        self.assertEqual(got, [(c, p, m, s) for c in ("demo:4", "demo:8") for p in ("bf16", "tf32") for m in ("train", "sample")
                               for s in (EDM if p == "bf16" else EDM[:1]) + TORCH])
        for r in out["rows"]:
            self.assertEqual((r["status"], r["reason"]), ("ok", ""))
            gflop = 3 if r["mode"] == "train" else 35
            self.assertAlmostEqual(r["tflops"], r["img_per_s"] * gflop / 1e3)
            if r["side"] in TORCH:
                self.assertEqual(len(r["img_per_s_rounds"]), 3)
                self.assertEqual(list(r["edm_is_faster_by"]), EDM if r["precision"] == "bf16" else EDM[:1])
                for by in r["edm_is_faster_by"].values():
                    self.assertEqual(len(by["rounds"]), 3)
                    self.assertGreater(by["median"], 1.5)
                self.assertEqual(r["goals"], {"speed": True, "memory": True})
            else:
                self.assertEqual(len(r["img_per_s_rounds"]), 3 * (1 + len(TORCH)))
        self.assertEqual(table.count("| demo, 4 | "), 18)
        self.assertEqual(table.count("speed, memory |"), 24)
        for want in ["PyTorch 2.0.0, CUDA -, cuDNN -, driver unknown: a device", "bf16: 2 TFLOP/s", "| 300 (tensors 200) |", "<!-- measured: gpu -->"]:
            self.assertIn(want, table)
        self.assertIn("speed, memory", text)

    def test_what_the_sides_are_told(self):
        self.run_gpu("--case", "demo:4", "--precision", "bf16", "--variant", "reduce-overhead", "--mode", "train", "--torch-device", "cuda:1")
        served = [w for w in self.commands() if "-check" not in w and "--check" not in w and ("-network" in w or "--network" in w)]
        edm, wgmma, torch = served
        self.assertEqual(edm[edm.index("-batch"):], ["-batch", "4", "-device", "cuda", "-precision", "bf16"])
        self.assertEqual(wgmma, edm + ["wgmma"])
        self.assertEqual(torch[torch.index("--variant"):],
                         ["--variant", "channels_last+fused+sdpa+reduce-overhead", "--network", torch[torch.index("--network") + 1],
                          "--batch", "4", "--device", "cuda:1", "--precision", "bf16"])

    def test_each_side_is_checked_in_the_precision_that_is_timed(self):
        self.run_gpu(*ONE)
        checked = [(w[w.index("-precision" if "-check" in w else "--precision") + 1], "wgmma" in w, w.count("--check"))
                   for w in self.commands() if "-check" in w or "--check" in w]
        # edm: float32, then both variants; PyTorch: float32 with both, then bf16.
        self.assertEqual(checked, [("fp32", False, 0), ("bf16", False, 0), ("bf16", True, 0), ("fp32", False, 2), ("bf16", False, 1)])

    def test_one_check_is_enough_in_float32(self):
        self.run_gpu("--case", "demo:4", "--precision", "fp32", "--mode", "train", "--rounds", "1")
        self.assertEqual(sum("-check" in w or "--check" in w for w in self.commands()), 2)

    def test_processor_has_no_memory_of_its_own(self):
        _, out, table = self.run_gpu("--case", "demo:4", "--precision", "fp32", "--device", "cpu", "--mode", "forward", "--variant", "eager")
        self.assertEqual(out["rows"][1]["goals"], {"speed": True, "memory": None})
        self.assertIn("| - |", table)

    def test_a_side_that_does_not_start(self):
        for fault, side in [("compile start", "torch compile"), ("wgmma start", "edm wgmma")]:
            rows = self.rows(fault, *ONE)
            self.assertEqual({r["side"]: r["status"] for r in rows.values() if r["status"] != "ok"}, {side: "failed"})
            self.assertEqual(rows[side]["reason"], "ended with exit status 3: out of memory")
            self.assertIn("failed: ended with exit status 3: out of memory |", self.markdown)

    def test_a_side_that_is_silent(self):
        rows = self.rows("compile silence", "--limit", "1", *ONE)
        self.assertEqual({r["side"]: (r["status"], r["reason"]) for r in rows.values() if r["status"] != "ok"},
                         {"torch compile": ("timeout", "no answer in 1 s")})

    def test_a_side_that_dies_in_the_second_mode(self):
        rows = self.rows("compile sample", "--case", "demo:4", "--precision", "bf16", "--rounds", "1")
        self.assertEqual({key: r["status"] for key, r in rows.items() if r["status"] != "ok"}, {("sample", "torch compile"): "failed"})
        self.assertEqual(rows["train", "torch compile"]["reason"], "later: ended with exit status 3: illegal memory access")

    def test_a_side_of_edm_that_dies_midway(self):
        rows = self.rows("wgmma midway", *ONE)
        self.assertEqual({r["status"] for r in rows.values()}, {"ok"})
        self.assertIn("illegal memory access", rows["edm wgmma"]["reason"])
        self.assertEqual(list(rows["torch reduce-overhead"]["edm_is_faster_by"]), ["edm"])

    def test_edm_itself_fails(self):
        rows = self.rows("edm start", *ONE)
        self.assertEqual({r["side"] for r in rows.values() if r["status"] == "failed"}, set(EDM))
        for label in TORCH:
            self.assertEqual((rows[label]["status"], rows[label]["tflops"]), ("ok", None))
            self.assertGreater(rows[label]["img_per_s"], 0)

    def test_numbers_that_differ(self):
        rows = self.rows("wgmma differs", *ONE)
        self.assertEqual({r["side"] for r in rows.values() if r["status"] == "differs"}, {"edm wgmma"})
        self.assertEqual(rows["edm wgmma"]["reason"], "D by 5.00e-01, at most 3.12e-02 is allowed")
        self.assertGreater(rows["edm wgmma"]["img_per_s"], 0)  # timed all the same

    def test_a_check_that_fails(self):
        rows = self.rows("wgmma check", *ONE)
        self.assertEqual({r["side"]: r["status"] for r in rows.values() if r["status"] != "ok"}, {"edm wgmma": "unchecked"})
        self.assertIn("no check here", rows["edm wgmma"]["reason"])
        rows = self.rows("torch check", *ONE)
        self.assertEqual({r["status"] for r in rows.values()}, {"unchecked"})

    def test_no_pytorch(self):
        rows = self.rows("", *ONE, "--python", "/bin/false")
        self.assertEqual({r["side"]: r["status"] for r in rows.values()}, {**dict.fromkeys(EDM, "unchecked"), **dict.fromkeys(TORCH, "failed")})

    def test_budget(self):
        with mock.patch.dict(os.environ, FAKE_FAULT="compile silence"):
            text, out, table = self.run_gpu(*ONE, "--budget", "5")
        self.assertEqual({r["side"]: (r["status"], r["reason"]) for r in out["rows"] if r["status"] != "ok"},
                         dict.fromkeys(TORCH[1:], ("not run", "no time was left")))
        self.assertIn("not run: no time was left", table)
        self.assertIn(f"not run, no time was left: demo:4 bf16 train, {TORCH[-1]}", text)

    def test_files_are_whole_when_it_is_killed(self):
        with mock.patch.dict(os.environ, FAKE_FAULT="compile silence"):
            p = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "gpu.py"), *self.flags(*ONE)], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.2)
            if os.path.exists(self.json):
                with open(self.json) as f:
                    status = {r["side"]: r["status"] for r in json.load(f)["rows"]}
                if status["torch eager"] == "ok":
                    break
        p.send_signal(signal.SIGKILL)
        p.wait()
        self.assertEqual(status, {"edm": "ok", "edm wgmma": "ok", "torch eager": "ok", "torch compile": "not run", "torch reduce-overhead": "not run"})
        with open(self.table) as f:
            self.assertIn("<!-- end: gpu -->", f.read())


class CommandLine(unittest.TestCase):
    def test_defaults(self):
        a = gpu.parse([])
        self.assertEqual((a.case[0], a.precision, a.mode), (["cifar10", "128"], ["bf16", "tf32"], ["train", "sample"]))
        self.assertEqual((a.variant, a.edm_variant), (["eager", "compile", "reduce-overhead"], ["default", "wgmma"]))
        self.assertEqual((a.device, a.torch_device), ("cuda", "cuda"))

    def test_faults(self):
        for args in [["--case", "small"], ["--rounds", "0"], ["--seconds", "0"], ["--budget", "0"], ["--matrix", "0"], ["--limit", "0"],
                     ["--precision", "fp8"], ["--mode", "sleep"], ["--variant", "slow"], ["--edm-variant", "slow"]]:
            with self.subTest(args), contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
                gpu.parse(args)


class Goals(unittest.TestCase):
    def test_each_variant_has_its_own(self):
        for label, speed, met in [("torch eager", 0.99, False), ("torch eager", 1.0, True), ("torch compile", 0.79, False), ("torch compile", 0.8, True)]:
            row = {"edm_is_faster_by": {"edm": {"median": speed}}, "memory": {"mib": 99.0, "allocated_mib": 9.0}}
            row["goals"] = gpureport.goals(label, row, {"edm": {"memory": {"mib": 10.0}}})
            self.assertEqual(row["goals"], {"speed": met, "memory": False})
            self.assertEqual(gpureport.met(row), "speed, not memory" if met else "not speed, not memory")


class Tolerances(unittest.TestCase):
    def test_coarser_precisions_have_wider_ones(self):
        self.assertEqual(gpucheck.tolerance("fp32"), {"D": 1e-4, "loss": 1e-4, "gradient": 1e-3})
        for precision, d in (("tf32", 2**-8), ("bf16", 2**-5)):
            self.assertEqual(gpucheck.tolerance(precision), {"D": d, "loss": d / 8, "whole": 2 * d})
            near = {"D": d, "loss": 0, "whole": 2 * d}
            self.assertEqual(gpucheck.verdict(near, precision), "")
            for what in near:
                self.assertIn(what, gpucheck.verdict({**near, what: 2.1 * d}, precision))
                self.assertIn(what, gpucheck.verdict({**near, what: float("nan")}, precision))


class Memory(unittest.TestCase):
    def test_others_take_some_too(self):
        torch = mock.MagicMock()
        torch.device.return_value.type = "cuda"
        torch.cuda.max_memory_allocated.return_value = 5 << 20
        with mock.patch.dict(sys.modules, torch=torch):
            import torchdevice
        free = [(100 - taken) << 20 for taken in (0, 10, 40, 47)]  # 10 by starting, 30 by others, 7 by a step
        torch.cuda.mem_get_info.side_effect = [(f, 0) for f in free]
        device = torchdevice.Device("cuda")
        device.pause()
        device.resume()
        device.pause()
        self.assertEqual(device.memory(), {"mib": 17.0, "allocated_mib": 5.0})


if __name__ == "__main__":
    unittest.main()
