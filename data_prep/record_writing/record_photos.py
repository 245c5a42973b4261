"""The photos that records were made of, found again in their catalogue and cut as they were cut
then.

Records hold features, not pixels; what looks at the photo once more (the captioner, pictures)
begins here.
"""

import os

import numpy as np

from data_prep.catalogue.products import ProductImage, image_owners
from data_prep.catalogue.reading import read_catalogue
from data_prep.foreground.crops import Crop
from data_prep.foreground.working_crops import cut_crop
from kaleido_tf.errors import InputError
from kaleido_tf.records.record import PIXELS
from kaleido_tf.records.views import PLAIN, pixels_of_view


class RecordPhotos:
    """Photos by the ids that records name.

    Args:
      dataset: the `dataset.json` of the records. where: their folder, for messages.
      catalogue: where the catalogue is now, as `catalogue.read_catalogue` takes it; empty: where
        `dataset.json` says it was.
    Attributes: owners: image id -> product id, of the whole catalogue.
    Raises: InputError if there is no catalogue.
    """

    def __init__(self, dataset: dict, where: str | os.PathLike, catalogue: str = ""):
        self._source, self._where = catalogue or dataset.get("catalogue", ""), where
        self._crop_size = dataset.get("crop_size")
        try:
            catalogue = read_catalogue(self._source, skip_unusable=True)
        except InputError as error:
            raise InputError(
                f"The photos behind {where} are needed: {error} Say with --catalogue where the"
                " catalogue is now"
            ) from error
        self.owners = image_owners(catalogue)
        self._images = {
            image.image_id: image for product in catalogue.products for image in product.images
        }

    def image(self, image_id: str) -> ProductImage:
        """Raises: InputError if the catalogue has no such photo."""
        if image_id not in self._images:
            raise InputError(
                f"Needed: the photo {image_id} of the records in {self._where}."
                " Received: a catalogue"
                f" without it. Where: {self._source}."
            )
        return self._images[image_id]

    def load(self, image_id: str, image_size: tuple[int, int]) -> np.ndarray:
        """[H, W, 3] uint8 RGB. Raises: InputError if it cannot be read, or is not of the size
        (width, height) that its record says.
        """
        image = self.image(image_id)
        pixels = image.load()
        if (pixels.shape[1], pixels.shape[0]) != tuple(image_size):
            raise InputError(
                f"Needed: the photo that record {image_id} in {self._where} was made of,"
                f" {tuple(image_size)} pixels."
                f" Received: one of {(pixels.shape[1], pixels.shape[0])}."
                f" Where: {image.where}."
            )
        return pixels

    def crop(
        self,
        image_id: str,
        image_size: tuple[int, int],
        crop_box: tuple[int, int, int, int],
        view: int = PLAIN,
    ) -> np.ndarray:
        """The working crop [h, w, 3] uint8 that the record's patches were cut from, to the pixel.

        Args: crop_box: x1, x2, y1, y2 of the record. view: of it, or any other of the photo.
        Raises: InputError as `load`, and for records of pixels, which hold theirs themselves.
        """
        if self._crop_size is None:
            raise InputError(
                f"Records of patches are needed. {self._where} holds records of layout"
                f" {PIXELS.name}"
            )
        crop = Crop(tuple(int(side) for side in crop_box), fallback=False)
        plain = cut_crop(self.load(image_id, image_size), crop, self._crop_size).pixels
        return pixels_of_view(plain, view)
