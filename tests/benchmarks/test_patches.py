"""The rivals of feature extraction, without PyTorch: the same patches go in."""

import dataclasses

import numpy as np
import pytest

from benchmarks.patches import comparison, network
from data_prep.features.backbones import Backbone, build_backbone
from data_prep.features.input_sizes import InputSizes
from data_prep.features.patch_features import extract_features
from kaleido_tf.records.record import KALEIDO


def spread(patches):
    """[P, F] that tell patches apart: of pixels [P, 3, h, w] a mean of each channel, weighted by
    place.
    """
    ramp = np.linspace(1, 2, patches.shape[2] * patches.shape[3]).reshape(patches.shape[2:])
    means = (patches * ramp).mean((2, 3))
    return np.repeat(means, network.FEATURE_SIZE // 2, axis=1)[:, : network.FEATURE_SIZE]


@pytest.mark.parametrize("side", [None, 23])
def test_patches_are_those_of_our_own_extraction(side):
    crops = np.random.default_rng(3).integers(0, 256, [2, 61, 47, 3], np.uint8)
    fields = {field.name: None for field in dataclasses.fields(Backbone)}
    ours = Backbone(
        **{
            **fields,
            "feature_size": network.FEATURE_SIZE,
            "sizes": InputSizes(1),
            "extract": lambda patches: spread(network.prepared(patches)),
        }
    )
    layout = dataclasses.replace(KALEIDO, blocks={"patch_features": KALEIDO.num_patches})
    wanted = extract_features(crops, ours, side, layout)["patch_features"]
    np.testing.assert_allclose(network.features_of(crops, spread, side), wanted, rtol=1e-6)


def test_every_weight_of_our_network_has_a_name_in_pytorch():
    backbone = build_backbone("resnet50", "random")
    theirs = {weight.name.split(":")[0] for weight in backbone.model.weights}
    convolutions = [f"{stage}.{block}.conv{n}" for stage, block, n in places()]
    norms = [f"{stage}.{block}.bn{n}" for stage, block, n in places()]
    shortcuts = [f"{stage}.0.downsample" for stage in range(4, 8)]
    keys = [f"{name}.{part}" for name in (*convolutions, "0") for part in ("weight", "bias")]
    keys += [f"{name}.0.{part}" for name in shortcuts for part in ("weight", "bias")]
    of_norms = (*norms, "1", *(f"{name}.1" for name in shortcuts))
    parts = ("weight", "bias", "running_mean", "running_var")
    keys += [f"{name}.{part}" for name in of_norms for part in parts]
    assert {network.keras_name(key) for key in keys} == theirs


def places():
    depths = zip(range(4, 8), (3, 4, 6, 3))
    return [(stage, b, n) for stage, depth in depths for b in range(depth) for n in (1, 2, 3)]


class Others:
    """Stands for the process of a rival, which gives what is said."""

    CHANGED = 0.0

    def __init__(self, module, flags):
        assert module == comparison.MODULE
        self.side, self.folder = flags["side"], flags["folder"]

    def ask(self, request):
        if request == "features":
            crops = np.load(self.folder / "crops.npy")
            np.save(self.folder / f"{self.side}.npy", features(crops) + self.CHANGED)
        return {"seconds": 3.0}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def features(crops):
    return np.ones([len(crops), 55, 4]) * crops.mean((1, 2, 3))[:, None, None]


def test_rates_of_all_sides_and_features_that_differ(monkeypatch):
    monkeypatch.setattr(comparison, "Process", Others)
    monkeypatch.setattr(comparison, "_ours", lambda crops, *_: lambda: features(crops))
    rows = comparison.compare(224, num_crops=3, turns=2)
    assert [row["side"] for row in rows] == ["tensorflow", "pytorch", "onnxruntime"]
    assert rows[1]["per_second"] == 1.0 and rows[1]["features_differ_by"] == 0
    assert "resized to 224" in comparison.table(rows)[0]
    monkeypatch.setattr(Others, "CHANGED", 1.0)
    with pytest.raises(SystemExit, match="features of pytorch must agree"):
        comparison.compare(None, num_crops=3, turns=1)
