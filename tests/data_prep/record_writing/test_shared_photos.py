"""Products that show one photo: written once, computed once."""

import dataclasses
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.record_writing.patch_content import PatchContent
from data_prep.record_writing.pixel_content import PixelContent, PixelSettings
from data_prep.record_writing.product_records import write_records
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.record import KALEIDO, Record
from kaleido_tf.records.shards import read_shard
from tests.drawn_catalogue import SETTINGS, write_catalogue

BOTH = dataclasses.replace(SETTINGS, views=("plain", "mirrored"))
PIXELS = PixelSettings(image_size=41, records_per_shard=3)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Products 3 and 5 name the photo of product 0; the second photo of product 2 is a copy of
    product 1's.
    """

    def change(number, entry):
        return {**entry, "image": "0_0.png"} if number in (3, 5) else entry

    manifest = write_catalogue(tmp_path_factory.mktemp("shop"), change)
    image = Image.open(manifest.parent / "0_0.png")
    ImageDraw.Draw(image).polygon([(20, 60), (20, 95), (40, 95)], fill="yellow")
    image.save(manifest.parent / "0_0.png")  # no longer its own mirror image
    shutil.copy(manifest.parent / "1_0.png", manifest.parent / "2_1.png")
    return read_catalogue(str(manifest))


class CountingContent(PatchContent):
    """Counts the photos that go through the network."""

    seen = 0

    def fields(self, cuts):
        CountingContent.seen += len(cuts)
        return super().fields(cuts)


@pytest.fixture(scope="module")
def written(shop, tmp_path_factory):
    """Folder -> (records, dataset.json) of both views, each with its photo and shared."""
    backbone, place = build_backbone("squeezenet", "random"), tmp_path_factory.mktemp("records")
    result = {}
    for name, changes in (("each", {"records_per_shard": 7}), ("once", {"share_photos": True})):
        settings = dataclasses.replace(BOTH, **changes)
        dataset = write_records(shop, "train", place / name, CountingContent(settings, backbone))
        result[name] = place / name / "train", dataset
    return result


def records_of(folder):
    return [record for file in find_files(str(folder)) for record in read_shard(file)]


def test_photos_are_stored_and_computed_once(written):
    (each, _), (once, dataset) = written["each"], written["once"]
    assert dataset["share_photos"] is True and dataset["records_without_photo"] == 6
    assert [r.image_id for r in records_of(once)] == [
        *("P0_1", "P3_1", "P5_1") * 2,
        *("P1_1", "P2_2") * 2,
        *("P2_1", "P2_1", "P4_1", "P4_1"),
    ]
    assert dataset["records"] == 14 and list(dataset["shards"].values()) == [6, 6, 2]
    # also where each record holds its own
    assert CountingContent.seen == 4 + 4
    sizes = [sum(map(os.path.getsize, find_files(str(folder)))) for folder in (each, once)]
    assert sizes[1] < 0.6 * sizes[0]


def test_records_are_those_that_hold_their_own(written):
    def by_place(folder):
        return {(record.image_id, record.view): record for record in records_of(folder)}

    each, once = (by_place(folder) for folder, _ in written.values())
    assert each.keys() == once.keys()
    for place, record in once.items():
        assert record.product_id == each[place].product_id and record.text == each[place].text
        np.testing.assert_array_equal(record.boxes, each[place].boxes)
        for name in KALEIDO.blocks:
            np.testing.assert_allclose(record.block(name), each[place].block(name), 2e-3, 1e-4)
    assert once["P5_1", 1].photo == once["P0_1", 1].photo != once["P0_1", 0].photo


def test_pixels_are_the_same_bytes_and_a_second_start_has_nothing_to_do(shop, tmp_path, capsys):
    photos = {}
    for name, shares in (("each", False), ("once", True)):
        settings = dataclasses.replace(PIXELS, share_photos=shares)
        for _ in range(2):
            dataset = write_records(shop, "train", tmp_path / name, PixelContent(settings))
        assert "is complete already: nothing to do" in capsys.readouterr().out
        photos[name] = {r.image_id: r.photo for r in records_of(tmp_path / name / "train")}
        assert ("share_photos" in dataset, dataset.get("records_without_photo")) == (
            (True, 3) if shares else (False, None)
        )
    assert photos["each"] == photos["once"]
    with pytest.raises(InputError, match="share_photos: None there, True now"):
        write_records(shop, "train", tmp_path / "each", PixelContent(settings))


def test_a_shard_that_is_missing_is_written_again_to_the_bit(shop, tmp_path):
    content = PixelContent(dataclasses.replace(PIXELS, share_photos=True))
    write_records(shop, "train", tmp_path, content)
    files = find_files(str(tmp_path / "train"))
    before = [pathlib.Path(file).read_bytes() for file in files]
    os.remove(files[0])
    write_records(shop, "train", tmp_path, content)
    assert [pathlib.Path(file).read_bytes() for file in files] == before
    lines = [Record.parse(line.numpy()) for line in tf.data.TFRecordDataset(files)]
    assert [line.photo_of for line in lines[:3]] == ["", "P0_1", "P0_1"]
