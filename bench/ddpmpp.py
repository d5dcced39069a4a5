"""The denoiser in plain PyTorch: the DDPM++ network as package unet describes
it, and the EDM preconditioning and loss around it (Karras et al. 2022, Table
1). Module names give the parameters the names that snapshots use."""

import json
import math

import torch
import torch.nn.functional as F
from torch import nn

SKIP_SCALE = math.sqrt(0.5)


def group_norm(channels):
    return nn.GroupNorm(max(1, min(32, channels // 4)), channels, eps=1e-6)


def conv(cin, cout, kernel):
    return nn.Conv2d(cin, cout, kernel, padding=kernel // 2)


class Block(nn.Module):
    """A residual block, with self-attention behind it where asked for."""

    def __init__(self, cin, cout, emb, dropout, resample=None, attention=False, sdpa=False):
        super().__init__()
        self.resample, self.attention, self.sdpa, self.p = resample, attention, sdpa, dropout
        self.norm0 = group_norm(cin)
        self.conv0 = conv(cin, cout, 3)
        self.affine = nn.Linear(emb, cout)
        self.norm1 = group_norm(cout)
        self.conv1 = conv(cout, cout, 3)
        self.skip = conv(cin, cout, 1) if resample or cin != cout else None
        if attention:
            self.norm2 = group_norm(cout)
            self.qkv = conv(cout, 3 * cout, 1)
            self.proj = conv(cout, cout, 1)

    def resize(self, x):
        if self.resample == "down":
            return F.avg_pool2d(x, 2)
        if self.resample == "up":
            return F.interpolate(x, scale_factor=2.0, mode="nearest")
        return x

    def attend(self, x):
        n, c, h, w = x.shape
        # Channels of qkv are ordered channel, then {q, k, v}.
        q, k, v = self.qkv(x).reshape(n, c, 3, h * w).unbind(2)
        if self.sdpa:
            q, k, v = (t.transpose(1, 2).unsqueeze(1) for t in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2)
        else:
            logits = torch.bmm(q.transpose(1, 2) / math.sqrt(c), k)
            y = torch.bmm(v, torch.softmax(logits, dim=2).transpose(1, 2))
        return self.proj(y.reshape(n, c, h, w))

    def forward(self, x, emb):
        h = self.conv0(self.resize(F.silu(self.norm0(x))))
        h = F.silu(self.norm1(h + self.affine(emb)[:, :, None, None]))
        h = self.conv1(F.dropout(h, self.p, self.training))
        skip = self.resize(x)
        if self.skip is not None:
            skip = self.skip(skip)
        x = (skip + h) * SKIP_SCALE
        if self.attention:
            x = (x + self.attend(self.norm2(x))) * SKIP_SCALE
        return x


class UNet(nn.Module):
    """F(x; c_noise) for the network configuration of a snapshot."""

    def __init__(self, c, dropout, sdpa=False):
        super().__init__()
        refuse_options(c)
        width = c["model_channels"]
        self.noise, emb = c["channel_mult_noise"] * width, c["channel_mult_emb"] * width
        self.map_layer0, self.map_layer1 = nn.Linear(self.noise, emb), nn.Linear(emb, emb)
        self.enc, self.dec = nn.ModuleDict(), nn.ModuleDict()
        levels = [(c["img_resolution"] >> i, m * width) for i, m in enumerate(c["channel_mult"])]
        attn = c["attn_resolutions"] or []

        def block(cin, cout, **options):
            return Block(cin, cout, emb, dropout, sdpa=sdpa, **options)

        now, skips = width, [width]
        for i, (res, out) in enumerate(levels):
            if i == 0:
                self.enc[f"{res}x{res}_conv"] = conv(c["in_channels"], now, 3)
            else:
                self.enc[f"{res}x{res}_down"] = block(now, now, resample="down")
                skips.append(now)
            for k in range(c["num_blocks"]):
                self.enc[f"{res}x{res}_block{k}"] = block(now, out, attention=res in attn)
                now = out
                skips.append(now)
        for i, (res, out) in reversed(list(enumerate(levels))):
            if i == len(levels) - 1:
                self.dec[f"{res}x{res}_in0"] = block(now, now, attention=True)
                self.dec[f"{res}x{res}_in1"] = block(now, now)
            else:
                self.dec[f"{res}x{res}_up"] = block(now, now, resample="up")
            for k in range(c["num_blocks"] + 1):
                attention = res in attn and k == c["num_blocks"]
                self.dec[f"{res}x{res}_block{k}"] = block(now + skips.pop(), out, attention=attention)
                now = out
        top = f"{c['img_resolution']}x{c['img_resolution']}_aux"
        self.dec[top + "_norm"] = group_norm(now)
        self.dec[top + "_conv"] = conv(now, c["out_channels"], 3)

    def embedding(self, c_noise):
        half = self.noise // 2
        step = torch.arange(half, dtype=torch.float64, device=c_noise.device) / max(half - 1, 1)
        angle = c_noise.double()[:, None] * (10000.0**-step)[None, :]
        emb = torch.cat([angle.sin(), angle.cos()], dim=1).float()
        return F.silu(self.map_layer1(F.silu(self.map_layer0(emb))))

    def forward(self, x, c_noise):
        emb = self.embedding(c_noise)
        skips = []
        for m in self.enc.values():
            x = m(x, emb) if isinstance(m, Block) else m(x)
            skips.append(x)
        for name, m in self.dec.items():
            if name.endswith("_norm"):
                x = F.silu(m(x))
            elif name.endswith("_conv"):
                x = m(x)
            elif "_block" in name:
                x = m(torch.cat([x, skips.pop()], dim=1), emb)
            else:
                x = m(x, emb)
        return x


class Denoiser(nn.Module):
    """D(x; sigma) = c_skip x + c_out F(c_in x; c_noise)."""

    def __init__(self, metadata, dropout=None, sdpa=False):
        super().__init__()
        config = json.loads(metadata["edm_model"])
        if config["precond"] != "edm":
            raise SystemExit(f"preconditioning {config['precond']!r}: this script has only edm")
        network = config["network"]
        self.sigma_data = config["precond_params"]["sigma_data"]
        self.model = UNet(network, network["dropout"] if dropout is None else dropout, sdpa)

    def forward(self, x, sigma):
        """sigma is [N] in float64, x [N,C,H,W] in float32."""
        s, data = sigma[:, None, None, None], self.sigma_data
        total = s**2 + data**2
        c_skip, c_out = (data**2 / total).float(), (s * data / total.sqrt()).float()
        c_in, c_noise = (1 / total.sqrt()).float(), (sigma.log() / 4).float()
        return c_skip * x + c_out * self.model(c_in * x, c_noise)

    def loss(self, images, noise, sigma):
        """The weighted squared error of every element (EDM Eq. 8)."""
        s, data = sigma[:, None, None, None], self.sigma_data
        weight = ((s**2 + data**2) / (s * data) ** 2).float()
        d = self(images + s.float() * noise, sigma)
        return weight * (d - images) ** 2


def refuse_options(c):
    """Stops at options that the benchmark's networks do not use."""
    wanted = {
        "arch": "ddpmpp", "embedding_type": "positional", "encoder_type": "standard", "decoder_type": "standard",
        "resample_filter": [1, 1], "label_dim": 0, "augment_dim": 0,
    }
    for key, value in wanted.items():
        if c[key] != value:
            raise SystemExit(f"network option {key} is {c[key]!r}: this script has only {value!r}")
