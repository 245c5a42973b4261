"""What a new FashionViL can start from: a state dict of its release, torchvision's ResNet as its
image encoder, a BERT of texts alone as its text and fusion encoder, or the last two together, as
the release does (`bert-base-uncased` and a ResNet-50 trained on ImageNet).
"""

import re
from collections.abc import Iterable, Mapping

from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.module_names import BERT, FIRST_STAGE, IMAGE_ENCODER, torch_name

_RESNET = re.compile(r"(?:(conv1|bn1)|layer(\d))\.(.+)")
_STEM = {"conv1": 0, "bn1": 1}
_IMAGE_BLOCK = re.compile(re.escape(IMAGE_ENCODER) + r"\.(\d+)\.(\d+)\.")
_TEXT_BLOCK = re.compile(re.escape(BERT) + r"\.encoder\.layer\.(\d+)\.")
_GOOGLE = ("bert/", "cls/predictions/")
"""What begins the names of Google's BERT that are taken; what tells whether one text follows
another is not, as the release begins its matching head anew."""
_ALSO_OF_IMAGES = ("position_embeddings", "token_type_embeddings")
"""Tables of BERT whose copies the image's tables begin as."""


def start_names(names: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """Key of the state dict -> (name in the file, whether the matrix is the other way round), of
    the release's own keys, torchvision's and Google's; names of others stay as they are.
    """
    return {key: (name, name.endswith("/kernel")) for name in names for key in _keys_of(name)}


def _keys_of(name: str) -> list[str]:
    resnet = _RESNET.fullmatch(name)
    if resnet:
        stem, stage, rest = resnet.groups()
        number = _STEM[stem] if stem else FIRST_STAGE - 1 + int(stage)
        return [f"{IMAGE_ENCODER}.{number}.{rest}"]
    if not name.startswith(_GOOGLE):
        return [name]
    key = torch_name(name)
    if name.endswith(_ALSO_OF_IMAGES):
        return [key, key.replace("_embeddings.", "_embeddings_visual.")]
    return [key]


def check_start(shapes: Mapping[str, tuple[int, ...]], config: FashionVilConfig, path: str) -> None:
    """Refuses what a model of `config` cannot start from, by the numbers of blocks; sizes are
    compared when the model is filled.

    Raises: InputError naming both numbers, and for a file that holds no encoder.
    """
    images = {match.groups() for match in map(_IMAGE_BLOCK.match, shapes) if match}
    texts = {match[1] for match in map(_TEXT_BLOCK.match, shapes) if match}
    if not images and not texts:
        raise InputError(
            f"A model of type {config.model_type} starts from the weights of a FashionViL, a"
            " ResNet of torchvision (conv1.weight, layer1.0.conv1.weight, …) or a BERT."
            f" {path} holds none of a block"
        )
    sizes = {
        "image_depths": (list(config.image_depths), _depths(images)),
        "num_hidden_layers": (config.num_hidden_layers, len(texts)),
    }
    other = [
        f"{key} {ours}, there {there}"
        for key, (ours, there) in sizes.items()
        if there and there != ours
    ]
    if other:
        raise InputError(
            f"{path} must have as many blocks as the config.json says: {'; '.join(other)}"
        )


def _depths(blocks) -> list[int]:
    """Blocks of each stage of an image encoder."""
    stages = sorted({int(stage) for stage, _ in blocks})
    return [sum(int(stage) == number for stage, _ in blocks) for number in stages]
