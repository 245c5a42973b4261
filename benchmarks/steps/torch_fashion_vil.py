"""FashionViL in plain PyTorch, as somebody would write it today: one product for query, key and
value, fused attention, channels last. Modules have the names of the release's state dict, but for
that one product, so that both sides start from the same weights.

B = batch, T = words, V = image tokens, D = hidden size.
"""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.steps.torch_patch_codes import PatchCodes
from benchmarks.steps.torch_resnet import resnet

REPLACED_ABOVE = 0.5
PARTS = ("query", "key", "value")


class Transform(nn.Module):
    """BERT's prediction transform."""

    def __init__(self, size, epsilon):
        super().__init__()
        self.dense, self.LayerNorm = nn.Linear(size, size), nn.LayerNorm(size, epsilon)

    def forward(self, hidden):
        return self.LayerNorm(functional.gelu(self.dense(hidden)))


def _sum_and_norm(inputs, size, epsilon):
    return nn.ModuleDict(
        {"dense": nn.Linear(inputs, size), "LayerNorm": nn.LayerNorm(size, epsilon)}
    )


class Block(nn.Module):
    """A post-norm encoder block. [B, L, D], a bool mask [B, 1, 1, L] of places that may be looked
    at, the chance of dropout -> [B, L, D].
    """

    def __init__(self, config):
        super().__init__()
        size, inner, epsilon = (config.hidden_size, config.intermediate_size, config.layer_norm_eps)
        self.heads = config.num_attention_heads
        qkv = nn.ModuleDict({"qkv": nn.Linear(size, 3 * size)})
        self.attention = nn.ModuleDict({"self": qkv, "output": _sum_and_norm(size, size, epsilon)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(size, inner)})
        self.output = _sum_and_norm(inner, size, epsilon)

    def forward(self, hidden, mask, dropout):
        batch, length, size = hidden.shape
        heads = self.attention["self"]["qkv"](hidden).view(batch, length, 3, self.heads, -1)
        mixed = functional.scaled_dot_product_attention(
            *heads.permute(2, 0, 3, 1, 4).unbind(0), attn_mask=mask, dropout_p=dropout
        )
        mixed = mixed.transpose(1, 2).reshape(batch, length, size)
        hidden = _added(self.attention["output"], mixed, hidden, dropout)
        inner = functional.gelu(self.intermediate["dense"](hidden))
        return _added(self.output, inner, hidden, dropout)


def _added(output, inner, hidden, dropout):
    inner = functional.dropout(output["dense"](inner), dropout)
    return output["LayerNorm"](hidden + inner)


class Bert(nn.Module):
    """The encoder of texts, and of texts and image tokens. Methods' `dropout`: the chance."""

    def __init__(self, config, channels):
        super().__init__()
        size, places, types = (
            config.hidden_size,
            config.max_position_embeddings,
            config.type_vocab_size,
        )
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(config.vocab_size, size),
                "position_embeddings": nn.Embedding(places, size),
                "token_type_embeddings": nn.Embedding(types, size),
                "position_embeddings_visual": nn.Embedding(places, size),
                "token_type_embeddings_visual": nn.Embedding(types, size),
                "projection": nn.Linear(channels, size),
                "LayerNorm": nn.LayerNorm(size, config.layer_norm_eps),
            }
        )
        blocks = [Block(config) for _ in range(config.num_hidden_layers)]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(blocks)})
        self.pooler = nn.ModuleDict({"dense": nn.Linear(size, size)})

    def image_means(self, tokens):
        """[B, D] float32 of tokens [B, V, C]."""
        return self.embeddings["projection"](tokens).float().mean(1)

    def text_means(self, ids, mask, dropout):
        """[B, D] float32 of texts alone."""
        states = self._encode(self._text(ids), mask, dropout).float()
        return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

    def joint(self, ids, mask, tokens, dropout):
        """[B, T + V, D] of texts and image tokens. Args: mask: [B, T + V] int."""
        image = self.embeddings["projection"](tokens)
        return self._encode(
            torch.cat([self._text(ids), self._placed(image, "_visual")], 1), mask, dropout
        )

    def pooled(self, states):
        """[B, D] of the first place."""
        return torch.tanh(self.pooler["dense"](states[:, 0]))

    def _text(self, ids):
        return self._placed(self.embeddings["word_embeddings"](ids), "")

    def _placed(self, hidden, ending):
        places = self.embeddings[f"position_embeddings{ending}"].weight[: hidden.shape[1]]
        return hidden + places + self.embeddings[f"token_type_embeddings{ending}"].weight[0]

    def _encode(self, embedded, mask, dropout):
        hidden = functional.dropout(self.embeddings["LayerNorm"](embedded), dropout)
        mask = mask[:, None, None].bool()
        for block in self.encoder["layer"]:
            hidden = block(hidden, mask, dropout)
        return hidden


class TorchFashionVil(nn.Module):
    """Args: config: a `FashionVilConfig`. dropout: of the encoder of texts and pairs."""

    def __init__(self, config, dropout):
        super().__init__()
        size, epsilon, channels = config.hidden_size, config.layer_norm_eps, 32 * config.stem_width
        self.dropout, self.tokens = dropout, config.num_tokens
        network = resnet(config.stem_width, config.image_depths)
        self.image_encoder = nn.ModuleDict({"model": network})
        heads = {name: nn.Module() for name in ("itm", "mlm", "pac")}
        heads["itm"].seq_relationship = nn.Linear(size, 2)
        heads["mlm"].transform = Transform(size, epsilon)
        heads["mlm"].bias = nn.Parameter(torch.zeros(config.vocab_size))
        heads["pac"].projection = nn.Parameter(torch.zeros(size, config.num_attributes))
        codes = nn.Linear(size, config.patch_tokenizer.num_codes)
        heads["mpfc"] = nn.Sequential(Transform(size, epsilon), codes)
        norm = nn.Module()
        norm.norm_s = nn.Parameter(torch.ones(1))
        self.model = nn.ModuleDict(
            {
                "bert": Bert(config, channels),
                "heads": nn.ModuleDict(heads),
                "contrastive_norm": norm,
                "image_tokenizer": PatchCodes(config.patch_tokenizer),
            }
        )

    def losses(self, batch, task):
        """{name: loss} of one task; names as in `benchmarks.steps.fashion_vil_step`."""
        tokens = self._tokens(batch["images"])
        return {f"{task}_loss": getattr(self, f"_{task}")(batch, tokens)}

    def _itm(self, batch, tokens):
        with torch.no_grad():
            images, texts = self._vectors(batch, tokens, dropout=0.0)
            scores = (images @ texts.T).fill_diagonal_(-torch.inf)
        own = torch.arange(len(tokens))
        replaced = batch["mismatch_draws"] > REPLACED_ABOVE
        rows = torch.where(replaced, scores.argmax(1), own)
        mask = functional.pad(batch["input_mask"][rows], (0, self.tokens), value=1)
        states = self._joint(batch["input_ids"][rows], mask, tokens)
        logits = self.model["heads"]["itm"].seq_relationship(self.model["bert"].pooled(states))
        return functional.cross_entropy(logits.float(), (~replaced).long())

    def _pac(self, batch, tokens):
        bert, labels = self.model["bert"], batch["attributes"]
        labels = labels / labels.sum(1, keepdim=True)
        images = bert.image_means(tokens)
        texts = bert.text_means(batch["input_ids"], batch["input_mask"], self.dropout)
        directions = functional.normalize(self.model["heads"]["pac"].projection, dim=0)
        with torch.autocast("cpu", enabled=False):
            return sum(
                functional.cross_entropy(functional.normalize(vectors, dim=1) @ directions, labels)
                for vectors in (images, texts)
            )

    def _itc(self, batch, tokens):
        return _contrast(*self._vectors(batch, tokens, self.dropout))

    def _icc(self, batch, tokens):
        seen = 1 - batch["hidden_places"]
        mask = functional.pad(batch["input_mask"], (0, self.tokens), value=1) * seen
        states = self._joint(batch["input_ids"], mask, self._tokens(batch["other_images"]))
        seen = seen[:, -self.tokens :, None]
        composed = (states[:, -self.tokens :].float() * seen).sum(1)
        return _contrast(
            self._scaled(self.model["bert"].image_means(tokens)), self._scaled(composed)
        )

    def _mlm(self, batch, tokens):
        states = self._pair(batch, tokens, "masked_input_ids")
        rows, slots = batch["masked_lm_weights"].nonzero(as_tuple=True)
        head = self.model["heads"]["mlm"]
        hidden = head.transform(states[rows, batch["masked_lm_positions"][rows, slots]])
        words = self.model["bert"].embeddings["word_embeddings"].weight
        logits = functional.linear(hidden, words, head.bias).float()
        return functional.cross_entropy(logits, batch["masked_lm_ids"][rows, slots])

    def _mpfc(self, batch, tokens):
        masked = batch["masked_tokens"]
        states = self._pair(batch, tokens * ~masked[..., None], "input_ids")
        logits = self.model["heads"]["mpfc"](states[:, -self.tokens :][masked])
        codes = self.model["image_tokenizer"](batch["images"])[masked]
        return functional.cross_entropy(logits.float(), codes)

    def _tokens(self, images):
        return self.image_encoder["model"](images).flatten(2).transpose(1, 2)

    def _pair(self, batch, tokens, ids):
        mask = functional.pad(batch["input_mask"], (0, self.tokens), value=1)
        return self._joint(batch[ids], mask, tokens)

    def _joint(self, ids, mask, tokens):
        return self.model["bert"].joint(ids, mask, tokens, self.dropout)

    def _vectors(self, batch, tokens, dropout):
        """Of images and of texts, [B, D] float32 both."""
        bert = self.model["bert"]
        texts = bert.text_means(batch["input_ids"], batch["input_mask"], dropout)
        return self._scaled(bert.image_means(tokens)), self._scaled(texts)

    def _scaled(self, vectors):
        return self.model["contrastive_norm"].norm_s * functional.normalize(vectors, dim=1)


def _contrast(first, second):
    """The mean of both ways; the texts of a batch differ from each other."""
    with torch.autocast("cpu", enabled=False):  # a logit of 16 needs more than 8 bits
        logits, own = first @ second.T, torch.arange(len(first))
        both = (functional.cross_entropy(way, own) for way in (logits, logits.T))
        return sum(both) / 2


def state_of(named, wanted) -> dict:
    """The module's state from arrays under the release's names.

    Args: wanted: keys of the module's state dict.
    """

    def entry(key):
        if ".qkv." not in key:
            return torch.from_numpy(named[key])
        parts = [torch.from_numpy(named[key.replace("qkv", part)]) for part in PARTS]
        return torch.cat(parts)

    return {key: entry(key) for key in wanted}
