"""Integrates the probability-flow ODE of a mixture of Gaussians by scipy's DOP853
and writes dop853.json, which TestRK4AgainstAnotherIntegrator compares rk4 with. It
reads latents from that file, wants numpy and scipy, and is run by hand:
python3 dop853.py"""

import json

import numpy as np
from scipy.integrate import solve_ivp

with open("dop853.json") as f:
    case = json.load(f)
means, s0 = np.array(case["means"]).reshape(-1, 2), case["s0"]
high, low = case["sigma_max"], case["sigma_min"]


def denoised(x, sigma):
    """Returns the mean of the clean image behind x [2]."""
    v = s0**2 + sigma**2
    log = -((x - means) ** 2).sum(axis=1) / (2 * v)
    w = np.exp(log - log.max())
    w /= w.sum()
    return (w[:, None] * (means + s0**2 / v * (x - means))).sum(axis=0)


def slope(u, x):
    """Returns dx/du for u = ln sigma."""
    return x - denoised(x, np.exp(u))


ends = []
for latent in np.array(case["latents"]).reshape(-1, 2):
    path = solve_ivp(slope, (np.log(high), np.log(low)), high * latent, method="DOP853", rtol=1e-13, atol=1e-13)
    assert path.success, path.message
    ends += path.y[:, -1].tolist()
case["x"] = ends
with open("dop853.json", "w") as f:
    json.dump(case, f, indent=1)
    f.write("\n")
