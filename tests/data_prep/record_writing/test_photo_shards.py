"""Photos recorded in several views: what a mirrored record holds, and what stays as it was."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.features.patch_features import extract_features
from data_prep.record_writing import split_shards
from data_prep.record_writing.patch_content import PatchContent, PatchSettings
from data_prep.record_writing.photo_shards import write_cut_shard
from data_prep.record_writing.product_records import write_records
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.record import GRIDS, Record
from kaleido_tf.records.shards import read_photos, read_shard
from tests.drawn_catalogue import SETTINGS, write_catalogue

BOTH = dataclasses.replace(SETTINGS, views=("mirrored", "plain"))


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("squeezenet", "random")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The drawn catalogue, each product with a light corner at its lower left."""
    manifest = write_catalogue(tmp_path_factory.mktemp("shop"))
    for path in manifest.parent.glob("*.png"):
        image = Image.open(path)
        ImageDraw.Draw(image).polygon([(20, 60), (20, 95), (40, 95)], fill="yellow")
        image.save(path)
    return read_catalogue(str(manifest))


@pytest.fixture(scope="module")
def both(tmp_path_factory, shop, backbone):
    """(folder of records in both views, their dataset.json)"""
    folder = tmp_path_factory.mktemp("both")
    return folder / "train", write_records(shop, "train", folder, PatchContent(BOTH, backbone))


def serialized(folder):
    return [line for file in find_files(str(folder)) for line in lines_of(file)]


def lines_of(file):
    return list(tf.data.TFRecordDataset(file).as_numpy_iterator())


def test_default_records_are_what_they_were(tmp_path, shop, backbone, both):
    dataset = write_records(shop, "train", tmp_path, PatchContent(SETTINGS, backbone))
    settings = json.loads((tmp_path / "train" / "settings.json").read_text())
    assert "views" not in dataset and "views" not in settings
    plain = serialized(tmp_path / "train")
    assert all("view" not in tf.train.Example.FromString(line).features.feature for line in plain)
    assert serialized(both[0])[::2] == plain
    with pytest.raises(InputError, match=r"views: None there, \['plain', 'mirrored'\] now"):
        write_records(shop, "train", tmp_path, PatchContent(BOTH, backbone))


@pytest.mark.parametrize("layout", ["kaleido", "grid_4x4"])
def test_mirrored_record_is_of_the_mirrored_crop(tmp_path, shop, backbone, both, layout):
    folder, dataset = both
    blocks = ["patch_features", "rotated_features", "grey_features"]
    if layout != "kaleido":
        folder, blocks = tmp_path / "train", ["patch_features"]
        settings = dataclasses.replace(BOTH, layout=layout, foreground="none")
        dataset = write_records(shop, "train", tmp_path, PatchContent(settings, backbone))
    assert dataset["records"] == 14 and dataset["views"] == ["plain", "mirrored"]
    assert list(dataset["shards"].values()) == [6, 6, 2]
    records = [Record.parse(line) for line in serialized(folder)]
    photos = RecordPhotos(dataset, "records/train")
    for plain, mirrored in zip(records[::2], records[1::2], strict=True):
        assert (plain.view, mirrored.view) == (0, 1)
        for name in ("product_id", "image_id", "text", "token_ids", "image_size", "crop_box"):
            assert getattr(plain, name) == getattr(mirrored, name)
        crop = photos.crop(plain.image_id, plain.image_size, plain.crop_box)
        flipped = photos.crop(plain.image_id, plain.image_size, plain.crop_box, mirrored.view)
        np.testing.assert_array_equal(flipped, crop[:, ::-1])
        kind = {} if layout == "kaleido" else {"layout": GRIDS[4]}
        expected = extract_features(crop[None, :, ::-1].copy(), backbone, None, **kind)
        for name in blocks:
            np.testing.assert_allclose(
                mirrored.block(name), expected[name][0], rtol=2e-3, atol=1e-4
            )
    assert np.abs(records[0].block(blocks[0]) - records[1].block(blocks[0])).max() > 1e-2
    boxes = [
        tf.train.Example.FromString(r.serialize()).features.feature["patch_boxes"] for r in records
    ]
    assert boxes[::2] == boxes[1::2]


def test_photos_are_read_once_whatever_their_views(both):
    shards = find_files(str(both[0]))
    assert [len(read_shard(shard)) for shard in shards] == [6, 6, 2]
    photos = read_photos(shards)
    assert [r.image_id for r in photos[:4]] == ["P0_1", "P1_1", "P2_1", "P2_2"]
    assert len(photos) == 7 and {r.view for r in photos} == {0}


def test_killed_run_goes_on_with_the_next_shard(tmp_path, shop, backbone, both, monkeypatch):
    calls = []

    def stop_in_the_second(path, *args):
        calls.append(path.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write_cut_shard(path, *args)

    monkeypatch.setattr(split_shards, "write_cut_shard", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        write_records(shop, "train", tmp_path, PatchContent(BOTH, backbone))
    dataset = write_records(shop, "train", tmp_path, PatchContent(BOTH, backbone))
    assert len(calls) == 4 and dataset == both[1]
    assert serialized(tmp_path / "train") == serialized(both[0])
    write_records(shop, "train", tmp_path, PatchContent(BOTH, backbone))
    assert len(calls) == 4  # complete: nothing is done


def test_bad_photo_counts_once(tmp_path, backbone):
    manifest = write_catalogue(tmp_path / "photos")
    (tmp_path / "photos" / "4_0.png").write_text("no picture")
    settings = dataclasses.replace(BOTH, on_bad_record="skip", max_bad_fraction=0.15)
    catalogue = read_catalogue(str(manifest))
    dataset = write_records(
        catalogue, "train", tmp_path / "records", PatchContent(settings, backbone)
    )
    assert dataset["records"] == 12  # 1 of 7 photos is bad: 14.3%
    assert [entry["image_id"] for entry in dataset["skipped"]] == ["P4_1"]


@pytest.mark.parametrize(
    "views, came",
    [
        (("plain", "upside_down"), "plain,upside_down"),
        (("plain", "mirrored", "plain"), "plain,mirrored,plain"),
        (("mirrored",), "mirrored"),
        ((), "none"),
    ],
)
def test_views_that_cannot_be_written(views, came):
    with pytest.raises(InputError, match=f"--views must be plain and .*mirrored.*ed: {came}$"):
        PatchSettings(views=views)
