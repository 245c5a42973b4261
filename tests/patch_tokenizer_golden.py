"""The small patch tokenizer of tests/golden/fashionvil_tiny: the release's weights, inputs and
outputs. The files are channels-first and speak of the release's modules.
"""

import functools
import pathlib

import numpy as np

from kaleido_tf.models.fashion_vil.patch_tokenizer import PatchTokenizer
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from kaleido_tf.models.fashion_vil.tokenizer_file import build_tokenizer
from kaleido_tf.models.fashion_vil.tokenizer_names import PREFIX, tokenizer_names
from tests.golden_files import golden_folder, read_json


def folder() -> pathlib.Path:
    """Where its files lie: those of the repository where another folder has none of them."""
    named = golden_folder() / "fashionvil_tiny"
    own = pathlib.Path(__file__).parent / "golden" / "fashionvil_tiny"
    return named if (named / "vqvae_weights.npz").is_file() else own


@functools.cache
def arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of a file by its name without the end."""
    with np.load(folder() / f"{name}.npz") as content:
        return dict(content)


def state_dict() -> dict[str, np.ndarray]:
    """The release's weights by their names, `PREFIX` included."""
    return arrays("vqvae_weights")


def full_size_shapes() -> dict[str, tuple[int, ...]]:
    """Names, without `PREFIX`, and shapes of the release's own tokenizer."""
    shapes = read_json(folder() / "vqvae_keys_full_size.json")
    return {name.removeprefix(PREFIX): tuple(shape) for name, shape in shapes.items()}


def config(**changes) -> TokenizerConfig:
    """Of the small tokenizer."""
    given = read_json(folder() / "vqvae_config.json")
    values = {
        "hidden_dim": given["hidden_dim"],
        "multipliers": tuple(given["ch_mult"]),
        "num_blocks": given["num_res_blocks"],
        "z_channels": given["z_channels"],
        "code_dim": given["codebook_dim"],
        "num_codes": given["num_tokens"],
        "image_side": given["nominal_resolution"],
    }
    return TokenizerConfig(**{**values, **changes})


def tokenizer() -> PatchTokenizer:
    """The small tokenizer with the release's weights."""
    built = build_tokenizer(config())
    for name, entry in tokenizer_names(built).items():
        entry.variable.assign(entry.to_ours(state_dict()[PREFIX + name]))
    return built


def images() -> np.ndarray:
    """[B, H, W, 3] float32, normalised already."""
    return arrays("vqvae_io")["image"].transpose(0, 2, 3, 1)
