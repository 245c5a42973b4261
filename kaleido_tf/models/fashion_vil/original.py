"""What the release of FashionViL calls its weights (a PyTorch state dict), and back."""

import dataclasses

import numpy as np

from kaleido_tf.models.fashion_vil.image_encoder import ImageEncoder
from kaleido_tf.models.fashion_vil.model import FashionVil
from kaleido_tf.models.fashion_vil.outfit_model import OutfitModel
from kaleido_tf.models.fashion_vil.tokenizer_names import PREFIX, tokenizer_names
from kaleido_tf.models.original import (
    ConvolutionKernel,
    OriginalVariable,
    bert_names,
    torch_dense_names,
)

IMAGE_ENCODER = "image_encoder.model"
BERT = "model.bert"
HEADS = "model.heads"
FIRST_STAGE = 4
"""Number of the ResNet's first stage in the release's list of modules, of which 0 is the first
convolution and 1 its batch norm."""

_ENDINGS = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
_HEADS = {
    "cls/predictions/output_bias": f"{HEADS}.mlm.bias",
    "cls/seq_relationship/output_weights": f"{HEADS}.itm.seq_relationship.weight",
    "cls/seq_relationship/output_bias": f"{HEADS}.itm.seq_relationship.bias",
}


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
        names[_torch_name(name)] = entry
    names |= _image_embedding_names(layers["image_embedding"])
    names |= image_encoder_names(layers["image_encoder"])
    names["model.contrastive_norm.norm_s"] = OriginalVariable(layers["contrastive_norm"].scale)
    if layers["patch_codes"].built:
        names |= _patch_code_names(layers["patch_codes"])
    if layers["attributes"].built:
        names[f"{HEADS}.pac.projection"] = OriginalVariable(layers["attributes"].directions)
    if "image_tokenizer" in layers:
        for name, entry in tokenizer_names(layers["image_tokenizer"]).items():
            names[PREFIX + name] = entry
    return names


def repeated_variables(model: FashionVil) -> dict[str, OriginalVariable]:
    """What the state dict holds a second time: how masked words are decoded."""
    head = model.named_layers["masked_lm"]
    if not head.built:
        return {}
    words = model.named_layers["text_embedding"].word_embeddings
    bias = variable_names(model)[f"{HEADS}.mlm.bias"]
    return {
        f"{HEADS}.mlm.decoder.weight": OriginalVariable(words),
        f"{HEADS}.mlm.decoder.bias": bias,
    }


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


def _patch_code_names(layer):
    scope = f"{HEADS}.mpfc"
    return {
        f"{scope}.0.dense.weight": OriginalVariable(layer.dense.kernel, transposed=True),
        f"{scope}.0.dense.bias": OriginalVariable(layer.dense.bias),
        f"{scope}.0.LayerNorm.weight": OriginalVariable(layer.layer_norm.gamma),
        f"{scope}.0.LayerNorm.bias": OriginalVariable(layer.layer_norm.beta),
        f"{scope}.1.weight": OriginalVariable(layer.logits.kernel, transposed=True),
        f"{scope}.1.bias": OriginalVariable(layer.logits.bias),
    }


def _torch_name(name):
    """Google's name of BERT's variables in PyTorch's form, below the release's modules."""
    if name in _HEADS:
        return _HEADS[name]
    scope, ending = name.rsplit("/", 1)
    if ending.endswith("_embeddings"):
        scope, ending = name, "weight"
    name = f"{scope}/{_ENDINGS.get(ending, ending)}".replace("layer_", "layer.").replace("/", ".")
    if name.startswith("cls."):
        return name.replace("cls.predictions", f"{HEADS}.mlm")
    return f"model.{name}"
