"""Where the products of many photos are: the weightless methods, a trained network, or masks made
elsewhere.

All give the crops of `data_prep.foreground.crops`, with its margin and its reasons to keep a photo
whole. H, W = size in pixels.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from data_prep.foreground import border_contrast, methods, saliency
from data_prep.foreground.crops import Crop, crop_of_mask
from data_prep.foreground.mask_files import check_values, read_mask
from data_prep.foreground.methods import find_crop
from data_prep.foreground.onnx_saliency import OnnxSaliency
from kaleido_tf.errors import InputError
from kaleido_tf.files import images
from kaleido_tf.files.file_names import present_form
from kaleido_tf.files.input_files import visible_files

NETWORKS = ("unet", "onnx")
METHODS = (*methods.METHODS, *NETWORKS, "masks")
PIECES = 0.1  # a region found by the network counts if it has this share of the largest one's area


@dataclasses.dataclass(frozen=True)
class Photo:
    """`image` [H, W, 3] uint8 RGB; `product_id`, `image_id` and `where` (for messages) as in the
    catalogue.
    """

    image: np.ndarray
    product_id: str
    image_id: str
    where: str


class WeightlessCrops:
    """A method of `methods.METHODS`; each photo is looked at alone."""

    identity: dict = {}

    def __init__(self, method: str):
        self._method = method

    def check(self, product_id: str, image_id: str, where: str) -> None:
        """Nothing beside the photo is needed."""

    def find(self, photos: list[Photo], each: Callable = map) -> list[Crop | InputError]:
        """Per photo its crop, or the error of its mask; `each` maps, in threads perhaps."""
        return list(each(lambda photo: find_crop(photo.image, self._method), photos))


class NetworkCrops:
    """A network, as `load_network` opens it; the photos go through it in batches. `identity`: the
    digest of its weights, and how an ONNX network's images are prepared.
    """

    def __init__(self, network: saliency.SaliencyNet | OnnxSaliency):
        self._net = network
        self.identity = {"foreground_digest": network.digest}
        if isinstance(network, OnnxSaliency):
            self.identity["foreground_preprocessing"] = network.preprocessing

    def check(self, product_id: str, image_id: str, where: str) -> None:
        """Nothing beside the photo is needed."""

    def find(self, photos: list[Photo], each: Callable = map) -> list[Crop | InputError]:
        """Per photo its crop, or the error of its mask; `each` maps, in threads perhaps."""
        return list(each(crop_of_probabilities, self._net.masks([photo.image for photo in photos])))


class MaskFolderCrops:
    """PNGs in a folder: `<image_id>.png`, else `<product_id>.png`. `identity`: the folder, since
    masks, like photos, can be mended between two starts.

    Args: owners: image id -> product id, of the whole catalogue. Where the image id of one product
      is the id of another ("100_1"), they tell whose mask "100_1.png" is.
    """

    def __init__(self, folder: str, owners: Mapping[str, str] | None = None):
        self._folder = pathlib.Path(folder)
        if not self._folder.is_dir():
            raise InputError(
                f"--foreground_masks: a folder with masks (PNG) was needed. Received: {folder}"
            )
        if not visible_files(self._folder, ".png"):
            raise InputError(
                f"--foreground_masks: a folder with masks (PNG) was needed. Received: {folder},"
                " which has none"
            )
        self.identity = {"foreground_masks": str(self._folder.resolve())}
        self._owners = owners or {}
        self._images: dict[str, list[str]] = {}
        for image_id, product_id in self._owners.items():
            self._images.setdefault(product_id, []).append(image_id)

    def path(self, product_id: str, image_id: str, where: str) -> pathlib.Path:
        """The mask of a photo. Raises: InputError naming both places if there is none, or both
        products if it may be of either.
        """
        for name in (image_id, product_id):
            path = self._file(name)
            if path and self._owner(name, where) in (product_id, None):
                return path
        raise InputError(
            f"Needed: the mask {image_id}.png or {product_id}.png in {self._folder}."
            " Received: neither."
            f" Where: {where}."
        )

    def _file(self, name: str) -> pathlib.Path | None:
        # An id may hold anything; one with a folder in it must not lead out of this one.
        path = self._folder / f"{name}.png"
        if path.parent != self._folder:
            return None
        path = pathlib.Path(present_form(str(path)))
        return path if path.is_file() else None

    def _owner(self, name: str, where: str) -> str | None:
        """The product that a mask's name means; None where only one can be meant."""
        by_image = self._owners.get(name)
        if by_image in (None, name) or name not in self._images:
            return None
        by_product = all(self._file(image_id) for image_id in self._images[name])
        if self._file(by_image) and not by_product:
            return name  # the one product has its mask, and the other needs this one
        if by_product and not self._file(by_image):
            return by_image
        raise InputError(
            f"Needed: masks whose names mean one product. Received: {name}.png, which is the photo"
            f" {name} of product {by_image} or the product {name} (masks {by_image}.png and"
            f" {self._images[name][0]}.png would tell). Where: {self._folder}, {where}."
        )

    def check(self, product_id: str, image_id: str, where: str) -> None:
        """Raises InputError for a mask that is missing, ambiguous or no image, or whose values mark
        nothing.
        """
        path = self.path(product_id, image_id, where)
        check_values(images.read_values(path, where), path, where)

    def find(self, photos: list[Photo], each: Callable = map) -> list[Crop | InputError]:
        """Per photo its crop, or the error of its mask; `each` maps, in threads perhaps."""
        return list(each(self._find_one, photos))

    def _find_one(self, photo: Photo) -> Crop | InputError:
        try:
            path = self.path(photo.product_id, photo.image_id, photo.where)
            mask = read_mask(path, photo.image.shape, photo.where)
        except InputError as error:
            return error
        crop = crop_of_mask(mask)
        if mask.all() or not mask.any():
            level = "above 127" if mask.all() else "0"
            return dataclasses.replace(crop, reason=f"all values of the mask are {level}")
        return crop


ProductCrops = WeightlessCrops | NetworkCrops | MaskFolderCrops


def check_choice(method: str, weights: str, masks: str, preprocessing: str = "") -> None:
    """Raises InputError unless the four fit together; reads no file."""
    if method not in METHODS:
        raise InputError(
            f"the foreground method must be one of {', '.join(METHODS)}. Received: {method!r}"
        )
    for needing, flag, value in (
        (NETWORKS, "--foreground_weights", weights),
        (("masks",), "--foreground_masks", masks),
    ):
        if (method in needing) != bool(value):
            needed = method if method in needing else " or --foreground=".join(needing)
            raise InputError(
                f"--foreground={needed} and {flag} belong together. Received:"
                f" --foreground={method}, {flag}={value or 'nothing'}"
            )
    if preprocessing and method != "onnx":
        raise InputError(
            "--foreground_preprocessing belongs to --foreground=onnx. Received:"
            f" --foreground={method}, --foreground_preprocessing={preprocessing}"
        )


def load_network(
    method: str, weights: str, preprocessing: str = ""
) -> saliency.SaliencyNet | OnnxSaliency:
    """The network of `unet` or `onnx`. Raises: InputError for files that cannot be used."""
    if method == "onnx":
        return OnnxSaliency(weights, preprocessing)
    return saliency.load_saliency(weights)


def build_crops(
    method: str,
    weights: str = "",
    masks: str = "",
    owners: Mapping[str, str] | None = None,
    preprocessing: str = "",
) -> ProductCrops:
    """What finds the products. Args: weights: of `unet` and `onnx`; masks: folder of `masks`;
    owners: as `MaskFolderCrops`; preprocessing: JSON file of `onnx`.

    Raises: InputError as `check_choice`, and for a file or folder that cannot be used.
    """
    check_choice(method, weights, masks, preprocessing)
    if method in NETWORKS:
        return NetworkCrops(load_network(method, weights, preprocessing))
    return MaskFolderCrops(masks, owners) if method == "masks" else WeightlessCrops(method)


def crop_of_probabilities(probabilities: np.ndarray) -> Crop:
    """The crop around the network's product: [H, W] float32 of one photo, 0..1."""
    return crop_of_mask(product_mask(probabilities))


def product_mask(probabilities: np.ndarray) -> np.ndarray:
    """[H, W] float32 -> [H, W] bool: above the threshold, without the small regions (`PIECES`)."""
    return border_contrast.large_components(probabilities > saliency.THRESHOLD, PIECES)
