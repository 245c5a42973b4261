"""The mask that a record's crop was made from, found once more: records keep the box alone."""

import os
from collections.abc import Mapping

import numpy as np

from data_prep.foreground.mask_files import read_mask
from data_prep.foreground.methods import crop_of_method, foreground_mask
from data_prep.foreground.product_crops import (
    NETWORKS,
    MaskFolderCrops,
    Photo,
    load_network,
    product_mask,
)
from kaleido_tf.errors import InputError


class ProductMasks:
    """Masks by the method that `dataset.json` names.

    Args:
      dataset: the `dataset.json` of the records. where: their folder, for messages.
      weights: with `unet` and `onnx`: the file of the network; preprocessing: JSON file of `onnx`.
      masks: with `masks`: their folder; empty: where
        `dataset.json` says it was. owners: of the catalogue's photos, as `MaskFolderCrops`.
    Raises: InputError for weights or masks that cannot be used, or that are not of the records'
      method.
    """

    def __init__(
        self,
        dataset: dict,
        where: str | os.PathLike,
        weights: str = "",
        masks: str = "",
        owners: Mapping[str, str] | None = None,
        preprocessing: str = "",
    ):
        self._method = dataset["foreground"]
        for needing, flag, value in (
            (NETWORKS, "--foreground_weights", weights),
            (("masks",), "--foreground_masks", masks),
            (("onnx",), "--foreground_preprocessing", preprocessing),
        ):
            if value and self._method not in needing:
                raise InputError(
                    f"{flag} is of records made with --foreground={' or '.join(needing)}. Those in"
                    f" {where} were made with {self._method}"
                )
        self._net = load_network(self._method, weights, preprocessing) if weights else None
        if self._net and self._net.digest != dataset.get("foreground_digest"):
            raise InputError(
                f"--foreground_weights: the network that the records in {where} were made with is"
                f" needed. Received another: {weights}"
            )
        folder = masks or (dataset.get("foreground_masks", "") if self._method == "masks" else "")
        self._folder = (
            MaskFolderCrops(folder, owners) if folder and (masks or os.path.isdir(folder)) else None
        )

    def find(
        self, photo: Photo, crop_box: tuple[int, int, int, int]
    ) -> tuple[np.ndarray | None, str]:
        """([H, W] bool or None, how the mask was made or why there is none).

        Args: crop_box: x1, x2, y1, y2 of the record; a mask that gives another one says so.
        """
        mask, note = self._mask(photo)
        if mask is None:
            return None, note
        crop = crop_of_method(mask, self._method)
        if crop.fallback:
            return mask, f"{note} (no product found: {crop.reason or 'photo kept whole'})"
        return mask, (
            note
            if crop.box == tuple(crop_box)
            else f"{note} (gives another crop box than the record's)"
        )

    def _mask(self, photo: Photo) -> tuple[np.ndarray | None, str]:
        if self._method == "none":
            return None, "no mask: the whole photo is the crop"
        if self._method in NETWORKS:
            if self._net is None:
                return None, "no mask: its network was not given (--foreground_weights)"
            return product_mask(self._net.masks([photo.image])[0]), self._method
        if self._method == "masks":
            if self._folder is None:
                return None, "no mask: its folder was not given (--foreground_masks)"
            path = self._folder.path(photo.product_id, photo.image_id, photo.where)
            return read_mask(path, photo.image.shape, photo.where), path.name
        return foreground_mask(photo.image, self._method), self._method
