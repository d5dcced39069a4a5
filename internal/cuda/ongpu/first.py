"""Checks the project on a machine with a GPU and measures it, in a given time. The
most telling steps come first: what the device is, whether its driver takes the
kernels, whether they compute what they should, how fast training is, how fast beside
PyTorch; then every other test, and NVIDIA's tools, as far as the time goes.

A step that fails or runs out of time stops no other. DIR/verdict.json has each
step's outcome after it ends, DIR/result.tar.gz all output so far, written anew every
ten seconds. The last lines printed are a table. The exit status is 1 if a step
failed.

EDM_CUDA_DRIVER names another driver than the one that the loader finds."""

import argparse
import os
import shlex
import sys
import tarfile

sys.dont_write_bytecode = True
import figures
import session

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
ARCHIVE = os.path.join(ROOT, "build", "gpu", "edm-small.tar.xz")
CUDA, MODEL, TRAIN = "internal/cuda", "model", "train"

# The network and the batch that are measured, and what is compared with PyTorch.
BENCH = "--preset cifar10 --batch 128"
COMPARE = "--case cifar10:128 --precision bf16 --mode train --mode sample --rounds 3 --seconds 0.5"

# What the steps set in the environment: convolutions for Hopper alone, no word of
# each kernel to the host, every launch waited for.
WGMMA, NO_TRAIL, CHECKED = {"EDM_CUDA_WGMMA": "1"}, {"EDM_CUDA_TRAIL": "0"}, {"EDM_CUDA_CHECK": "1"}

# Tests that reach every kernel with few and small programs: compute-sanitizer makes
# them a hundred times slower.
KERNELS = "^Test(Shuffles|Matrices|Fragments|Copies|ConvBits|ConvOverResidual|PackPixels|PackWeights|LinearBits|" \
    "AttentionBits|NormChunks|Alignment|OverInputs|Pairs|AdamKernel|FlatSums|Updater|Programs)$"


def parse(args=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-t", dest="seconds", type=float, default=600, help="seconds for everything (600)")
    p.add_argument("-o", dest="out", default="gpu-results", help="folder of the results (gpu-results)")
    p.add_argument("-a", dest="archive", default=ARCHIVE, help="what `make gpu-bundle-small` wrote (build/gpu/edm-small.tar.xz)")
    p.add_argument("--bench", default=BENCH, help=f"flags of edm-train --bench ({BENCH})")
    p.add_argument("--compare", default=COMPARE, help=f"flags of bench/gpu.py ({COMPARE})")
    p.add_argument("--only", action="append", metavar="STEP", help="run this step alone; may be repeated")
    a = p.parse_args(args)
    if not a.seconds > 0:
        p.error(f"-t is {a.seconds:g}, want more than 0")
    return a


class Check:
    """The steps, on the programs of the archive."""

    def __init__(self, a, s):
        self.a, self.s = a, s
        self.bin = os.path.join(s.work, "bin")

    def unpack(self):
        """Unpacks the archive, without a program for it."""
        with tarfile.open(self.a.archive) as t:
            safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            t.extractall(self.s.work, **safe)

    def program(self, name):
        return os.path.join(self.bin, name)

    def tests(self, name, limit, package, run, skip="", **environment):
        """Runs tests of a package, in its folder."""
        command = [self.program("suite"), "-test.v", "-test.timeout=0", "-test.run", run]
        if skip:
            command += ["-test.skip", skip]
        self.s.step(name, limit, command, figures.tests, folder=os.path.join(ROOT, package),
                    environment={"EDM_TEST_PACKAGE": package, **environment})

    def all(self):
        """Runs everything, in order."""
        self.device()
        self.convolutions()
        self.networks()
        self.speed()
        self.comparison()
        self.suite()
        self.tools()

    def device(self):
        self.s.tool("nvidia-smi", 20, [], figures.device)
        self.s.step("device", 60, [self.program("edmbench"), "-preset", "demo", "-batch", "1", "-device", "cuda"], figures.hello)
        self.tests("modules", 150, CUDA, "^TestModulesLoad$")
        self.tests("layouts", 60, CUDA, "^Test(Shuffles|Matrices|Fragments|ProductSums|Copies|Rounding|Arithmetic|Functions)$")

    def convolutions(self):
        """Convolutions and both their gradients, by either kind of instruction."""
        self.tests("convolutions", 60, CUDA, "^TestConv(|Rounds)$/^bf16$")
        self.tests("convolutions wgmma", 60, CUDA, "^TestConv(|Rounds)$/^bf16-wgmma$|^TestWGMMA", **WGMMA)

    def networks(self):
        """The recorded networks, losses and gradients, through the GPU."""
        self.tests("networks", 90, MODEL, "^Test(ReferencePrecond|ReferenceLoss|ReferenceInCoarsePrecision|DenoiserOnTheGPU|TrainingOnTheGPU)$",
                   skip="/(portable|cpu)")
        self.tests("networks wgmma", 60, MODEL, "^Test(ReferenceInCoarsePrecision|DenoiserOnTheGPU)$", skip="/tf32", **WGMMA)

    def speed(self):
        for name, environment in (("speed", {}), ("speed wgmma", WGMMA), ("speed no trail", NO_TRAIL)):
            command = [self.program("edm-train"), "--bench", "--device", "cuda", "--precision", "bf16", *shlex.split(self.a.bench)]
            self.s.step(name, 75, command, figures.speed, environment=environment)

    def comparison(self):
        """PyTorch on the same GPU. It gets most of what is left."""
        budget = 0.8 * self.s.left()
        files = {kind: os.path.join(self.s.logs, "compare." + kind) for kind in ("json", "md")}
        self.s.step("compare", budget, [
            sys.executable, "-B", os.path.join(ROOT, "bench", "gpu.py"), "--edmbench", self.program("edmbench"),
            "--budget", f"{budget - 10:.0f}", "--json", files["json"], "--markdown", files["md"], *shlex.split(self.a.compare)],
            lambda log: figures.comparison(files["json"]))

    def suite(self):
        """Every other test that opens a device."""
        gpu = "Reference|GPU|CoarsePrecision|LossCurves|OtherDevice|MissingDevices"
        self.tests("suite train", 120, TRAIN, gpu, skip="Reference.*/(portable|cpu)")
        self.tests("suite driver", 60, CUDA + "/driver", ".")
        self.tests("suite ptx", 30, CUDA + "/ptx", ".")
        self.tests("suite cuda", 300, CUDA, ".", skip="^Test(ModulesLoad|Shuffles|Matrices|Fragments|ProductSums|Copies|Rounding|Arithmetic|Functions)$")
        self.tests("checked", 60, CUDA, "^Test(Runs|MirroredRuns|Programs|Updater)$", **CHECKED)

    def tools(self):
        for kind in ("memcheck", "racecheck", "synccheck", "initcheck"):
            self.s.tool("compute-sanitizer", 300, ["--tool", kind, "--error-exitcode", "9", "--report-api-errors", "no",
                        self.program("suite"), "-test.v", "-test.timeout=0", "-test.run", KERNELS], figures.tests, name=kind,
                        folder=os.path.join(ROOT, CUDA), environment={"EDM_TEST_PACKAGE": CUDA})
        # One training step whose launches are each by themselves.
        step = shlex.join([self.program("edmbench"), "-preset", "cifar10", "-batch", "128", "-device", "cuda", "-precision", "bf16"])
        self.s.tool("ncu", 300, ["--clock-control", "none", "--csv", "--print-units", "base", "--metrics", "gpu__time_duration.sum",
                    "--target-processes", "all", "sh", "-c", f"""echo '{{"do":"train","steps":1}}' | {step}"""], figures.kernels,
                    name="profile", environment=CHECKED)


def main():
    a = parse()
    with session.Session(a.out, a.seconds, a.only) as s:
        c = Check(a, s)
        os.environ.update(EDM_REQUIRE_CUDA="1", EDM_REFERENCE=os.path.join(ROOT, "internal", "testkit", "reference", "testdata"))
        session.find_driver()
        if s.call("unpack", c.unpack):
            c.all()
    sys.exit(1 if s.failed() else 0)


if __name__ == "__main__":
    main()
