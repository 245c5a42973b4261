"""Tiny text encoders (BERT) in Hugging Face's layout with random weights, and BERT in NumPy, which
computes what they must give and shares nothing with the project. All sizes differ.
"""

import json
import math

import numpy as np
from safetensors.numpy import save_file

from kaleido_tf.text import SPECIAL_TOKENS

CONFIG = {
    "model_type": "bert",
    "vocab_size": 29,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 17,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
    "position_embedding_type": "absolute",
}
IDS = np.random.default_rng(3).integers(5, CONFIG["vocab_size"], [4, 7])
MASK = np.arange(7) < np.array([[7], [5], [2], [6]])


def draw(**changes):
    """Tensors by name, of an encoder with pooler and masked-language head; `changes`: of CONFIG."""
    config = {**CONFIG, **changes}
    hidden, inner, words = (
        config[key] for key in ("hidden_size", "intermediate_size", "vocab_size")
    )
    shapes = {
        "embeddings.word_embeddings.weight": [words, hidden],
        "embeddings.position_embeddings.weight": [config["max_position_embeddings"], hidden],
        "embeddings.token_type_embeddings.weight": [config["type_vocab_size"], hidden],
        "cls.predictions.bias": [words],
    }
    dense = {"pooler.dense": (hidden, hidden), "cls.predictions.transform.dense": (hidden, hidden)}
    norms = ["embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    for number in range(config["num_hidden_layers"]):
        block = f"encoder.layer.{number}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            dense[f"{block}.attention.{part}"] = (hidden, hidden)
        dense[f"{block}.intermediate.dense"] = (inner, hidden)
        dense[f"{block}.output.dense"] = (hidden, inner)
        norms += [f"{block}.attention.output.LayerNorm", f"{block}.output.LayerNorm"]
    for name, (outputs, inputs) in dense.items():
        shapes |= {f"{name}.weight": [outputs, inputs], f"{name}.bias": [outputs]}
    for name in norms:
        shapes |= {f"{name}.weight": [hidden], f"{name}.bias": [hidden]}
    generator = np.random.default_rng(0)
    return {
        name: generator.normal("LayerNorm.weight" in name, 0.3, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write(folder, tensors, shards=1, words=None, **changes):
    """A folder with `tensors` in so many shards; `changes`: of CONFIG. Returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {**CONFIG, **changes}
    (folder / "config.json").write_text(json.dumps(config))
    further = [f"w{number}" for number in range(config["vocab_size"] - len(SPECIAL_TOKENS))]
    words = words or "".join(f"{word}\n" for word in (*SPECIAL_TOKENS, *further))
    (folder / "vocab.txt").write_text(words, encoding="utf-8")
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return folder
    files = [f"model-{n + 1:05d}-of-{shards:05d}.safetensors" for n in range(shards)]
    places = {name: files[n % shards] for n, name in enumerate(tensors)}
    for file in files:
        held = {name: tensors[name] for name, place in places.items() if place == file}
        save_file(held, folder / file, {"format": "pt"})
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def prefixed(tensors):
    """Names as they are where a head was saved with the encoder."""
    return {n if n.startswith("cls.") else f"bert.{n}": value for n, value in tensors.items()}


def without(tensors, *starts):
    return {name: value for name, value in tensors.items() if not name.startswith(starts)}


def bert(tensors, ids=IDS, mask=MASK, **changes):
    """Embedding, every block and pooler of BERT (Devlin et al., 2019), in float64:
    `embedding_output`, `layer_<n>`, `last_hidden_state` [N, S, H], `pooled_output` [N, H].
    """
    net = _Numpy(tensors, {**CONFIG, **changes})
    hidden = net.norm(
        "embeddings.LayerNorm",
        net["embeddings.word_embeddings.weight"][ids]
        + net["embeddings.position_embeddings.weight"][: ids.shape[1]]
        + net["embeddings.token_type_embeddings.weight"][0],
    )
    outputs = {"embedding_output": hidden}
    for number in range(net.config["num_hidden_layers"]):
        hidden = outputs[f"layer_{number}"] = _block(net, f"encoder.layer.{number}", hidden, mask)
    pooled = np.tanh(net.dense("pooler.dense", hidden[:, 0]))
    return outputs | {"last_hidden_state": hidden, "pooled_output": pooled}


def masked_lm(tensors, hidden, **changes):
    """[N, S, vocabulary] logits of the masked-language head."""
    net = _Numpy(tensors, {**CONFIG, **changes})
    scope = "cls.predictions.transform"
    transformed = net.norm(f"{scope}.LayerNorm", net.gelu(net.dense(f"{scope}.dense", hidden)))
    table = net["embeddings.word_embeddings.weight"]
    return transformed @ table.T + net["cls.predictions.bias"]


class _Numpy:
    def __init__(self, tensors, config):
        self.tensors, self.config = tensors, config

    def __getitem__(self, name):
        return self.tensors[name].astype(np.float64)

    def dense(self, name, x):
        return x @ self[f"{name}.weight"].T + self[f"{name}.bias"]

    def norm(self, name, x):
        spread = np.sqrt(x.var(-1, keepdims=True) + self.config["layer_norm_eps"])
        scaled = (x - x.mean(-1, keepdims=True)) / spread
        return scaled * self[f"{name}.weight"] + self[f"{name}.bias"]

    def gelu(self, x):
        if self.config["hidden_act"] == "gelu":
            return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2
        return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def _block(net, name, hidden, mask):
    heads = net.config["num_attention_heads"]
    size = hidden.shape[-1] // heads

    def split(x):  # [N, S, H] -> [N, heads, S, size]
        return x.reshape(*x.shape[:2], heads, size).transpose(0, 2, 1, 3)

    query, key, value = (
        split(net.dense(f"{name}.attention.self.{part}", hidden))
        for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(size)
    scores = np.where(mask[:, None, None], scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    read = (shares @ value).transpose(0, 2, 1, 3).reshape(hidden.shape)
    read = net.dense(f"{name}.attention.output.dense", read)
    hidden = net.norm(f"{name}.attention.output.LayerNorm", hidden + read)
    inner = net.gelu(net.dense(f"{name}.intermediate.dense", hidden))
    inner = net.dense(f"{name}.output.dense", inner)
    return net.norm(f"{name}.output.LayerNorm", hidden + inner)
