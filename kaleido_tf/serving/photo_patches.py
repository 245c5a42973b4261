"""A photo from outside to patch features, made as those of an index's records were.

V = views of a photo that the records hold, P = patches, F = feature size, H, W = size in pixels.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from data_prep.features.backbones import build_backbone, check_backbone
from data_prep.features.patch_features import extract_features
from data_prep.foreground.product_crops import Photo, ProductCrops, build_crops
from data_prep.foreground.working_crops import cut_crop
from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import layout_of
from kaleido_tf.records.views import PLAIN, VIEWS, pixels_of_view

NATIVE = "native"
DECISIVE = (
    "layout",
    "backbone",
    "backbone_digest",
    "backbone_preprocessing",
    "patch_size",
    "crop_size",
    "foreground",
    "foreground_digest",
    "foreground_preprocessing",
    "views",
)
"""What `dataset.json` says of how photos became features."""


@dataclasses.dataclass(frozen=True)
class NetworkFiles:
    """Where the networks are with which the records were made; as the flags of
    `data_prep.write_kaleido_records`.
    """

    backbone_weights: str = "imagenet"
    backbone_preprocessing: str = ""
    foreground_weights: str = ""
    foreground_preprocessing: str = ""


def how_photos_were_made(dataset: Mapping) -> dict:
    """The part of a `dataset.json` that `PhotoPatches` needs."""
    return {name: dataset[name] for name in DECISIVE if name in dataset}


class PhotoPatches:
    """Args: made: see `how_photos_were_made`. files: of the networks. where: what says so.

    Raises: InputError if a network is not the one that the records were made with, or the records'
      crops came from masks that were made elsewhere, which a new photo does not have.
    """

    def __init__(self, made: Mapping, files: NetworkFiles, where: str):
        self._made, self._layout = made, layout_of(dict(made), where)
        self._crops = _crops(made, files, where)
        preprocessing = files.backbone_preprocessing
        self._backbone = build_backbone(
            made["backbone"], files.backbone_weights, preprocessing=preprocessing
        )
        check_backbone(self._backbone, dict(made), where)

    def of(self, image: np.ndarray, name: str = "the photo") -> tuple[np.ndarray, np.ndarray]:
        """Of [H, W, 3] uint8 RGB: [V, P, F] float16, as records have them, and boxes [V, P, 5]
        int32. Args: name: of the photo, for messages.
        """
        (found,) = self._crops.find([Photo(image, "", "", name)])
        if isinstance(found, InputError):
            raise found
        pixels = cut_crop(image, found, self._made["crop_size"]).pixels
        size = self._made["patch_size"]
        features = [
            self._features(pixels_of_view(pixels, view)[None], None if size == NATIVE else size)
            for view in self._views
        ]
        boxes = self._layout.boxes(pixels.shape[1], pixels.shape[0])
        return np.concatenate(features), np.stack([boxes] * len(features))

    def _features(self, pixels: np.ndarray, size: int | None) -> np.ndarray:
        blocks = extract_features(pixels, self._backbone, size, self._layout)
        return blocks["patch_features"].astype(np.float16)

    @property
    def _views(self) -> list[int]:
        return [VIEWS.index(name) for name in self._made.get("views", [VIEWS[PLAIN]])]


def _crops(made: Mapping, files: NetworkFiles, where: str) -> ProductCrops:
    method = made["foreground"]
    if method == "masks":
        raise InputError(
            f"{where}: its photos were cropped by masks that were made elsewhere, and a photo from"
            " outside has none. Write records with another --foreground to search by photos"
        )
    crops = build_crops(
        method, files.foreground_weights, preprocessing=files.foreground_preprocessing
    )
    for name, value in crops.identity.items():
        if made.get(name) != value:
            raise InputError(
                f"{where} needs the foreground network with {name} {made.get(name)}. Received:"
                f" {files.foreground_weights} with {value}"
            )
    return crops
