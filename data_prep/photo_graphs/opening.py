"""The photo graph that makes what some records hold: by their `dataset.json`, with the weights that
the user names.
"""

from data_prep.features.backbones import ONNX, build_backbone, check_backbone
from data_prep.foreground.product_crops import load_network
from data_prep.photo_graphs.border_graph import BorderGraph
from data_prep.photo_graphs.crop_graph import NetworkMask
from data_prep.photo_graphs.photo_graph import PhotoGraph
from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import layout_of

_FOREGROUNDS = ("none", "border", "unet")
_INSTEAD = "Leave out --records: the model is then asked by patch features"


def open_photo_graph(
    dataset: dict, where: str, backbone_weights: str, foreground_weights: str
) -> PhotoGraph:
    """Args: dataset: the `dataset.json` of the records in `where`.

    Raises: InputError for records whose photos no graph can prepare, and for other weights than
      theirs.
    """
    _check_choices(dataset, where)
    backbone = build_backbone(dataset["backbone"], backbone_weights)
    check_backbone(backbone, dataset, where)
    size = dataset["patch_size"]
    return PhotoGraph(
        backbone,
        _find_mask(dataset, where, foreground_weights),
        dataset["crop_size"],
        None if size == "native" else size,
        layout_of(dataset, where),
    )


def _check_choices(dataset: dict, where: str) -> None:
    if dataset.get("backbone") == ONNX:
        raise InputError(
            "--records: an image network of tf_keras is needed, since a SavedModel cannot hold an"
            f" ONNX file. Received: records made with --backbone=onnx, {where}. {_INSTEAD}"
        )
    if dataset.get("foreground") not in _FOREGROUNDS:
        raise InputError(
            f"--records: a foreground of {', '.join(_FOREGROUNDS)} is needed in a SavedModel."
            f" Received: records made with --foreground={dataset.get('foreground')}, {where}."
            f" {_INSTEAD}"
        )


def _find_mask(dataset: dict, where: str, weights: str):
    """What finds the product in a photo; None for nothing."""
    method = dataset["foreground"]
    if (method == "unet") != bool(weights):
        raise InputError(
            "--foreground_weights belongs to records made with --foreground=unet. Received:"
            f" --foreground_weights={weights or 'nothing'}, and records made with"
            f" --foreground={method}, {where}"
        )
    if method != "unet":
        return BorderGraph() if method == "border" else None
    network = load_network(method, weights)
    if network.digest != dataset.get("foreground_digest"):
        raise InputError(
            f"--foreground_weights: the network that the records in {where} were made with is"
            f" needed. Received another: {weights}"
        )
    return NetworkMask(network)
