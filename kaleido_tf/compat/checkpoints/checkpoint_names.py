"""The originals' variable names (TF1 checkpoints of Kaleido-BERT and FashionBERT) and which of our
variables they are.

Names and shapes are those of the released code, misspellings included. Below the scope of a family
the names that it shares with Google's BERT (`bert/embeddings/...`, `bert/encoder/...`,
`bert/pooler/...`, `cls/...`) are BERT's own.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from kaleido_tf.models.cross_modal import CrossModalBert
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.objectives.recognition import Classifier

SCOPES = {
    KaleidoBertConfig.MODEL_TYPE: "kaleido_bert_pre_trained_model/",
    FashionBertConfig.MODEL_TYPE: "image_bert_pre_trained_model/",
}
"""First scope of a family's names."""

_LEVEL_SCOPES = {  # level: (scope of the embedding, prefix of its variables)
    "rotation": ("rotation_embeddings", "rotation"),
    "jigsaw": ("jigsaw_embeddings", "jigsaw"),
    "camouflage": ("camouflage_embeddings", "camouflage"),
    "grey_to_color": ("greymask_embeddings", "greymask"),
    "blank_to_color": ("blank_embeddings", "blankmask"),
}
_HEADS = {  # level: (kernel, bias or None)
    "rotation": ("img_rotation/rotation_output_weights", "img_rotation/rotation_output_bias"),
    "jigsaw": ("img_jigsaw/jiasaw_output_weights", "img_jigsaw/jigsaw_output_bias"),
    "camouflage": (
        "img_camouflage/camouflage_output_weights",
        "img_camouflage/camouflage_output_bias",
    ),
    "grey_to_color": ("img_greymask/greymask_output_weights", None),
    "blank_to_color": ("img_blankmask/blanmask_output_weights", None),
}


@dataclasses.dataclass(frozen=True)
class OriginalVariable:
    """One of our variables under the original's name; `to_original` brings an array of ours to its
    shape there.
    """

    variable: tf.Variable
    transposed: bool = False
    shape: tuple[int, ...] | None = None  # the original's, where it is not ours

    def to_original(self, array: np.ndarray) -> np.ndarray:
        array = array.T if self.transposed else array
        return array.reshape(self.shape) if self.shape else array

    def to_ours(self, array: np.ndarray) -> np.ndarray:
        array = array.T if self.transposed else array
        return array.reshape(self.variable.shape)

    @property
    def original_shape(self) -> tuple[int, ...]:
        if self.shape:
            return self.shape
        shape = tuple(self.variable.shape)
        return shape[::-1] if self.transposed else shape


def original_variables(model: CrossModalBert) -> dict[str, OriginalVariable]:
    """The variables of `model` by their names in the original's checkpoints; those that it lacks
    are left out (`feature_normalisation`, `similarity`).
    """
    layers = model.named_layers
    text = layers["text_embedding"]
    names = {
        "bert/embeddings/word_embeddings": OriginalVariable(text.word_embeddings),
        "bert/embeddings/position_embeddings": OriginalVariable(text.position_embeddings),
        "bert/embeddings/token_type_embeddings": OriginalVariable(text.segment_embeddings),
        **_layer_norm("bert/embeddings/LayerNorm", text.layer_norm),
        **_dense("bert/pooler/dense", layers["pooler"].dense),
        **_masked_lm(layers["masked_lm"]),
        **_classifier(
            ("seq_relationship/output_weights", "seq_relationship/output_bias"),
            layers["next_sentence"],
        ),
        **_IMAGE_SIDES[model.config.model_type](model),
    }
    for number in range(model.config.num_hidden_layers):
        names.update(
            _encoder_layer(
                f"bert/encoder/layer_{number}", layers[f"encoder_layer_{number}"], model.config
            )
        )
    return {SCOPES[model.config.model_type] + name: entry for name, entry in names.items()}


def classifier_variables(model: Classifier) -> dict[str, OriginalVariable]:
    """The variables of a fine-tuned model by the original's names: the head stands outside the
    family's scope.

    The original's checkpoints also hold the heads of pre-training, which it does not use.
    """
    reached = {id(variable) for variable in model.objective.variables}
    names = {
        name: entry
        for name, entry in original_variables(model.backbone).items()
        if id(entry.variable) in reached
    }
    return {**names, **_dense(model.head.name, model.head)}


def _kaleido_levels(model):
    layers = model.named_layers
    names = {"bert/position_dense": OriginalVariable(layers["box_projection"].kernel)}
    for level, (scope, prefix) in _LEVEL_SCOPES.items():
        names.update(
            _patch_embedding(
                f"bert/{scope}",
                f"{prefix}_projector",
                f"{prefix}_type_embeddings",
                f"{prefix}EmbLayerNorm",
                layers[f"{level}_embedding"],
            )
        )
    for level in model.tasks:
        names.update(_classifier(_HEADS[level], layers[level]))
    return names


def _fashion_bert_grid(model):
    layers, scope = model.named_layers, "bert/image_embeddings"
    names = {
        f"{scope}/patch_position_embeddings": OriginalVariable(layers["patch_positions"].table),
        **_patch_embedding(
            scope,
            "image_projector",
            "patch_type_embeddings",
            "ImageEmbLayerNorm",
            layers["patch_embedding"],
        ),
    }
    for task in model.tasks:
        names.update(_classifier(("img_predictions/output_weights", None), layers[task]))
    return names


_IMAGE_SIDES = {
    KaleidoBertConfig.MODEL_TYPE: _kaleido_levels,
    FashionBertConfig.MODEL_TYPE: _fashion_bert_grid,
}


def _patch_embedding(scope, projector, types, layer_norm, layer):
    return {
        f"{scope}/{projector}": OriginalVariable(layer.projector),
        f"{scope}/{types}": OriginalVariable(layer.segment_embeddings),
        **_layer_norm(f"{scope}/{layer_norm}", layer.layer_norm),
    }


def _layer_norm(scope, layer):
    return {
        f"{scope}/beta": OriginalVariable(layer.beta),
        f"{scope}/gamma": OriginalVariable(layer.gamma),
    }


def _dense(scope, layer):
    return {
        f"{scope}/kernel": OriginalVariable(layer.kernel),
        f"{scope}/bias": OriginalVariable(layer.bias),
    }


def _classifier(names, head):
    """Classifiers are stored as [classes, features], reconstructions as [H, F] without bias."""
    kernel, bias = names
    entries = {f"cls/{kernel}": OriginalVariable(head.logits.kernel, transposed=bias is not None)}
    if bias:
        entries[f"cls/{bias}"] = OriginalVariable(head.logits.bias)
    return entries


def _by_suffix(layer, suffix: str) -> tf.Variable:
    """The weight of a tf-models-official layer whose name ends in `suffix`."""
    found = [weight for weight in layer.weights if weight.name.split(":")[0].endswith(suffix)]
    if len(found) != 1:
        raise LookupError(f"{layer.name} has {len(found)} weights named ...{suffix}, expected one")
    return found[0]


def _masked_lm(layer):
    scope = "cls/predictions"
    names = {
        f"{scope}/transform/dense/kernel": "transform/dense/kernel",
        f"{scope}/transform/dense/bias": "transform/dense/bias",
        f"{scope}/transform/LayerNorm/beta": "transform/LayerNorm/beta",
        f"{scope}/transform/LayerNorm/gamma": "transform/LayerNorm/gamma",
        f"{scope}/output_bias": "output_bias/bias",
    }
    return {name: OriginalVariable(_by_suffix(layer, suffix)) for name, suffix in names.items()}


def _encoder_layer(scope, block, config):
    size = config.hidden_size
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
