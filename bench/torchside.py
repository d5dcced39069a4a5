"""PyTorch's side of the comparisons, the counterpart of edmbench: checks a
denoiser against recorded outputs and gradients, or times steps on request, one
JSON command a line. peer.py and gpu.py start it."""

import argparse
import json
import sys
import time

import torch

import snapshot
from ddpmpp import Denoiser
from torchdevice import PRECISIONS, Device

VARIANTS = ("eager", "channels_last", "compile", "reduce-overhead", "sdpa", "fused")


def parse():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--network", required=True, help="snapshot file")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--variant", default="eager", help="any of %s joined by +" % ", ".join(VARIANTS))
    p.add_argument("--device", default="cpu", help="cpu or cuda")
    p.add_argument("--precision", default="fp32", choices=PRECISIONS)
    p.add_argument("--check", action="append", metavar="FILE",
                   help="compare with this file of edmbench, print a line and exit; may be repeated")
    a = p.parse_args()
    a.variant = set(a.variant.split("+"))
    unknown = a.variant - set(VARIANTS)
    if unknown:
        p.error(f"unknown variant {sorted(unknown)}, want {VARIANTS}")
    return a


class Side:
    """A denoiser with the weights of a snapshot and the state of its training."""

    def __init__(self, a, dropout=None):
        self.device = Device(a.device, a.precision)
        metadata, tensors = snapshot.read(a.network)
        self.net = Denoiser(metadata, dropout, sdpa="sdpa" in a.variant)
        self.net.load_state_dict(tensors, strict=True)
        channels_last = "channels_last" in a.variant
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = self.net.to(a.device, memory_format=self.format)
        config = json.loads(metadata["edm_model"])["network"]
        self.shape = (a.batch, config["in_channels"], config["img_resolution"], config["img_resolution"])
        self.evaluate, self.loss = self.net.forward, self.net.loss
        self.begin = lambda: None
        if "compile" in a.variant:
            self.evaluate, self.loss = torch.compile(self.evaluate), torch.compile(self.loss)
        elif "reduce-overhead" in a.variant:
            self.compile_into_graphs()
        self.fused = "fused" in a.variant
        self.optimizer = None
        torch.manual_seed(1)
        self.images = self.layout(0.5 * torch.randn(self.shape))
        self.noise = self.layout(torch.randn(self.shape))
        self.sigma = torch.exp(-1.2 + 1.2 * torch.randn(a.batch, dtype=torch.float64)).to(a.device)

    def compile_into_graphs(self):
        """Has torch.compile replay CUDA graphs. What a graph returns lies in memory
        that the next one overwrites, so begin tells where a step begins."""
        self.evaluate, self.loss = (torch.compile(f, mode="reduce-overhead") for f in (self.evaluate, self.loss))
        self.begin = torch.compiler.cudagraph_mark_step_begin

    def layout(self, x):
        return x.to(self.device.name, memory_format=self.format)

    def gradient(self, images, noise, sigma):
        """Returns the loss of each image; the parameters get the gradient of
        the mean over images of the sum over pixels."""
        self.begin()
        with self.device.autocast():
            losses = self.loss(images, noise, sigma)
        (losses.sum() / len(images)).backward()
        return losses.detach().mean(dim=(1, 2, 3))

    def train(self):
        if self.optimizer is None:
            options = {"fused": True} if self.fused else {}
            self.net.train()
            self.parameters = list(self.net.parameters())
            self.ema = [p.detach().clone() for p in self.parameters]
            self.optimizer = torch.optim.Adam(self.parameters, lr=1e-4, **options)
        self.optimizer.zero_grad(set_to_none=True)
        self.gradient(self.images, self.noise, self.sigma)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_mul_(self.ema, 0.999)
            torch._foreach_add_(self.ema, self.parameters, alpha=0.001)

    def denoise(self, x, sigma):
        """Returns D at one noise level, to be used up before the next."""
        self.begin()
        sigma = torch.full((len(x),), sigma, dtype=torch.float64, device=x.device)
        with torch.no_grad(), self.device.autocast():
            return self.evaluate(x, sigma)

    def forward(self):
        self.net.eval()
        return self.denoise(self.images, 0.7)

    def sample(self, steps=18, low=0.002, high=80.0, rho=7.0):
        """Draws the batch by Heun's method (EDM Alg. 1), in float64."""
        self.net.eval()
        ends = high ** (1 / rho), low ** (1 / rho)
        levels = [(ends[0] + i / (steps - 1) * (ends[1] - ends[0])) ** rho for i in range(steps)] + [0.0]
        x = self.noise.double() * high
        for now, to in zip(levels, levels[1:]):
            slope = (x - self.denoise(x.float(), now)) / now
            euler = x + (to - now) * slope
            if to == 0:
                return euler
            x = x + (to - now) * (slope + (euler - self.denoise(euler.float(), to)) / to) / 2


def matmul(size=1536):
    """Returns the GFLOP/s of the BLAS that PyTorch uses: what the machine has
    to give at this moment."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(a, b)
        best = max(best, 2e-9 * size**3 / (time.perf_counter() - start))
    return best


def rms(x):
    return x.double().pow(2).mean().sqrt().item()


def check(a):
    """Compares D, the losses and all gradients with files of edmbench and prints a
    line for each."""
    side = Side(a, dropout=0.0)
    for path in a.check:
        metadata, want = snapshot.read(path)
        print(json.dumps(differences(side, metadata, {name: t.to(a.device) for name, t in want.items()})), flush=True)


def differences(side, metadata, want):
    """Returns how far a file's tensors are from a side's. The error of a tensor is
    the RMS of the difference over the RMS of the other side's; that of the
    gradients is their worst, and `whole` is that of all of them as one vector.
    Gradients that are zero in exact arithmetic (the key part of an attention bias)
    hold nothing but rounding, so a millionth of the RMS of all gradients is allowed
    for."""
    d = side.denoise(side.layout(want["in.x"].float()), float(metadata["sigma"])).clone()
    side.net.train()
    side.net.zero_grad(set_to_none=True)
    losses = side.gradient(side.layout(want["in.images"]), side.layout(want["in.noise"]), want["in.sigma"])
    grads = {"grad." + name: p.grad for name, p in side.net.named_parameters()}
    missing = set(grads) ^ {name for name in want if name.startswith("grad.")}
    if missing:
        raise SystemExit(f"gradients on one side only: {sorted(missing)}")
    count = sum(g.numel() for g in grads.values())
    square = sum(g.double().pow(2).sum() for g in grads.values())
    noise = 1e-6 * (square / count).sqrt().item()
    worst = max((rms(g - want[name]) / (rms(g) + 1e3 * noise), name) for name, g in grads.items())
    difference = sum((g.double() - want[name].double()).pow(2).sum() for name, g in grads.items())
    return {
        "D": rms(d - want["out.D"]) / rms(d),
        "loss": rms(losses - want["out.loss"]) / rms(losses),
        "gradient": worst[0], "gradient_of": worst[1], "gradients": len(grads),
        "whole": (difference / square).sqrt().item(), "kernels": metadata["kernels"],
    }


def serve(a):
    """Answers commands until the end of the input."""
    side = Side(a)
    modes = {"train": side.train, "forward": side.forward, "sample": side.sample}
    others = {"matmul": lambda c: {"gflops": matmul()}, "memory": lambda c: side.device.memory(),
              "limits": lambda c: side.device.limits(c["size"])}

    def timed(command):
        step = modes[command["do"]]
        side.device.synchronize()
        start = time.perf_counter()
        for _ in range(command["steps"]):
            step()
        side.device.synchronize()
        return {"seconds": time.perf_counter() - start, "images": command["steps"] * a.batch}

    side.device.pause()
    print(json.dumps({
        "name": "torch", "version": torch.__version__, "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in side.net.parameters()), "batch": a.batch,
        **side.device.describe(),
    }), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        side.device.resume()
        answer = others.get(command["do"], timed)(command)
        side.device.pause()
        print(json.dumps(answer), flush=True)


def main():
    a = parse()
    torch.set_num_threads(a.threads)
    if a.check:
        check(a)
    else:
        serve(a)


if __name__ == "__main__":
    main()
