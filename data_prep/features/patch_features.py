"""A photo to the features of its patches (Kaleido-BERT, section 3.2, "KPG"; FashionBERT's grid).

Crop -> one working size -> patches, and for Kaleido-BERT three turned wholes and sixteen grey
patches -> backbone features. N = photos of one working size, F = feature size.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from data_prep.features.backbones import Backbone
from data_prep.features.input_sizes import InputSizes
from kaleido_tf import patches
from kaleido_tf.records.record import KALEIDO, Layout


def to_grey(images: np.ndarray) -> np.ndarray:
    """Luminance (ITU-R 601) in three equal channels, same shape and dtype."""
    grey = np.rint(images @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def extract_features(
    crops: np.ndarray, backbone: Backbone, patch_size: int | None, layout: Layout = KALEIDO
) -> dict[str, np.ndarray]:
    """Features of a batch of crops of one size: the blocks of a layout.

    Args:
      crops: [N, h, w, 3] uint8 RGB.
      patch_size: None cuts patches at their own size (fewest operations); a number resizes each to
        that square (224 is what the authors of the original say they did).
    Returns: `patch_features` [N, P, F] and, of Kaleido-BERT's 55 patches, `rotated_features` [N, 3,
      F] and `grey_features` [N, 16, F]; float32.
    """
    height, width = crops.shape[1:3]
    grids = [
        _grid_features(crops, patches.level_boxes(width, height, side), backbone, patch_size)
        for side in layout.sides
    ]
    blocks = {"patch_features": np.concatenate(grids, axis=1)}
    if "rotated_features" in layout.blocks:
        blocks["rotated_features"] = _turned_features(crops, backbone, patch_size)
    if "grey_features" in layout.blocks:
        grey_side = patches.LEVELS[patches.LEVEL_NAMES.index("grey_to_color")]
        blocks["grey_features"] = _grid_features(
            to_grey(crops), patches.level_boxes(width, height, grey_side), backbone, patch_size
        )
    return blocks


def _turned_features(crops: np.ndarray, backbone: Backbone, patch_size: int | None) -> np.ndarray:
    """Features [N, 3, F] of the whole crops, turned by 90, 180 and 270 degrees."""
    turned = []
    for quarter_turns in range(1, len(patches.ROTATIONS)):
        rotated = np.ascontiguousarray(np.rot90(crops, quarter_turns, axes=(1, 2)))
        whole = patches.level_boxes(rotated.shape[2], rotated.shape[1], 1)
        turned.append(_grid_features(rotated, whole, backbone, patch_size))
    return np.concatenate(turned, axis=1)


def _grid_features(
    crops: np.ndarray, boxes: np.ndarray, backbone: Backbone, patch_size: int | None
) -> np.ndarray:
    """Features [N, P, F] of the boxes [P, 5] of every crop, batched across crops by patch size."""
    features = np.empty([len(crops), len(boxes), backbone.feature_size], np.float32)
    for members, cut in _cut_by_size(crops, boxes, patch_size or None, backbone.sizes):
        flat = cut.reshape(-1, *cut.shape[2:])
        extracted = np.asarray(backbone.extract(flat))
        features[:, members] = extracted.reshape(len(crops), len(members), -1)
    return features


def _cut_by_size(
    crops: np.ndarray, boxes: np.ndarray, patch_size: int | None, sizes: InputSizes
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yields (indices of boxes of one size, patches [N, n, h, w, 3]); one group if patches are
    resized.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for number, (x1, x2, y1, y2, _) in enumerate(boxes):
        size = sizes.fit(*((patch_size, patch_size) if patch_size else (x2 - x1, y2 - y1)))
        groups.setdefault(size, []).append(number)
    for size, members in groups.items():
        cut = [_patch(crops, boxes[number], size) for number in members]
        yield members, np.stack(cut, axis=1)


def _patch(crops: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One box of every crop [N, h, w, 3], resized only if it is not `size` (width, height)
    already.
    """
    x1, x2, y1, y2, _ = box
    cut = crops[:, y1:y2, x1:x2]
    if (x2 - x1, y2 - y1) == size:
        return cut
    return np.stack([cv2.resize(patch, size, interpolation=cv2.INTER_LINEAR) for patch in cut])
