"""How the originals name what a model consists of: the variables of their checkpoints (TF1 or
PyTorch) and, for EasyTransfer, the columns of their rows.

Names and shapes are those of the released code, misspellings included. A family says in its own
`original.py` what is its own; here is what they share.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from kaleido_tf.models.state_dict import StateDict

TEXT_COLUMNS = ("input_ids", "input_mask", "segment_ids")
MASKED_LM_COLUMNS = ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights")
BERT_DEPARTURES = {
    "reconstruct_scale": (
        1.0,
        "the original does not scale the reconstruction targets; its losses are others",
    ),
    "hidden_gelu": ("tanh", "the original approximates gelu and will compute other numbers"),
    "layer_norm_eps": (1e-12, "the original's layer norms will compute other numbers"),
}
"""`EasyTransfer.departures` that the families share."""


@dataclasses.dataclass(frozen=True)
class OriginalRows:
    """The rows of a family's bundles.

    Attributes:
      columns: purpose (pretraining, matching, recognition) -> columns in the original's order.
      lengths: config -> {column: values a row}, of columns whose length the model decides.
      limits: config -> {column: what its numbers must be below}, beside those of the text.
      inputs: (columns by name, config, tasks) -> inputs of the pretrainer, or (tasks None) of the
        matcher.
      from_inputs: (training inputs, config) -> columns by name; `inputs` reads them back.
    """

    columns: Mapping[str, tuple[str, ...]]
    lengths: Callable[..., dict[str, int]]
    limits: Callable[..., dict[str, int]]
    inputs: Callable[..., dict[str, np.ndarray]]
    from_inputs: Callable[..., dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class EasyTransfer:
    """What a release for EasyTransfer (TF1) has beside names.

    Attributes:
      scope: first scope of its variables' names.
      departures: key of ours -> (the original's value, what the original does without it).
      unused_values: what the release has under the keys that it declares and never uses.
      rows: of its bundles.
    """

    scope: str
    departures: Mapping[str, tuple[object, str]]
    rows: OriginalRows
    unused_values: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Original:
    """A family's release.

    Attributes:
      names: model -> {name below the scope: variable}, of the layers that are built.
      easytransfer, state_dict: what it has beside names; one of them, the other None.
      head_names: (head of recognition) -> {name: variable}, if it is built; None: it is a dense
        layer, which goes by its own name.
    """

    names: Callable[..., "dict[str, OriginalVariable]"]
    easytransfer: EasyTransfer | None = None
    state_dict: StateDict | None = None
    head_names: Callable[..., "dict[str, OriginalVariable]"] | None = None

    @property
    def scope(self) -> str:
        """First scope of its variables' names, "" where they have none."""
        return self.easytransfer.scope if self.easytransfer else ""


@dataclasses.dataclass(frozen=True)
class OriginalVariable:
    """One of our variables under the original's name; `to_original` brings an array of ours to its
    shape there.
    """

    variable: tf.Variable
    transposed: bool = False
    shape: tuple[int, ...] | None = None  # the original's, where it is not ours

    def to_original(self, array: np.ndarray) -> np.ndarray:
        """`array` of our variable's shape in the original's."""
        array = array.T if self.transposed else array
        return array.reshape(self.shape) if self.shape else array

    def to_ours(self, array: np.ndarray) -> np.ndarray:
        """`array` of the original's shape in our variable's."""
        array = array.T if self.transposed else array
        return array.reshape(self.variable.shape)

    @property
    def original_shape(self) -> tuple[int, ...]:
        """The variable's shape in the original's checkpoints."""
        if self.shape:
            return self.shape
        shape = tuple(self.variable.shape)
        return shape[::-1] if self.transposed else shape


@dataclasses.dataclass(frozen=True)
class ConvolutionKernel(OriginalVariable):
    """A kernel of a convolution: [outputs, inputs, height, width] in PyTorch, [height, width,
    inputs, outputs] here.
    """

    def to_original(self, array: np.ndarray) -> np.ndarray:
        """`array` of our variable's shape in the original's."""
        return array.transpose(3, 2, 0, 1)

    def to_ours(self, array: np.ndarray) -> np.ndarray:
        """`array` of the original's shape in our variable's."""
        return array.transpose(2, 3, 1, 0)

    @property
    def original_shape(self) -> tuple[int, ...]:
        """The variable's shape in the state dict."""
        height, width, inputs, outputs = self.variable.shape
        return outputs, inputs, height, width


def bert_names(model) -> dict[str, OriginalVariable]:
    """What the families share with Google's BERT, by its own names (`bert/embeddings/...`,
    `bert/encoder/...`, `bert/pooler/...`, `cls/...`); of the layers that are built.
    """
    layers, config = model.named_layers, model.config
    text = layers["text_embedding"]
    names = {
        "bert/embeddings/word_embeddings": OriginalVariable(text.word_embeddings),
        "bert/embeddings/position_embeddings": OriginalVariable(text.position_embeddings),
        "bert/embeddings/token_type_embeddings": OriginalVariable(text.segment_embeddings),
        **layer_norm_names("bert/embeddings/LayerNorm", text.layer_norm),
        **dense_names("bert/pooler/dense", layers["pooler"].dense),
    }
    if layers["masked_lm"].built:
        names |= _masked_lm_names(layers["masked_lm"])
    matching = ("seq_relationship/output_weights", "seq_relationship/output_bias")
    names |= head_names(matching, layers["next_sentence"])
    for number in range(config.num_hidden_layers):
        block = layers[f"encoder_layer_{number}"]
        names |= _encoder_block_names(f"bert/encoder/layer_{number}", block, config.hidden_size)
    return names


def patch_embedding_names(scope, projector, types, layer_norm, layer):
    """The embedding of a level or grid, by the names of its three parts."""
    return {
        f"{scope}/{projector}": OriginalVariable(layer.projector),
        f"{scope}/{types}": OriginalVariable(layer.segment_embeddings),
        **layer_norm_names(f"{scope}/{layer_norm}", layer.layer_norm),
    }


def layer_norm_names(scope, layer):
    """A layer norm."""
    return {
        f"{scope}/beta": OriginalVariable(layer.beta),
        f"{scope}/gamma": OriginalVariable(layer.gamma),
    }


def dense_names(scope, layer):
    """A dense layer that is built."""
    if not layer.built:
        return {}
    return {
        f"{scope}/kernel": OriginalVariable(layer.kernel),
        f"{scope}/bias": OriginalVariable(layer.bias),
    }


def head_names(names, head):
    """A head that is built, by (kernel, bias or None). Classifiers are stored as [classes,
    features], reconstructions as [H, F] without bias.
    """
    if not head.built:
        return {}
    kernel, bias = names
    entries = {f"cls/{kernel}": OriginalVariable(head.logits.kernel, transposed=bias is not None)}
    if bias:
        entries[f"cls/{bias}"] = OriginalVariable(head.logits.bias)
    return entries


def torch_dense_names(scope, layer) -> dict[str, OriginalVariable]:
    """A dense layer by the keys of a state dict."""
    return {
        f"{scope}.weight": OriginalVariable(layer.kernel, transposed=True),
        f"{scope}.bias": OriginalVariable(layer.bias),
    }


def torch_norm_names(scope, layer) -> dict[str, OriginalVariable]:
    """A normalisation with a scale and an offset by the keys of a state dict."""
    return {
        f"{scope}.weight": OriginalVariable(layer.gamma),
        f"{scope}.bias": OriginalVariable(layer.beta),
    }


def torch_convolution_names(scope, layer) -> dict[str, OriginalVariable]:
    """A convolution by the keys of a state dict."""
    return {
        f"{scope}.weight": ConvolutionKernel(layer.kernel),
        f"{scope}.bias": OriginalVariable(layer.bias),
    }


def _by_suffix(layer, suffix: str) -> tf.Variable:
    """The weight of a tf-models-official layer whose name ends in `suffix`."""
    matches = [weight for weight in layer.weights if weight.name.split(":")[0].endswith(suffix)]
    if len(matches) != 1:
        raise LookupError(
            f"{layer.name} has {len(matches)} weights named ...{suffix}, expected one"
        )
    return matches[0]


def _masked_lm_names(layer):
    scope = "cls/predictions"
    names = {
        f"{scope}/transform/dense/kernel": "transform/dense/kernel",
        f"{scope}/transform/dense/bias": "transform/dense/bias",
        f"{scope}/transform/LayerNorm/beta": "transform/LayerNorm/beta",
        f"{scope}/transform/LayerNorm/gamma": "transform/LayerNorm/gamma",
        f"{scope}/output_bias": "output_bias/bias",
    }
    return {name: OriginalVariable(_by_suffix(layer, suffix)) for name, suffix in names.items()}


def _encoder_block_names(scope, block, size):
    entries = {}
    for part in ("query", "key", "value"):
        kernel, bias = (
            _by_suffix(block, f"self_attention/{part}/{kind}") for kind in ("kernel", "bias")
        )
        entries[f"{scope}/attention/self/{part}/kernel"] = OriginalVariable(
            kernel, shape=(size, size)
        )
        entries[f"{scope}/attention/self/{part}/bias"] = OriginalVariable(bias, shape=(size,))
    kernel = _by_suffix(block, "self_attention/attention_output/kernel")
    entries[f"{scope}/attention/output/dense/kernel"] = OriginalVariable(kernel, shape=(size, size))
    entries[f"{scope}/attention/output/dense/bias"] = OriginalVariable(
        _by_suffix(block, "attention_output/bias")
    )
    for theirs, ours in (
        ("attention/output", "self_attention_layer_norm"),
        ("output", "output_layer_norm"),
    ):
        for part in ("beta", "gamma"):
            entries[f"{scope}/{theirs}/LayerNorm/{part}"] = OriginalVariable(
                _by_suffix(block, f"{ours}/{part}")
            )
    for theirs, ours in (("intermediate", "intermediate"), ("output", "output")):
        for part in ("kernel", "bias"):
            entries[f"{scope}/{theirs}/dense/{part}"] = OriginalVariable(
                _by_suffix(block, f"/{ours}/{part}")
            )
    return entries
