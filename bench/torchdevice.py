"""What PyTorch runs on: the processor, or a GPU in one of the precisions that
the project's GPU backend has."""

import contextlib
import time

import torch

PRECISIONS = ("fp32", "tf32", "bf16")
MIB = 1 << 20


class Device:
    """A device and how it computes products. bf16 is autocast, with float32
    weights; tf32 is float32 with tensor cores allowed."""

    def __init__(self, name="cpu", precision="fp32"):
        self.name, self.precision = name, precision
        self.kind = torch.device(name).type
        self.gpu = self.kind == "cuda"
        if self.gpu:
            coarse = precision != "fp32"
            torch.backends.cuda.matmul.allow_tf32 = coarse
            torch.backends.cudnn.allow_tf32 = coarse
            torch.backends.cudnn.benchmark = True
            torch.cuda.set_device(torch.device(name).index or 0)
        self.taken = 0
        self.resume()

    def describe(self):
        """Returns the device's name and the versions of what drives it."""
        if not self.gpu:
            return {"device": "processor"}
        return {"device": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}

    def autocast(self):
        if self.precision == "bf16":
            return torch.autocast(self.kind, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def synchronize(self):
        if self.gpu:
            torch.cuda.synchronize()

    def free(self):
        return torch.cuda.mem_get_info()[0] if self.gpu else 0

    def resume(self):
        """Begins to count what is taken of the device, until pause: others work
        while this process waits."""
        self.before = self.free()

    def pause(self):
        self.taken += self.before - self.free()

    def memory(self):
        """Returns MiB: what the process took of the device, and the most that
        its tensors had at once. None where the device has no memory of its own."""
        if not self.gpu:
            return {"mib": None, "allocated_mib": None}
        return {"mib": self.taken / MIB, "allocated_mib": torch.cuda.max_memory_allocated() / MIB}

    def limits(self, size):
        """Returns what measure does, and has its arrays forgotten: they are not
        of the memory that memory speaks of."""
        found = self.measure(size)
        if self.gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return found

    def measure(self, size, seconds=0.5):
        """Returns what the device has to give: TFLOP/s of a product of square
        matrices of random numbers, in the precision, and GB/s of a copy, bytes
        read and written."""
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        a, b = (torch.randn(size, size, dtype=dtype, device=self.name) for _ in range(2))
        c = torch.empty_like(a)
        product = self.best(lambda: torch.mm(a, b, out=c), seconds)
        x = torch.randn(8 * size * size, device=self.name)
        y = torch.empty_like(x)
        copy = self.best(lambda: y.copy_(x), seconds)
        return {"tflops": 2e-12 * size**3 / product, "copy_gb_per_s": 2e-9 * x.numel() * x.element_size() / copy}

    def best(self, work, seconds, times=10):
        """Returns the seconds of the fastest of several runs, each the mean of
        ten."""
        for _ in range(3):
            work()
        best, end = float("inf"), time.perf_counter() + seconds
        while best == float("inf") or time.perf_counter() < end:
            self.synchronize()
            start = time.perf_counter()
            for _ in range(times):
                work()
            self.synchronize()
            best = min(best, (time.perf_counter() - start) / times)
        return best
