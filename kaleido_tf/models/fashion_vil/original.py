"""What the release of FashionViL calls its weights (a PyTorch state dict), and back."""

import dataclasses

import numpy as np

from kaleido_tf.models.fashion_vil.image_encoder import ImageEncoder
from kaleido_tf.models.fashion_vil.layers import TransformedClassifier
from kaleido_tf.models.fashion_vil.model import FashionVil
from kaleido_tf.models.fashion_vil.module_names import (
    BERT,
    CLASSIFIER,
    FINE_TUNED_NORM,
    FIRST_STAGE,
    HEADS,
    IMAGE_ENCODER,
    IMAGE_STEM,
    NORM,
    RESNET_BODY,
    WORDS,
    torch_name,
)
from kaleido_tf.models.fashion_vil.outfit_model import OutfitModel
from kaleido_tf.models.fashion_vil.starts import check_start, start_names
from kaleido_tf.models.fashion_vil.tokenizer_names import PREFIX, tokenizer_names
from kaleido_tf.models.original import (
    ConvolutionKernel,
    Original,
    OriginalVariable,
    bert_names,
    torch_dense_names,
    torch_norm_names,
)
from kaleido_tf.models.state_dict import StateDict, untrained_counts

HEADS_BY_LAYER = {
    "next_sentence": f"{HEADS}.itm.seq_relationship.weight",
    "masked_lm": f"{HEADS}.mlm.bias",
    "patch_codes": f"{HEADS}.mpfc.1.weight",
    "patch_features": f"{HEADS}.mpfr.1.bias",
    "attributes": f"{HEADS}.pac.projection",
    "contrastive_norm": NORM,
}
"""Layer of a head -> a key that is there with it."""


@dataclasses.dataclass(frozen=True)
class TransposedEntry(OriginalVariable):
    """A matrix that is the other way round than under Google's name."""

    def to_original(self, array: np.ndarray) -> np.ndarray:
        """`array` of our variable's shape in the original's."""
        return super().to_original(array).T

    def to_ours(self, array: np.ndarray) -> np.ndarray:
        """`array` of the original's shape in our variable's."""
        return super().to_ours(array.T)

    @property
    def original_shape(self) -> tuple[int, ...]:
        """The variable's shape in the state dict."""
        return super().original_shape[::-1]


def variable_names(model: FashionVil) -> dict[str, OriginalVariable]:
    """Key of the state dict -> variable, of the layers that are built."""
    layers = model.named_layers
    names = {}
    for name, entry in bert_names(model).items():
        is_kernel = name.endswith("/kernel")
        if is_kernel:
            entry = TransposedEntry(entry.variable, entry.transposed, entry.shape)
        names[torch_name(name)] = entry
    names |= _image_embedding_names(layers["image_embedding"])
    names |= image_encoder_names(layers["image_encoder"])
    if layers["contrastive_norm"].built:
        names[NORM] = OriginalVariable(layers["contrastive_norm"].scale)
    if layers["patch_codes"].built:
        names |= _transformed_names(f"{HEADS}.mpfc", layers["patch_codes"])
    if layers["patch_features"].built:
        names |= _transform_names(f"{HEADS}.mpfr", layers["patch_features"])
        names[f"{HEADS}.mpfr.1.bias"] = OriginalVariable(layers["patch_features"].bias)
    if layers["attributes"].built:
        names[f"{HEADS}.pac.projection"] = OriginalVariable(layers["attributes"].directions)
    if "image_tokenizer" in layers:
        for name, entry in tokenizer_names(layers["image_tokenizer"]).items():
            names[PREFIX + name] = entry
    return names


def repeated_variables(model: FashionVil) -> dict[str, OriginalVariable]:
    """What the state dict holds a second time: how masked words, and features, are decoded."""
    layers, repeated = model.named_layers, {}
    if layers["masked_lm"].built:
        repeated = {
            f"{HEADS}.mlm.decoder.weight": OriginalVariable(
                layers["text_embedding"].word_embeddings
            ),
            f"{HEADS}.mlm.decoder.bias": variable_names(model)[f"{HEADS}.mlm.bias"],
        }
    if layers["patch_features"].built:
        kernel = layers["image_embedding"].projection.kernel
        repeated[f"{HEADS}.mpfr.1.weight"] = OriginalVariable(kernel)
    return repeated


def outfit_names(model: OutfitModel) -> dict[str, OriginalVariable]:
    """Key of the state dict of outfit completion (CSA-Net) -> variable."""
    layers = model.named_layers
    attention = layers["outfit_attention"]
    return {
        **image_encoder_names(layers["image_encoder"]),
        **torch_dense_names("proj_layer", layers["outfit_projection"]),
        **torch_dense_names("fusion_module.weight_classifier.0", attention.hidden),
        **torch_dense_names("fusion_module.weight_classifier.2", attention.logits),
        "fusion_module.masks.weight": OriginalVariable(attention.masks),
        "norm_layer.norm_s": OriginalVariable(layers["outfit_norm"].scale),
    }


def image_encoder_names(encoder: ImageEncoder) -> dict[str, OriginalVariable]:
    """Of the ResNet, whose modules the release numbers."""
    names = _convolution_names(f"{IMAGE_ENCODER}.0", f"{IMAGE_ENCODER}.1", encoder.stem)
    for number, stage in enumerate(encoder.stages, FIRST_STAGE):
        for place, block in enumerate(stage):
            scope = f"{IMAGE_ENCODER}.{number}.{place}"
            for part, layer in enumerate(block.convolutions, 1):
                names |= _convolution_names(f"{scope}.conv{part}", f"{scope}.bn{part}", layer)
            if block.shortcut is not None:
                shortcut = f"{scope}.downsample"
                names |= _convolution_names(f"{shortcut}.0", f"{shortcut}.1", block.shortcut)
    return names


def _convolution_names(convolution, norm, layer):
    return {
        f"{convolution}.weight": ConvolutionKernel(layer.convolution.kernel),
        f"{norm}.weight": OriginalVariable(layer.batch_norm.gamma),
        f"{norm}.bias": OriginalVariable(layer.batch_norm.beta),
        f"{norm}.running_mean": OriginalVariable(layer.batch_norm.moving_mean),
        f"{norm}.running_var": OriginalVariable(layer.batch_norm.moving_variance),
    }


def _image_embedding_names(layer):
    scope = f"{BERT}.embeddings"
    return {
        f"{scope}.position_embeddings_visual.weight": OriginalVariable(layer.position_embeddings),
        f"{scope}.token_type_embeddings_visual.weight": OriginalVariable(layer.type_embeddings),
        f"{scope}.projection.weight": OriginalVariable(layer.projection.kernel, transposed=True),
        f"{scope}.projection.bias": OriginalVariable(layer.projection.bias),
    }


def _transform_names(scope, layer):
    return {
        **torch_dense_names(f"{scope}.0.dense", layer.dense),
        **torch_norm_names(f"{scope}.0.LayerNorm", layer.layer_norm),
    }


def _transformed_names(scope, layer):
    return {
        **_transform_names(scope, layer),
        f"{scope}.1.weight": OriginalVariable(layer.logits.kernel, transposed=True),
        f"{scope}.1.bias": OriginalVariable(layer.logits.bias),
    }


def build_heads(model: FashionVil, heads: tuple[str, ...]) -> None:
    """Makes the weights of the encoder and of the heads of the model's tasks, which are those of
    `heads` wherever both were read of one file.
    """
    _ = model.pretrainer if heads else model.encoder


def constant_arrays(model: FashionVil) -> dict[str, np.ndarray]:
    """What the state dict holds beside weights: places of words, and counts of training steps that
    nothing reads (0 here).
    """
    return {
        f"{BERT}.embeddings.position_ids": np.arange(model.config.max_position_embeddings)[None],
        **untrained_counts(variable_names(model)),
    }


def head_names(head: TransformedClassifier) -> dict[str, OriginalVariable]:
    """Key of the state dict -> variable, of a head of recognition that is built."""
    return _transformed_names(CLASSIFIER, head) if head.built else {}


ORIGINAL = Original(
    names=variable_names,
    state_dict=StateDict(
        heads=HEADS_BY_LAYER,
        build=build_heads,
        repeated=repeated_variables,
        constants=constant_arrays,
        bodies=(IMAGE_STEM, RESNET_BODY),
        whole=WORDS,
        check_start=check_start,
        start_names=start_names,
        starts_from_two=True,
        aliases={FINE_TUNED_NORM: NORM},
        classifiers={"subcatepred": f"{CLASSIFIER}.1.weight"},
    ),
    head_names=head_names,
)
