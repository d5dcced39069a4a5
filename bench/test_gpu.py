"""Tests of the comparison on a GPU with sides that only pretend to work."""

import contextlib
import io
import json
import os
import sys
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gpu
import gpureport
from test_peer import WithFakes


@unittest.skipUnless(os.name == "posix", "the fakes are scripts with a first line")
class Comparisons(WithFakes):
    def run_gpu(self, *args):
        """Runs a comparison and returns what it printed, its JSON and its table."""
        to, table = (os.path.join(self.folder, name) for name in ("gpu.json", "gpu.md"))
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            gpu.main(["--edmbench", self.edm, "--python", self.new, "--seconds", "0.03", "--rounds", "3", "--json", to, "--markdown", table, *args])
        with open(to) as f, open(table) as g:
            return text.getvalue(), json.load(f), g.read()

    def test_all_sides_in_one_run(self):
        text, out, table = self.run_gpu("--case", "demo:4", "--case", "demo:8")
        self.assertEqual([(m["batch"], m["precision"], m["mode"]) for m in out["results"]],
                         [(b, p, m) for b in (4, 8) for p in ("bf16", "tf32") for m in ("train", "sample")])
        torches = ["torch 2.0.0 eager", "torch 2.0.0 compile"]
        for m in out["results"]:
            self.assertEqual(list(m["figures"]), ["edm", *torches])
            edm = m["figures"]["edm"]
            gflop = 3 if m["mode"] == "train" else 35
            self.assertAlmostEqual(edm["tflops"], edm["img_per_s"] * gflop / 1e3)
            for label in torches:
                g = m["goals"][label]
                self.assertEqual(len(g["speed"]["rounds"]), 3)
                self.assertGreater(g["speed"]["median"], 1.5)
                self.assertEqual((g["memory"], g["memory_met"], g["speed_met"]), (0.5, True, True))
        self.assertEqual(table.count("| demo, 4 | "), 12)
        self.assertEqual(table.count("speed, memory |"), 16)
        for want in ["a device, PyTorch 2.0.0: 2 TFLOP/s", "| 300 (tensors 200) |", "<!-- measured: gpu -->"]:
            self.assertIn(want, table)
        self.assertIn("speed, memory", text)

    def test_what_the_sides_are_told(self):
        self.run_gpu("--case", "demo:4", "--precision", "tf32", "--variant", "compile", "--mode", "train", "--torch-device", "cuda:1")
        served = [w for w in self.commands() if "-check" not in w and "--check" not in w and ("-network" in w or "--network" in w)]
        edm, torch = served
        self.assertEqual(edm[edm.index("-batch"):], ["-batch", "4", "-device", "cuda", "-precision", "tf32"])
        self.assertEqual(torch[torch.index("--device"):],
                         ["--device", "cuda:1", "--precision", "tf32", "--variant", "channels_last+fused+sdpa+compile"])
        checked = [w for w in self.commands() if "-check" in w or "--check" in w]
        self.assertEqual([w[w.index(flag) + 1] for w, flag in zip(checked, ("-precision", "--precision"))], ["fp32", "fp32"])

    def test_processor_has_no_memory_of_its_own(self):
        _, out, table = self.run_gpu("--case", "demo:4", "--precision", "fp32", "--device", "cpu", "--mode", "forward", "--variant", "eager")
        g = out["results"][0]["goals"]["torch 2.0.0 eager"]
        self.assertEqual((g["memory"], g["memory_met"], g["speed_met"]), (None, None, True))
        self.assertIn("| - |", table)

    def test_budget(self):
        text, out, table = self.run_gpu("--case", "demo:4", "--mode", "train", "--budget", "0.2")
        self.assertEqual(len(out["results"]), 1)
        self.assertEqual(out["not_run"], ["demo, 4 in tf32"])
        for said in (text, table):
            self.assertIn("demo, 4 in tf32", said)

    def test_difference_ends_the_run(self):
        os.environ["FAKE_ERROR"] = "2e-4"
        self.addCleanup(os.environ.pop, "FAKE_ERROR")
        with self.assertRaisesRegex(SystemExit, "differ: D by 2.00e-04"):
            self.run_gpu("--case", "demo:4")


class CommandLine(unittest.TestCase):
    def test_defaults(self):
        a = gpu.parse([])
        self.assertEqual((a.case[0], a.precision, a.mode, a.variant), (["small", "512"], ["bf16", "tf32"], ["train", "sample"], ["eager", "compile"]))
        self.assertEqual((a.device, a.torch_device), ("cuda", "cuda"))

    def test_faults(self):
        for args in [["--case", "small"], ["--rounds", "0"], ["--seconds", "0"], ["--budget", "0"], ["--matrix", "0"],
                     ["--precision", "fp8"], ["--mode", "sleep"], ["--variant", "slow"]]:
            with self.subTest(args), contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
                gpu.parse(args)


class Goals(unittest.TestCase):
    def test_each_variant_has_its_own(self):
        def side(rate, mib, allocated=None):
            return {"img_per_s_rounds": [rate], "memory": {"mib": mib, "allocated_mib": allocated}}

        for variant, speed, met in [("eager", 0.99, False), ("eager", 1.0, True), ("compile", 0.79, False), ("compile", 0.8, True)]:
            g = gpureport.goals(variant, side(speed, 10.0), side(1.0, 99.0, 9.0))
            self.assertEqual((g["speed_met"], g["memory_met"]), (met, False))
            self.assertIn("not memory", gpureport.verdict(g))


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
