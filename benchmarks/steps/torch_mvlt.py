"""MVLT in plain PyTorch, as somebody would write it today: the rival of `benchmarks.mvlt_step`.
Modules have the names of the release's state dict, so that both start from the same weights.
"""

import torch
from torch import nn
from torch.nn import functional

GRIDS = (4, 2, 2, 2)


class Attention(nn.Module):
    """Of all tokens to reduced patches and words."""

    def __init__(self, width, heads, ratio):
        super().__init__()
        self.heads, self.ratio = heads, ratio
        self.q, self.kv = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        if ratio > 1:
            self.sr = nn.Conv2d(width, width, ratio, ratio)
            self.norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, hidden, grid):
        count, width = grid[0] * grid[1], hidden.shape[-1]
        source = hidden
        if self.ratio > 1:
            patches = hidden[:, :count].transpose(1, 2).unflatten(2, grid)
            reduced = self.norm(self.sr(patches).flatten(2).transpose(1, 2))
            source = torch.cat([reduced, hidden[:, count:]], dim=1)
        key, value = self._split(self.kv(source)).split(self.heads, dim=1)
        mixed = functional.scaled_dot_product_attention(self._split(self.q(hidden)), key, value)
        return self.proj(mixed.transpose(1, 2).reshape(*hidden.shape[:2], width))

    def _split(self, tensor):
        size = self.q.out_features // self.heads
        return tensor.unflatten(2, (-1, size)).transpose(1, 2)


class FeedForward(nn.Module):
    """Two layers with GELU between."""

    def __init__(self, width, ratio):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, hidden):
        return self.fc2(functional.gelu(self.fc1(hidden)))


class Block(nn.Module):
    """Attention and feed-forward, each behind its norm."""

    def __init__(self, width, heads, mlp_ratio, ratio):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = Attention(width, heads, ratio), FeedForward(width, mlp_ratio)

    def forward(self, hidden, grid):
        hidden = hidden + self.attn(self.norm1(hidden), grid)
        return hidden + self.mlp(self.norm2(hidden))


class PatchEmbedding(nn.Module):
    """Patches of an image map as tokens."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.proj, self.norm = nn.Conv2d(channels, width, stride, stride), nn.LayerNorm(width)

    def forward(self, image):
        return self.norm(self.proj(image).flatten(2).transpose(1, 2))


def adapter(width, hidden_size):
    return nn.Sequential(nn.Linear(width, hidden_size), nn.LayerNorm(hidden_size))


def normalised(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))


class Decoder(nn.Module):
    """The feature pyramid that reconstructs photos."""

    def __init__(self, widths, size):
        super().__init__()
        self.reduction1, self.reduction2, self.reduction3 = (normalised(w, size) for w in widths)
        for number in range(1, 5):
            setattr(self, f"conv_upsample{number}", normalised(size, size))
        self.conv_upsample5 = normalised(2 * size, 2 * size)
        self.conv_concat2, self.conv_concat3 = (normalised(n * size, n * size) for n in (2, 3))
        self.conv4, self.score = (
            normalised(3 * size, 3 * size),
            nn.Sequential(nn.Conv2d(3 * size, 3, 1)),
        )

    def forward(self, low, mid, high):
        def up(image, factor=2):
            return functional.interpolate(
                image, scale_factor=factor, mode="bilinear", align_corners=True
            )

        low, mid, high = self.reduction1(low), self.reduction2(mid), self.reduction3(high)
        first = self.conv_upsample1(up(high)) * mid
        second = self.conv_upsample2(up(mid)) * self.conv_upsample3(up(first)) * low
        middle = self.conv_concat2(torch.cat([first, self.conv_upsample4(up(high))], dim=1))
        both = torch.cat([second, self.conv_upsample5(up(middle))], dim=1)
        return up(self.score(self.conv4(self.conv_concat3(both))), 8)


class TorchMvlt(nn.Module):
    """Args: config: a `MvltConfig`, whose chances are 0."""

    def __init__(self, config):
        super().__init__()
        self.depths, size, widths = config.depths, config.hidden_size, config.widths
        self.text_embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(config.vocab_size, size),
                "position_embeddings": nn.Embedding(config.max_position_embeddings, size),
                "token_type_embeddings": nn.Embedding(config.type_vocab_size, size),
                "LayerNorm": nn.LayerNorm(size, eps=1e-12),
            }
        )
        side = config.position_side
        for stage, stride in enumerate(GRIDS):
            width, number, side = widths[stage], stage + 1, side // stride
            cells = side * side + (stage == 3)
            table = nn.Parameter(torch.zeros(1, cells, width))
            words = nn.Parameter(torch.zeros(1, config.text_seq_len, width))
            self.register_parameter(f"pos_embed{number}", table)
            self.register_parameter(f"text_pos_embed{number}", words)
            channels, before = (3, *widths)[stage], (size, *widths)[stage]
            setattr(self, f"patch_embed{number}", PatchEmbedding(channels, width, stride))
            text = nn.Sequential(nn.Linear(before, width), nn.LayerNorm(width))
            setattr(self, f"text_embed{number}", text)
            sizes = (config.heads, config.mlp_ratios, config.reduction_ratios)
            blocks = [Block(width, *(s[stage] for s in sizes)) for _ in range(self.depths[stage])]
            setattr(self, f"block{number}", nn.ModuleList(blocks))
        self.mlm_head_embed, self.itm_head_embed = (adapter(widths[3], size) for _ in range(2))
        transform = {"dense": nn.Linear(size, size), "LayerNorm": nn.LayerNorm(size)}
        self.mlm_head = nn.Module()
        self.mlm_head.transform = nn.ModuleDict(transform)
        self.mlm_head.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.itm_head = nn.Module()
        self.itm_head.linear = nn.Linear(size, 2)
        self.itm_head.linear_bias = nn.Parameter(torch.zeros(2))
        self.t2i_head = Decoder(widths[1:], config.decoder_size)

    def losses(self, batch):
        """The three losses of a batch, names as in `benchmarks.mvlt_step`."""
        maps, text = self._encode(batch["images"], batch["input_ids"])
        places = batch["masked_lm_positions"]
        words = torch.gather(text, 1, places[..., None].expand(-1, -1, text.shape[-1]))
        head = self.mlm_head
        hidden = functional.gelu(head.transform["dense"](self.mlm_head_embed(words)))
        hidden = head.transform["LayerNorm"](hidden)
        table = self.text_embeddings["word_embeddings"].weight
        logits = functional.linear(hidden, table, head.bias).flatten(0, 1).float()
        cls = self.itm_head_embed(text[:, 0])
        match = (self.itm_head.linear(cls) + self.itm_head.linear_bias).float()
        weights = batch["masked_lm_weights"].flatten()
        each = functional.cross_entropy(logits, batch["masked_lm_ids"].flatten(), reduction="none")
        image = self.t2i_head(*maps[1:]).float()
        return {
            "masked_lm_loss": (each * weights).sum() / weights.sum(),
            "next_sentence_loss": functional.cross_entropy(match, batch["next_sentence_label"]),
            "image_loss": functional.smooth_l1_loss(image, batch["image_targets"]),
        }

    def _encode(self, image, ids):
        tables = self.text_embeddings
        text = tables["word_embeddings"](ids) + tables["token_type_embeddings"].weight[0]
        text = text + tables["position_embeddings"].weight[: ids.shape[1]]
        text, maps = tables["LayerNorm"](text), []
        for number in range(1, 5):
            grid = tuple(side // GRIDS[number - 1] for side in image.shape[2:])
            patches = getattr(self, f"patch_embed{number}")(image)
            patches = patches + self._positions(number, grid)
            text = getattr(self, f"text_embed{number}")(text)
            text = text + getattr(self, f"text_pos_embed{number}")
            hidden = torch.cat([patches, text], dim=1)
            for block in getattr(self, f"block{number}"):
                hidden = block(hidden, grid)
            count = grid[0] * grid[1]
            image = hidden[:, :count].transpose(1, 2).unflatten(2, grid)
            text = hidden[:, count:]
            maps.append(image)
        return maps, text

    def _positions(self, number, grid):
        table = getattr(self, f"pos_embed{number}")
        table = table[:, 1:] if number == 4 else table
        side = round(table.shape[1] ** 0.5)
        square = table.transpose(1, 2).unflatten(2, (side, side))
        resized = functional.interpolate(square, grid, mode="bilinear", align_corners=False)
        return resized.flatten(2).transpose(1, 2)
