"""FashionViL's patch tokenizer in plain PyTorch: a VQ-VAE's encoder (Esser et al., 2021) and the
nearest of its codes. Modules have the names of the release's state dict.
"""

import torch
from torch import nn
from torch.nn import functional

GROUPS, EPSILON = 32, 1e-6


def _norm(width):
    return nn.GroupNorm(GROUPS, width, EPSILON)


def _convolution(inputs, outputs, side):
    return nn.Conv2d(inputs, outputs, side, padding=side // 2)


class ResidualBlock(nn.Module):
    """Two convolutions, each after a group norm and swish, added to the input."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm1, self.norm2 = _norm(inputs), _norm(outputs)
        self.conv1 = _convolution(inputs, outputs, 3)
        self.conv2 = _convolution(outputs, outputs, 3)
        if inputs != outputs:
            self.nin_shortcut = _convolution(inputs, outputs, 1)

    def forward(self, maps):
        hidden = self.conv1(functional.silu(self.norm1(maps)))
        hidden = self.conv2(functional.silu(self.norm2(hidden)))
        return hidden + (self.nin_shortcut(maps) if hasattr(self, "nin_shortcut") else maps)


class CellAttention(nn.Module):
    """Every cell attends to all cells of its map, with one head; added to the input."""

    def __init__(self, width):
        super().__init__()
        self.norm = _norm(width)
        self.q, self.k, self.v, self.proj_out = (_convolution(width, width, 1) for _ in range(4))

    def forward(self, maps):
        normed = self.norm(maps)
        parts = [part(normed).flatten(2).transpose(1, 2) for part in (self.q, self.k, self.v)]
        mixed = functional.scaled_dot_product_attention(*parts)
        return maps + self.proj_out(mixed.transpose(1, 2).unflatten(2, maps.shape[2:]))


def _level(inputs, outputs, count, attention, last):
    sizes = [inputs] + [outputs] * count
    parts = {
        "block": nn.ModuleList(map(ResidualBlock, sizes, sizes[1:])),
        "attn": nn.ModuleList(CellAttention(outputs) for _ in range(count * attention)),
    }
    if not last:
        parts["downsample"] = nn.ModuleDict({"conv": nn.Conv2d(outputs, outputs, 3, 2)})
    return nn.ModuleDict(parts)


class PatchCodes(nn.Module):
    """[B, 3, H, W] photos to codes [B, cells], row by row.

    Args: sizes: a `TokenizerConfig`.
    """

    def __init__(self, sizes):
        super().__init__()
        widths = [sizes.hidden_dim * number for number in sizes.multipliers]
        last = len(widths) - 1
        levels = [
            _level(widths[max(n - 1, 0)], width, sizes.num_blocks, n == last, n == last)
            for n, width in enumerate(widths)
        ]
        middle = {
            "block_1": ResidualBlock(widths[-1], widths[-1]),
            "attn_1": CellAttention(widths[-1]),
            "block_2": ResidualBlock(widths[-1], widths[-1]),
        }
        self.encoder = nn.ModuleDict(
            {
                "conv_in": _convolution(3, widths[0], 3),
                "down": nn.ModuleList(levels),
                "mid": nn.ModuleDict(middle),
                "norm_out": _norm(widths[-1]),
                "conv_out": _convolution(widths[-1], sizes.z_channels, 3),
            }
        )
        self.quant_conv = _convolution(sizes.z_channels, sizes.code_dim, 1)
        self.quantize = nn.ModuleDict({"embedding": nn.Module()})
        codes = torch.zeros(sizes.num_codes, sizes.code_dim)
        self.quantize["embedding"].register_buffer("weight", codes)
        self.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def forward(self, images):
        maps = self.encoder["conv_in"](images)
        for level in self.encoder["down"]:
            for number, block in enumerate(level["block"]):
                maps = block(maps)
                if level["attn"]:
                    maps = level["attn"][number](maps)
            if "downsample" in level:
                maps = level["downsample"]["conv"](functional.pad(maps, (0, 1, 0, 1)))
        for part in self.encoder["mid"].values():
            maps = part(maps)
        maps = self.encoder["conv_out"](functional.silu(self.encoder["norm_out"](maps)))
        return self._nearest(self.quant_conv(maps).flatten(2).transpose(1, 2).float())

    def _nearest(self, cells):
        """The number of each cell's nearest code, in float32."""
        codes = self.quantize["embedding"].weight
        with torch.autocast("cpu", enabled=False):
            return ((codes**2).sum(-1) - 2 * cells @ codes.T).argmin(-1)
