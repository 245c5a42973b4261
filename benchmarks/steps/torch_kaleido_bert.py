"""Kaleido-BERT in plain PyTorch, as somebody would write it today: one product for query, key and
value, and fused attention.
"""

import torch
from torch import nn
from torch.nn import functional

LEVELS = {"rotation": 1, "jigsaw": 4, "camouflage": 9, "grey_to_color": 16, "blank_to_color": 25}
CLASSIFIED = ("rotation", "jigsaw", "camouflage")
FLOOR = 1e-7


class Block(nn.Module):
    """A post-norm encoder block."""

    def __init__(self, config, dropout):
        super().__init__()
        size, epsilon = config.hidden_size, config.layer_norm_eps
        self.heads, self.dropout = config.num_attention_heads, dropout
        self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.first = nn.Linear(size, config.intermediate_size)
        self.second = nn.Linear(config.intermediate_size, size)
        self.norm1, self.norm2 = (nn.LayerNorm(size, epsilon) for _ in range(2))

    def forward(self, hidden, mask):
        batch, length, size = hidden.shape
        heads = self.qkv(hidden).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            *heads.unbind(0), attn_mask=mask.to(heads.dtype), dropout_p=self.dropout
        )
        attended = self.out(mixed.transpose(1, 2).reshape(batch, length, size))
        hidden = self.norm1(hidden + functional.dropout(attended, self.dropout))
        inner = self.second(functional.gelu(self.first(hidden), approximate="tanh"))
        return self.norm2(hidden + functional.dropout(inner, self.dropout))


class Level(nn.Module):
    """The embedding of one level's patches."""

    def __init__(self, config, number, dropout):
        super().__init__()
        size = config.hidden_size
        self.number, self.dropout = number, dropout
        self.projector = nn.Linear(config.patch_feature_size, size, bias=False)
        self.types = nn.Parameter(torch.zeros(config.patch_type_vocab_size, size))
        self.norm = nn.LayerNorm(size, config.layer_norm_eps)

    def forward(self, features, location):
        embedded = self.projector(functional.dropout(features, self.dropout))
        embedded = self.norm(embedded + location + self.types[self.number])
        return functional.dropout(embedded, self.dropout)


class TorchKaleidoBert(nn.Module):
    """Args: config: a `KaleidoBertConfig`. dropout: of everything."""

    def __init__(self, config, dropout):
        super().__init__()
        size, epsilon, features = (
            config.hidden_size,
            config.layer_norm_eps,
            config.patch_feature_size,
        )
        self.dropout = dropout
        self.words = nn.Embedding(config.vocab_size, size)
        self.positions = nn.Embedding(config.max_position_embeddings, size)
        self.segments = nn.Embedding(config.type_vocab_size, size)
        self.text_norm = nn.LayerNorm(size, epsilon)
        self.box = nn.Linear(5, size, bias=False)
        self.levels = nn.ModuleDict(
            {name: Level(config, number, dropout) for number, name in enumerate(LEVELS, start=1)}
        )
        blocks = [Block(config, dropout) for _ in range(config.num_hidden_layers)]
        self.blocks = nn.ModuleList(blocks)
        self.pooler, self.match = nn.Linear(size, size), nn.Linear(size, 2)
        self.transform = nn.Linear(size, size)
        self.transform_norm = nn.LayerNorm(size, epsilon)
        self.word_bias = nn.Parameter(torch.zeros(config.vocab_size))
        classes = {
            "rotation": config.img_rotation_label_num,
            "jigsaw": config.img_jigsaw_label_num,
            "camouflage": config.img_camouflage_label_num,
        }
        self.heads = nn.ModuleDict(
            {
                name: (
                    nn.Linear(count * size, classes[name])
                    if name in CLASSIFIED
                    else nn.Linear(size, features, bias=False)
                )
                for name, count in LEVELS.items()
            }
        )

    def losses(self, batch):
        """All losses of a batch, named as here."""
        embedded, mask, targets = self._embed(batch)
        hidden = embedded
        for block in self.blocks:
            hidden = block(hidden, mask)
        length = batch["input_ids"].shape[1]
        text, patches = hidden[:, :length], hidden[:, length:]
        pooled = torch.tanh(self.pooler(hidden[:, 0]))
        match = self.match(pooled).float()
        results = {
            "masked_lm_loss": self._masked_lm(text, batch),
            "next_sentence_loss": functional.cross_entropy(match, batch["next_sentence_label"]),
        }
        for name, level in zip(LEVELS, patches.split(list(LEVELS.values()), 1)):
            if name in CLASSIFIED:
                logits = self.heads[name](level.flatten(1)).float()
                results[f"{name}_loss"] = functional.cross_entropy(logits, batch[f"{name}_label"])
            else:
                logits = self.heads[name](_places(level, batch[f"{name}_positions"])).float()
                results[f"{name}_loss"] = _divergence(logits, targets[name])
        return results

    def _embed(self, batch):
        """The encoder's input, its mask, and the patches that are to be reconstructed."""
        ids = batch["input_ids"]
        text = self.words(ids) + self.segments(batch["segment_ids"])
        text = self.text_norm(text + self.positions.weight[: ids.shape[1]])
        parts = [functional.dropout(text, self.dropout)]
        side = batch["rotation_boxes"][..., :4].float().amax(-1, keepdim=True)
        unit = torch.cat([side.expand(-1, -1, 4), side * side], -1)
        blank = batch["blank_to_color_features"]
        places = batch["blank_to_color_positions"]
        targets = {
            "grey_to_color": batch["grey_to_color_targets"],
            "blank_to_color": _places(blank, places),
        }
        listed = functional.one_hot(places, blank.shape[1]).sum(1, keepdim=True)
        features = {name: batch[f"{name}_features"] for name in LEVELS}
        features["blank_to_color"] = blank * (1 - listed).transpose(1, 2)
        for name, level in self.levels.items():
            location = self.box(batch[f"{name}_boxes"].float() / unit)
            parts.append(level(features[name], location))
        mask = functional.pad(batch["input_mask"].float(), (0, sum(LEVELS.values())), value=1.0)
        return torch.cat(parts, 1), (1 - mask[:, None, None]) * -1e9, targets

    def _masked_lm(self, text, batch):
        hidden = self.transform(_places(text, batch["masked_lm_positions"]))
        hidden = self.transform_norm(functional.gelu(hidden, approximate="tanh"))
        logits = functional.linear(hidden, self.words.weight, self.word_bias).flatten(0, 1).float()
        each = functional.cross_entropy(logits, batch["masked_lm_ids"].flatten(), reduction="none")
        weights = batch["masked_lm_weights"].flatten()
        return (each * weights).sum() / (weights.sum() + 1e-5)


def _places(values, positions):
    """The listed places of each example."""
    return torch.gather(values, 1, positions[..., None].expand(-1, -1, values.shape[-1]))


def _divergence(logits, features):
    target = functional.softmax(features.float(), -1).clamp(FLOOR, 1)
    predicted = functional.softmax(logits, -1).clamp(FLOOR, 1)
    return (target * (target / predicted).log()).sum(-1).mean()


def state_of(named, config) -> dict:
    """The module's state from arrays under the original's names (without the name of the model)."""

    def linear(module, name, bias=True):
        state[f"{module}.weight"] = named[f"{name}/kernel"].T
        if bias:
            state[f"{module}.bias"] = named[f"{name}/bias"]

    def norm(module, name):
        state[f"{module}.weight"] = named[f"{name}/gamma"]
        state[f"{module}.bias"] = named[f"{name}/beta"]

    state = {
        "words.weight": named["bert/embeddings/word_embeddings"],
        "positions.weight": named["bert/embeddings/position_embeddings"],
        "segments.weight": named["bert/embeddings/token_type_embeddings"],
        "box.weight": named["bert/position_dense"].T,
        "word_bias": named["cls/predictions/output_bias"],
        "match.weight": named["cls/seq_relationship/output_weights"],
        "match.bias": named["cls/seq_relationship/output_bias"],
    }
    norm("text_norm", "bert/embeddings/LayerNorm")
    linear("pooler", "bert/pooler/dense")
    linear("transform", "cls/predictions/transform/dense")
    norm("transform_norm", "cls/predictions/transform/LayerNorm")
    for number in range(config.num_hidden_layers):
        ours, theirs = f"blocks.{number}", f"bert/encoder/layer_{number}"
        parts = [f"{theirs}/attention/self/{part}" for part in ("query", "key", "value")]
        state[f"{ours}.qkv.weight"] = _stacked(named[f"{part}/kernel"].T for part in parts)
        state[f"{ours}.qkv.bias"] = _stacked(named[f"{part}/bias"] for part in parts)
        linear(f"{ours}.out", f"{theirs}/attention/output/dense")
        norm(f"{ours}.norm1", f"{theirs}/attention/output/LayerNorm")
        linear(f"{ours}.first", f"{theirs}/intermediate/dense")
        linear(f"{ours}.second", f"{theirs}/output/dense")
        norm(f"{ours}.norm2", f"{theirs}/output/LayerNorm")
    for name, (place, short, head) in ORIGINAL_LEVELS.items():
        scope = f"bert/{place}_embeddings/{short}"
        state[f"levels.{name}.projector.weight"] = named[f"{scope}_projector"].T
        state[f"levels.{name}.types"] = named[f"{scope}_type_embeddings"]
        norm(f"levels.{name}.norm", f"{scope}EmbLayerNorm")
        weight = named[f"{head}_weights"]
        state[f"heads.{name}.weight"] = weight if name in CLASSIFIED else weight.T
        if name in CLASSIFIED:
            state[f"heads.{name}.bias"] = named[f"cls/img_{name}/{name}_output_bias"]
    return {name: torch.from_numpy(array.copy()) for name, array in state.items()}


ORIGINAL_LEVELS = {
    "rotation": ("rotation", "rotation", "cls/img_rotation/rotation_output"),
    "jigsaw": ("jigsaw", "jigsaw", "cls/img_jigsaw/jiasaw_output"),
    "camouflage": ("camouflage", "camouflage", "cls/img_camouflage/camouflage_output"),
    "grey_to_color": ("greymask", "greymask", "cls/img_greymask/greymask_output"),
    "blank_to_color": ("blank", "blankmask", "cls/img_blankmask/blanmask_output"),
}
"""Level -> folder and short name of its embedding, and its head, spelt as in the original."""


def _stacked(arrays):
    return torch.cat([torch.from_numpy(array.copy()) for array in arrays]).numpy()
