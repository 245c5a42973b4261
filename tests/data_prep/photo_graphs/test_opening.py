import pytest

from data_prep.foreground.saliency import UNetSettings, build_unet, save_saliency
from data_prep.photo_graphs.opening import open_photo_graph
from kaleido_tf.errors import InputError

DATASET = {
    "layout": "kaleido",
    "backbone": "squeezenet",
    "foreground": "none",
    "patch_size": "native",
    "crop_size": 80,
}
REFUSED = {
    "an ONNX file": ({"backbone": "onnx"}, "", "cannot hold an ONNX file. .* Leave out --records"),
    "masks": ({"foreground": "masks"}, "", "made with --foreground=masks, rec. Leave out --rec"),
    "grabcut": ({"foreground": "grabcut"}, "", "none, border, unet is needed in a SavedModel"),
    "an ONNX foreground": ({"foreground": "onnx"}, "", "made with --foreground=onnx"),
    "no network": ({"foreground": "unet"}, "", "--foreground_weights=nothing, and .*=unet, rec"),
    "a network too many": ({}, "net", "--foreground_weights=net, and .* --foreground=none, rec"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_graph_prepares_is_refused(name, squeezenet):
    changes, weights, message = REFUSED[name]
    dataset = {**DATASET, "backbone_digest": squeezenet.digest, **changes}
    with pytest.raises(InputError, match=message):
        open_photo_graph(dataset, "rec", "random", weights)


def test_other_weights_than_the_records_are_refused(tmp_path, squeezenet):
    with pytest.raises(InputError, match="rec holds features of squeezenet with weights abc"):
        open_photo_graph({**DATASET, "backbone_digest": "abc"}, "rec", "random", "")
    settings = UNetSettings(width=1, side=32)
    save_saliency(tmp_path / "net", settings, build_unet(settings))
    dataset = {**DATASET, "backbone_digest": squeezenet.digest, "foreground": "unet"}
    with pytest.raises(InputError, match="network that the records in rec .* Received another"):
        open_photo_graph(dataset, "rec", "random", str(tmp_path / "net"))
