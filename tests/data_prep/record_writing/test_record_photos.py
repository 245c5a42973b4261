"""The photos behind records: the same pixels again, and clear words where they are not there any
more.
"""

import numpy as np
import pytest
from PIL import Image

from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.features.patch_features import extract_features
from data_prep.record_writing.patch_content import PatchContent
from data_prep.record_writing.product_records import write_records
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.errors import InputError
from tests.drawn_catalogue import SETTINGS, read_all, write_catalogue


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(backbone, folder of the catalogue, dataset.json, records)"""
    folder = tmp_path_factory.mktemp("photos")
    backbone = build_backbone("squeezenet", "random")
    dataset = write_records(
        read_catalogue(str(write_catalogue(folder / "shop"))),
        "train",
        folder / "records",
        PatchContent(SETTINGS, backbone),
    )
    return backbone, folder / "shop", dataset, read_all(folder / "records" / "train")


def ask(photos, record):
    return photos.crop(
        record["image_id"].numpy().decode(),
        record["image_size"].numpy().tolist(),
        record["crop_box"].numpy().tolist(),
    )


def test_crops_are_those_that_the_features_came_from(made):
    backbone, _, dataset, found = made
    photos = RecordPhotos(dataset, "records/train")
    for record in found:
        crop = ask(photos, record)
        assert (
            crop.shape[0] == record["patch_boxes"][0, 3]
            and crop.shape[1] == record["patch_boxes"][0, 1]
        )
        features = extract_features(crop[None], backbone, None)["patch_features"][0]
        np.testing.assert_allclose(features, record["patch_features"].numpy(), rtol=2e-3, atol=1e-4)


def test_catalogue_that_moved(made, tmp_path):
    _, shop, dataset, found = made
    moved = {**dataset, "catalogue": str(tmp_path / "products.jsonl")}
    with pytest.raises(
        InputError,
        match="photos behind records/train are needed: .*products.jsonl.* Say with --catalogue",
    ):
        RecordPhotos(moved, "records/train")
    assert ask(RecordPhotos(moved, "records/train", str(shop)), found[0]).shape[2] == 3


def test_photo_that_changed_or_is_gone(made, tmp_path):
    _, _, dataset, found = made
    shop = write_catalogue(tmp_path / "shop").parent
    photos = RecordPhotos(dataset, "records/train", str(shop))
    Image.new("RGB", (50, 60)).save(shop / "0_0.png")
    with pytest.raises(
        InputError,
        match=(
            r"record P0_1 in records/train was made of, \(90, 120\) pixels. Received: one of \(50,"
            r" 60\).*0_0.png"
        ),
    ):
        ask(photos, found[0])
    (shop / "1_0.png").unlink()
    with pytest.raises(InputError, match="no file of that name"):
        ask(photos, found[1])
    with pytest.raises(InputError, match="the photo P9_1 of the records in records/train"):
        photos.image("P9_1")
