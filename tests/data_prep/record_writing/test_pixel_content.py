import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.alignment.record_alignments import check_layout
from data_prep.catalogue.reading import read_catalogue
from data_prep.record_writing.candidates import CandidateSettings, draw_candidates
from data_prep.record_writing.pixel_content import PixelContent, PixelSettings, square_photo
from data_prep.record_writing.product_records import write_records
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.compat.rows.static_rows import config_of_records
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.photo import parse_photo
from kaleido_tf.records.record import PIXELS, Record
from kaleido_tf.text import Vocabulary
from tests.drawn_catalogue import write_catalogue

SETTINGS = PixelSettings(image_size=41, records_per_shard=3)


def written(manifest, folder, settings=SETTINGS, split="train"):
    """The `dataset.json`, and the serialized records."""
    catalogue = read_catalogue(str(manifest), skip_unusable=settings.on_bad_record == "skip")
    dataset = write_records(catalogue, split, folder, PixelContent(settings))
    files = [str(folder / split / name) for name in dataset["shards"]]
    return dataset, list(tf.data.TFRecordDataset(files).as_numpy_iterator())


@pytest.fixture
def shop(tmp_path):
    return write_catalogue(tmp_path / "shop")


def test_records_hold_the_photos_and_what_is_said_of_them(shop, tmp_path):
    raw = dataclasses.replace(SETTINGS, encoding="raw", fit="pad")
    dataset, records = written(shop, tmp_path / "records", raw)
    assert {
        "layout": "pixels",
        "image_size": 41,
        "photo_encoding": "raw",
        "fit": "pad",
    }.items() <= (dataset.items())
    assert not {"feature_size", "jpeg_quality", "backbone"} & set(dataset)
    assert [len(dataset["shards"]), dataset["records"], dataset["products"]] == [3, 7, 6]
    record = Record.parse(records[1])
    assert (record.product_id, record.image_id) == ("P1", "P1_1")
    assert (record.image_size, record.crop_box) == ((91, 120), (0, 91, 0, 120))
    image = np.asarray(Image.open(shop.parent / "1_0.png"))
    np.testing.assert_array_equal(parse_photo(records[1], 41), square_photo(image, 41, "pad"))


def test_jpeg_is_near_the_photo_and_says_its_quality(shop, tmp_path):
    dataset, records = written(shop, tmp_path / "records")
    assert dataset["photo_encoding"] == "jpeg" and dataset["jpeg_quality"] == 95
    image = square_photo(np.asarray(Image.open(shop.parent / "0_0.png")), 41, "stretch")
    error = parse_photo(records[0], 41).numpy().astype(int) - image
    assert np.abs(error).mean() < 1.5


def test_second_start_writes_what_changed_and_nothing_else(shop, tmp_path, capsys):
    _, before = written(shop, tmp_path / "records")
    dataset, records = written(shop, tmp_path / "records")
    assert "nothing to do" in capsys.readouterr().out and records == before
    Image.new("RGB", (37, 53), "navy").save(shop.parent / "5_0.png")
    _, records = written(shop, tmp_path / "records")
    assert "1 of 3 shards were written anew" in capsys.readouterr().out
    assert records[:6] == before[:6] and Record.parse(records[6]).image_size == (37, 53)
    with pytest.raises(InputError, match="image_size: 41 there, 43 now"):
        written(shop, tmp_path / "records", dataclasses.replace(SETTINGS, image_size=43))


def test_record_costs_little_more_than_its_photo(tmp_path):
    """Photos with as much in them as real ones, 256 pixels a side, and texts of 200 letters."""
    words = "A jersey top with long sleeves, a round neckline and a seam at the back. " * 3
    shop = write_catalogue(
        tmp_path / "shop", lambda _, entry: {**entry, "description": words[:200]}
    )
    drawn = np.random.default_rng(3)
    for path in shop.parent.glob("*.png"):
        coarse = drawn.integers(0, 255, (40, 30, 3), np.uint8)
        Image.fromarray(coarse).resize((270, 360), Image.Resampling.BICUBIC).save(path)
    _, records = written(shop, tmp_path / "records", PixelSettings())
    for record in records:
        photo = tf.train.Example.FromString(record).features.feature["photo"].bytes_list.value[0]
        assert 6000 < len(photo) < len(record) < 1.1 * len(photo)


def test_padding_keeps_proportions_and_centres_the_product():
    wide = np.full((10, 30, 3), 60, np.uint8)
    square = square_photo(wide, 33, "pad")
    assert (square[11:22] == 60).all() and (square[:11] == 255).all() and (square[22:] == 255).all()
    assert (square_photo(wide.transpose(1, 0, 2), 33, "pad") == square.transpose(1, 0, 2)).all()
    assert (square_photo(wide, 33, "stretch") == 60).all()
    assert (square_photo(np.zeros((1, 999, 3), np.uint8), 33, "pad") == 0).any()


def photo_of_kind(kind: str, path) -> None:
    """Black in its left half, white in its right half as it is shown: 60 pixels wide, 40 high."""
    pixels = np.zeros((40, 60), np.uint8)
    pixels[:, 30:] = 255
    image = Image.fromarray(pixels)
    if kind == "alpha":
        layers = np.zeros((40, 60, 4), np.uint8)
        layers[:, :30, 3] = 255  # the right half is transparent
        image = Image.fromarray(layers)
    elif kind == "16-bit":
        image = Image.fromarray(pixels.astype(np.uint16) * 257)
    elif kind == "CMYK":
        image = image.convert("RGB").convert("CMYK")
    if kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6  # stored a quarter turn against the clock
        image.transpose(Image.Transpose.ROTATE_90).save(path, "TIFF", exif=exif)
    else:
        image.save(path, "TIFF" if kind == "CMYK" else "PNG")


def test_photos_of_all_kinds_end_in_the_right_pixels(tmp_path):
    kinds = ("grey", "alpha", "16-bit", "CMYK", "turned", "grey", "grey")
    shop = write_catalogue(tmp_path / "shop")
    for number, kind in enumerate(kinds):
        photo_of_kind(kind, shop.parent / f"{number}_0.png")
    raw = dataclasses.replace(SETTINGS, encoding="raw")
    _, records = written(shop, tmp_path / "records", raw)
    for record in records:
        found = Record.parse(record)
        if found.image_id == "P2_2":  # not one of these
            continue
        assert found.image_size == (60, 40), found.image_id
        photo = parse_photo(record, 41).numpy()
        assert photo[:, :18].max() < 3 and photo[:, 24:].min() > 252, found.image_id


def test_page_named_jpg_is_named_or_left_out_and_listed(shop, tmp_path):
    (shop.parent / "3_0.png").write_text("<html>not found</html>")
    with pytest.raises(InputError, match="3_0.png"):
        written(shop, tmp_path / "records")
    skip = dataclasses.replace(SETTINGS, on_bad_record="skip", max_bad_fraction=0.2)
    dataset, _ = written(shop, tmp_path / "records", skip)
    assert [entry["image_id"] for entry in dataset["skipped"]] == ["P3_1"]
    assert dataset["records"] == 6


def test_blank_photo_is_kept_whole_and_counted(shop, tmp_path):
    Image.new("RGB", (50, 64), "white").save(shop.parent / "4_0.png")
    dithered = dataclasses.replace(SETTINGS, foreground="dithered")
    dataset, records = written(shop, tmp_path / "records", dithered)
    assert dataset["reasons_for_whole"] == {"no pixel is black after dithering": 1}
    assert Record.parse(records[5]).crop_box == (0, 50, 0, 64)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"image_size": 31}, "--image_size must be 32 to 2048. Received: 31"),
        ({"image_size": 2049}, "--image_size must be 32 to 2048. Received: 2049"),
        ({"jpeg_quality": 0}, "--jpeg_quality must be 1 to 100. Received: 0"),
        ({"jpeg_quality": 101}, "--jpeg_quality must be 1 to 100. Received: 101"),
        ({"fit": "crop"}, "--fit must be one of stretch, pad"),
        ({"encoding": "png"}, "--encoding must be one of jpeg, raw"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        PixelSettings(**changes)


def test_candidate_lists_of_pixels(shop, tmp_path):
    written(shop, tmp_path / "records")
    folder = tmp_path / "records" / "train"
    table = read_record_table(find_files(str(folder)), Vocabulary(), 9, 41)
    assert table.layout == PIXELS
    lists, totals = draw_candidates(table, CandidateSettings(num_others=2))
    assert totals["queries"] == 6 and len(lists["img2txt"][0]["candidates"]) == 3
    assert json.loads(json.dumps(lists)) == lists


def test_what_needs_patches_says_so(shop, tmp_path):
    dataset, _ = written(shop, tmp_path / "records")
    folder = str(tmp_path / "records" / "train")
    with pytest.raises(InputError, match="patch features are needed.* whose layout is pixels"):
        config_of_records(folder)
    with pytest.raises(InputError, match="layout kaleido are needed.* of layout pixels"):
        check_layout(dataset, folder)
    with pytest.raises(InputError, match="patch features are needed. .* holds pixels"):
        _ = read_record_table(find_files(folder), Vocabulary(), 9, 41).feature_size
    with pytest.raises(InputError, match="patches are needed. .* of layout pixels"):
        RecordPhotos(dataset, folder).crop("P0_1", (90, 120), (0, 90, 0, 120))
