"""What a new MVLT can start from: the state dict of an MVLT, or of the PVT for images that its
pyramid is (Wang et al., 2021), as far as it goes.
"""

import math
import re
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.models.mvlt.config import DEPTHS, MvltConfig
from kaleido_tf.models.mvlt.layers import STAGES
from kaleido_tf.models.mvlt.resizing import resize

BODY = "patch_embed1.proj.weight"
"""A key that every PVT has."""

_BLOCK = re.compile(r"block(\d)\.(\d+)\.")


def check_start(shapes: Mapping[str, tuple[int, ...]], config: MvltConfig, path: str) -> None:
    """Refuses what a model of `config` cannot start from.

    Raises: InputError for a PVT of another size, naming both, and for what is none.
    """
    blocks = {match.groups() for match in map(_BLOCK.match, shapes) if match}
    found = tuple(sum(stage == str(number) for stage, _ in blocks) for number in STAGES)
    if not any(found):
        raise InputError(
            f"A model of type {config.model_type} starts from the weights of an MVLT or a PVT"
            f" (block1.0.attn.q.weight, …). {path} holds none of a block"
        )
    if found != config.depths:
        raise InputError(
            f"The config.json asks for a PVT of size {_size(config.depths)}. {path} holds one of"
            f" size {_size(found)}"
        )


def _size(depths: tuple[int, ...]) -> str:
    name = next((name for name, known in DEPTHS.items() if known == depths), "of its own")
    return f"{name} (depths {', '.join(map(str, depths))})"


def table_changes(
    shapes: Mapping[str, tuple[int, ...]], model
) -> dict[str, tuple[tuple[int, ...], Callable[[np.ndarray], np.ndarray], str]]:
    """Position tables for photos of another size than the model's tables are for: key -> (shape in
    the model, how one becomes the other, what is done).
    """
    changes = {}
    for stage in STAGES:
        key, layer = f"pos_embed{stage}", model.named_layers[f"stage_{stage}_embedding"]
        unused, side = layer.unused_rows, layer.table_side
        rows = shapes[key][1] - unused if len(shapes.get(key, ())) == 3 else 0
        before = math.isqrt(max(rows, 0))
        if rows > 0 and before**2 == rows and before != side:
            changes[key] = (
                (1, unused + side**2, shapes[key][2]),
                lambda table, unused=unused, side=side: resized_table(table, unused, side),
                f"{key} resized from {before} x {before} to {side} x {side} patches",
            )
    return changes


def resized_table(table: np.ndarray, unused: int, side: int) -> np.ndarray:
    """[1, unused + n * n, C] -> [1, unused + side * side, C]; the rows before the grid stay."""
    before = math.isqrt(table.shape[1] - unused)
    grid = tf.constant(table[:, unused:].reshape(1, before, before, -1))
    cells = resize(grid, (side, side), align_corners=False).numpy()
    return np.concatenate([table[:, :unused], cells.reshape(1, side**2, -1)], axis=1)
