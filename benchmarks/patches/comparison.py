"""Feature extraction here (`data_prep.features`) against a plain PyTorch ResNet-50 and ONNX
Runtime, from the same weights on the same crops.

The ONNX file is exported from our tf_keras network by tf2onnx. Weights are random: speed does not
depend on them.
"""

import contextlib
import dataclasses
import pathlib
import tempfile

import numpy as np

from benchmarks.patches.network import SIDES
from benchmarks.rates import lines_of, rows_of, seconds_in_turns, seconds_of
from benchmarks.turns import Process

OURS, MODULE = "tensorflow", "benchmarks.patches.side"
CROP_SIDE = 256
LARGEST = 1e-3
"""How far features may lie apart, times the largest."""


def compare(patch_size: int | None, num_crops: int, turns: int) -> list[dict]:
    """Times the features of the 55 patches of crops of random pixels.

    Args: patch_size: pixels a side that patches are resized to; None: they keep their own size.
    Returns: `rates.rows_of` crops, ours first, and in each `patch_size` and `features_differ_by`,
      times the largest.
    Raises: SystemExit if they differ by more than `LARGEST`.
    """
    shape = [num_crops, CROP_SIDE, CROP_SIDE, 3]
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        np.save(folder / "crops.npy", crops)
        ours = _ours(crops, patch_size, folder)
        processes = {}
        for side in SIDES:
            given = {"side": side, "folder": folder, "patch_size": patch_size or 0}
            processes[side] = stack.enter_context(Process(MODULE, given))
        far = _largest_difference(ours(), processes, folder)
        sides = {OURS: lambda: seconds_of(ours)}
        for side, process in processes.items():
            sides[side] = lambda process=process: process.ask("seconds")["seconds"]
        rows = rows_of(seconds_in_turns(sides, turns), num_crops)
    return [{**row, "patch_size": patch_size, "features_differ_by": far} for row in rows]


def table(rows: list[dict]) -> list[str]:
    """The lines that are printed of a comparison."""
    size = rows[0]["patch_size"]
    patches = f"resized to {size}" if size else "of their own size"
    title = (
        f"ResNet-50 features of the 55 patches of a crop of {CROP_SIDE} pixels, {patches}, within"
        f" {rows[0]['features_differ_by']:.0e} of each other"
    )
    return lines_of(title, rows, "crops")


def _ours(crops, patch_size, folder):
    """A function that gives [N, 55, F]; leaves its network for the others."""
    from data_prep.features.backbones import build_backbone
    from data_prep.features.patch_features import extract_features
    from kaleido_tf.records.record import KALEIDO

    backbone = build_backbone("resnet50", "random")
    weights = {weight.name.split(":")[0]: weight.numpy() for weight in backbone.model.weights}
    np.savez(folder / "weights.npz", **weights)
    _export(backbone.model, folder / "network.onnx")
    patches = {"patch_features": KALEIDO.num_patches}
    layout = dataclasses.replace(KALEIDO, blocks=patches)
    return lambda: extract_features(crops, backbone, patch_size, layout)["patch_features"]


def _export(model, path) -> None:
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec([None, None, None, 3], tf.float32, name="images")]
    function = tf.function(lambda images: model(images, training=False))
    tf2onnx.convert.from_function(
        function, signature, opset=17, inputs_as_nchw=["images"], output_path=str(path)
    )


def _largest_difference(ours, processes, folder) -> float:
    far = []
    for side, process in processes.items():
        process.ask("features")
        far.append(np.abs(np.load(folder / f"{side}.npy") - ours).max() / np.abs(ours).max())
        if not far[-1] <= LARGEST:
            raise SystemExit(f"features of {side} must agree within {LARGEST}: {far[-1]}")
    return float(max(far))
