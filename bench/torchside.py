"""PyTorch's side of the peer comparison, the counterpart of edmbench: checks a
denoiser against recorded outputs and gradients, or times steps on request, one
JSON command a line. peer.py starts it."""

import argparse
import json
import sys
import time

import torch

import snapshot
from ddpmpp import Denoiser

VARIANTS = ("eager", "channels_last", "compile", "sdpa", "fused")


def parse():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--network", required=True, help="snapshot file")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--variant", default="eager", help="any of %s joined by +" % ", ".join(VARIANTS))
    p.add_argument("--check", help="compare with this file of edmbench and exit")
    a = p.parse_args()
    a.variant = set(a.variant.split("+"))
    unknown = a.variant - set(VARIANTS)
    if unknown:
        p.error(f"unknown variant {sorted(unknown)}, want {VARIANTS}")
    return a


class Side:
    """A denoiser with the weights of a snapshot and the state of its training."""

    def __init__(self, a, dropout=None):
        metadata, tensors = snapshot.read(a.network)
        self.net = Denoiser(metadata, dropout, sdpa="sdpa" in a.variant)
        self.net.load_state_dict(tensors, strict=True)
        channels_last = "channels_last" in a.variant
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = self.net.to(memory_format=self.format)
        config = json.loads(metadata["edm_model"])["network"]
        self.shape = (a.batch, config["in_channels"], config["img_resolution"], config["img_resolution"])
        self.evaluate, self.loss = self.net.forward, self.net.loss
        if "compile" in a.variant:
            self.evaluate, self.loss = torch.compile(self.evaluate), torch.compile(self.loss)
        self.fused = "fused" in a.variant
        self.optimizer = None
        torch.manual_seed(1)
        self.images = self.layout(0.5 * torch.randn(self.shape))
        self.noise = self.layout(torch.randn(self.shape))
        self.sigma = torch.exp(-1.2 + 1.2 * torch.randn(a.batch, dtype=torch.float64))

    def layout(self, x):
        return x.to(memory_format=self.format)

    def gradient(self, images, noise, sigma):
        """Returns the loss of each image; the parameters get the gradient of
        the mean over images of the sum over pixels."""
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

    def forward(self):
        self.net.eval()
        with torch.no_grad():
            return self.evaluate(self.images, torch.full((len(self.images),), 0.7, dtype=torch.float64))


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
    """Compares D, the losses and all gradients with a file of edmbench. The
    error of a tensor is the RMS of the difference over the RMS of the other
    side's. Gradients that are zero in exact arithmetic (the key part of an
    attention bias) hold nothing but rounding, so a millionth of the RMS of all
    gradients is allowed for."""
    side = Side(a, dropout=0.0)
    metadata, want = snapshot.read(a.check)
    with torch.no_grad():
        sigma = torch.full((len(want["in.x"]),), float(metadata["sigma"]), dtype=torch.float64)
        d = side.evaluate(side.layout(want["in.x"].float()), sigma)
    side.net.train()
    losses = side.gradient(side.layout(want["in.images"]), side.layout(want["in.noise"]), want["in.sigma"])
    grads = {"grad." + name: p.grad for name, p in side.net.named_parameters()}
    missing = set(grads) ^ {name for name in want if name.startswith("grad.")}
    if missing:
        raise SystemExit(f"gradients on one side only: {sorted(missing)}")
    count = sum(g.numel() for g in grads.values())
    noise = 1e-6 * (sum(g.double().pow(2).sum() for g in grads.values()) / count).sqrt().item()
    worst = max((rms(g - want[name]) / (rms(g) + 1e3 * noise), name) for name, g in grads.items())
    return {
        "D": rms(d - want["out.D"]) / rms(d),
        "loss": rms(losses - want["out.loss"]) / rms(losses),
        "gradient": worst[0], "gradient_of": worst[1], "gradients": len(grads), "kernels": metadata["kernels"],
    }


def serve(a):
    """Answers commands until the end of the input."""
    side = Side(a)
    print(json.dumps({
        "name": "torch", "version": torch.__version__, "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in side.net.parameters()), "batch": a.batch,
    }), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "matmul":
            print(json.dumps({"gflops": matmul()}), flush=True)
            continue
        step = {"train": side.train, "forward": side.forward}[command["do"]]
        start = time.perf_counter()
        for _ in range(command["steps"]):
            step()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "images": command["steps"] * a.batch}), flush=True)


def main():
    a = parse()
    torch.set_num_threads(a.threads)
    if a.check:
        print(json.dumps(check(a)))
    else:
        serve(a)


if __name__ == "__main__":
    main()
