"""The sides of the comparison on a GPU: what they are called and how they start."""

import dataclasses
import os

import peer
import sides

# How edm runs, by the name of the variant: its label and its environment.
OURS = {"default": (peer.EDM, {}), "wgmma": (peer.EDM + " wgmma", {"EDM_CUDA_WGMMA": "1"})}
# What PyTorch has beside its compiler that makes it fast.
FAST = "channels_last+fused+sdpa"
THEIRS = {"eager": FAST, "compile": FAST + "+compile", "reduce-overhead": FAST + "+reduce-overhead"}


@dataclasses.dataclass(frozen=True)
class Side:
    label: str
    ours: bool
    device: str
    command: tuple  # without network, batch and precision
    environment: dict = dataclasses.field(default_factory=dict, compare=False)

    def words(self, network, batch, precision, *more):
        dash = "-" if self.ours else "--"
        said = {"network": network, "batch": str(batch), "device": self.device, "precision": precision}
        return [*self.command, *(word for name, value in said.items() for word in (dash + name, value)), *more]

    def start(self, *what, limit):
        return sides.Process(self.label, self.words(*what), os.cpu_count(), limit=limit, more=self.environment, quiet=True)


def ours(a, precision, edmbench):
    """Returns edm's sides. Only products in bf16 on a GPU have variants."""
    varied = precision == "bf16" and a.device.startswith("cuda")
    names = a.edm_variant if varied else ["default"]
    return [Side(OURS[n][0], True, a.device, (edmbench,), OURS[n][1]) for n in names]


def theirs(a):
    return [torch(a, name) for name in a.variant]


def torch(a, name):
    script = os.path.join(peer.HERE, "torchside.py")
    return Side("torch " + name, False, a.torch_device,
                (a.python, "-B", script, "--threads", str(os.cpu_count()), "--variant", THEIRS[name]))
