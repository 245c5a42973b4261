"""Catalogue to records: content, resuming, bad products, a disk that is full."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from PIL import Image, ImageDraw

from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.foreground.saliency import UNetSettings, build_unet, load_saliency, save_saliency
from data_prep.record_writing import patch_content, split_shards
from data_prep.record_writing.patch_content import PatchContent, PatchSettings
from data_prep.record_writing.photo_shards import write_cut_shard
from data_prep.record_writing.product_records import check_catalogue, write_records
from kaleido_tf import patches
from kaleido_tf.errors import InputError
from kaleido_tf.text import Tokenizer, Vocabulary
from tests.drawn_catalogue import SETTINGS, read_all, write_catalogue


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("squeezenet", "random")


def test_int8_features_are_those_of_float16(tmp_path, backbone):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    found = {}
    for storage in ("float16", "int8"):
        settings = PatchSettings(**{**vars(SETTINGS), "feature_storage": storage})
        content = PatchContent(settings, backbone)
        dataset = write_records(catalogue, "train", tmp_path / storage, content)
        assert dataset.get("feature_storage", "float16") == storage
        found[storage] = read_all(tmp_path / storage / "train")
    assert len(found["int8"]) == 7
    for half, whole in zip(*found.values()):
        one, other = (x["patch_features"].numpy().astype(np.float64) for x in (half, whole))
        half_a_step = np.abs(one).max(axis=1, keepdims=True) / 254
        rounding = np.abs(one) * 2.0**-10  # of float16, as which both are read
        difference = np.abs(one - other)
        assert (difference <= 1.001 * half_a_step + rounding).all() and difference.any()
        np.testing.assert_array_equal(half["patch_boxes"], whole["patch_boxes"])
    with pytest.raises(InputError, match="other settings.*feature_storage"):
        write_records(catalogue, "train", tmp_path / "int8", PatchContent(SETTINGS, backbone))


def test_records_of_a_catalogue(tmp_path, backbone):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    dataset = write_records(
        catalogue, "train", tmp_path / "records", PatchContent(SETTINGS, backbone)
    )
    folder = tmp_path / "records" / "train"
    assert dataset == json.loads((folder / "dataset.json").read_text())
    assert dataset["records"] == 7 and dataset["products"] == 6
    assert dataset["shards"] == {
        f"records-{n:05d}-of-00003.tfrecord": count for n, count in enumerate((3, 3, 1))
    }
    assert dataset["categories"] == ["things"] and dataset["subcategories"] == ["even", "odd"]
    assert dataset["feature_size"] == 512 and dataset["backbone_digest"] == backbone.digest
    assert dataset["catalogue_digest"] == catalogue.digest and dataset["skipped"] == []
    found = read_all(folder)
    assert [r["image_id"].numpy().decode() for r in found] == [
        "P0_1",
        "P1_1",
        "P2_1",
        "P2_2",
        "P3_1",
        "P4_1",
        "P5_1",
    ]
    text = found[4]["text"].numpy().decode()
    assert text == "A black thing, number 3."
    assert found[4]["token_ids"].numpy().tolist() == Tokenizer(Vocabulary())([text])[0]
    assert [int(r["subcategory_id"]) for r in found] == [0, 1, 0, 0, 1, 0, 1]
    x1, x2, y1, y2 = found[4]["crop_box"].numpy()
    assert abs(x1 - 20) < 6 and abs(x2 - 64) < 6 and abs(y1 - 30) < 6 and abs(y2 - 96) < 6
    width, height = found[4]["patch_boxes"].numpy()[0, [1, 3]]
    np.testing.assert_array_equal(found[4]["patch_boxes"], patches.kaleido_boxes(width, height))
    assert np.isfinite(found[4]["patch_features"].numpy().astype(np.float32)).all()
    assert sorted(p.name for p in folder.iterdir()) == [
        "dataset.json",
        *(f"records-{n:05d}-of-00003.tfrecord" for n in range(3)),
        "settings.json",
        "vocab.txt",
    ]


def test_other_split_keeps_the_same_category_ids(tmp_path, backbone):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    dataset = write_records(
        catalogue, "valid", tmp_path / "records", PatchContent(SETTINGS, backbone)
    )
    assert dataset["subcategories"] == ["even", "odd"] and dataset["records"] == 1


def test_sub_category_of_two_categories_has_two_ids(tmp_path, backbone):
    def change(number, entry):
        return {**entry, "category": "Tops" if number % 4 else "Shoes"}

    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos", change)))
    dataset = write_records(
        catalogue, "train", tmp_path / "records", PatchContent(SETTINGS, backbone)
    )
    assert dataset["subcategories"] == ["Shoes/even", "Tops/even", "odd"]
    records = read_all(tmp_path / "records" / "train")
    assert [int(r["subcategory_id"]) for r in records] == [0, 2, 1, 1, 2, 0, 2]


def test_markup_decides_the_records_only_where_it_is_kept(tmp_path, backbone):
    def change(number, entry):
        return {**entry, "description": f"A &amp; B, number {number}."}

    manifest = str(write_catalogue(tmp_path / "photos", change))
    plain, kept = read_catalogue(manifest), read_catalogue(manifest, keep_markup=True)
    dataset = write_records(plain, "valid", tmp_path / "records", PatchContent(SETTINGS, backbone))
    assert "keep_markup" not in dataset
    (record,) = read_all(tmp_path / "records" / "valid")
    assert record["text"].numpy() == b"A & B, number 6."
    with pytest.raises(InputError, match="keep_markup: None there, True now"):
        write_records(kept, "valid", tmp_path / "records", PatchContent(SETTINGS, backbone))


@pytest.mark.parametrize(
    "field, expected",
    [("title", "black thing"), ("title_and_description", "black thing. A black thing, number 3.")],
)
def test_text_field(tmp_path, backbone, field, expected):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    write_records(
        catalogue,
        "train",
        tmp_path / "records",
        PatchContent(PatchSettings(**{**vars(SETTINGS), "text_field": field}), backbone),
    )
    assert read_all(tmp_path / "records" / "train")[4]["text"].numpy().decode() == expected


def test_second_start_skips_whole_shards(tmp_path, backbone, monkeypatch):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    write_records(catalogue, "train", tmp_path / "whole", PatchContent(SETTINGS, backbone))
    original, calls = write_cut_shard, []

    def stop_in_the_second(path, *args):
        calls.append(path.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(path, *args)

    monkeypatch.setattr(split_shards, "write_cut_shard", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        write_records(catalogue, "train", tmp_path / "records", PatchContent(SETTINGS, backbone))
    assert not (tmp_path / "records" / "train" / "dataset.json").exists()
    dataset = write_records(
        catalogue, "train", tmp_path / "records", PatchContent(SETTINGS, backbone)
    )
    assert calls[2:] == ["records-00001-of-00003.tfrecord", "records-00002-of-00003.tfrecord"]
    assert dataset == json.loads((tmp_path / "whole" / "train" / "dataset.json").read_text())
    for one, other in zip(
        read_all(tmp_path / "whole" / "train"), read_all(tmp_path / "records" / "train")
    ):
        np.testing.assert_array_equal(one["patch_features"], other["patch_features"])
    write_records(catalogue, "train", tmp_path / "records", PatchContent(SETTINGS, backbone))
    assert len(calls) == 4  # complete: nothing is done


def test_other_settings_are_not_mixed_in(tmp_path, backbone):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    write_records(catalogue, "train", tmp_path / "records", PatchContent(SETTINGS, backbone))
    changed = PatchSettings(**{**vars(SETTINGS), "crop_size": 96})
    with pytest.raises(
        InputError, match=r"made with other settings \(crop_size: 80 there, 96 now\)"
    ):
        write_records(catalogue, "train", tmp_path / "records", PatchContent(changed, backbone))


def break_photo(folder, number, how):
    path = folder / f"{number}_0.png"
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        path.write_text("no picture")


@pytest.mark.parametrize("how", ["missing", "truncated", "text"])
def test_bad_photo_stops_the_run_and_names_the_product(tmp_path, backbone, how):
    manifest = write_catalogue(tmp_path / "photos")
    break_photo(tmp_path / "photos", 4, how)
    with pytest.raises(InputError, match="P4"):
        write_records(
            read_catalogue(str(manifest)),
            "train",
            tmp_path / "records",
            PatchContent(SETTINGS, backbone),
        )
    kept = [p.name for p in (tmp_path / "records" / "train").glob("*.tfrecord")]
    # A header tells before anything is computed; damage further in is found on the way, and what
    # was finished is kept.
    assert kept == (["records-00000-of-00003.tfrecord"] if how == "truncated" else [])


def test_skipped_photos_are_listed(tmp_path, backbone):
    manifest = write_catalogue(tmp_path / "photos")
    break_photo(tmp_path / "photos", 4, "text")
    settings = PatchSettings(**{**vars(SETTINGS), "on_bad_record": "skip", "max_bad_fraction": 0.2})
    dataset = write_records(
        read_catalogue(str(manifest)),
        "train",
        tmp_path / "records",
        PatchContent(settings, backbone),
    )
    assert dataset["records"] == 6
    assert [entry["image_id"] for entry in dataset["skipped"]] == ["P4_1"] and "4_0.png" in dataset[
        "skipped"
    ][0]["why"]


def test_too_many_bad_photos_fail_even_with_skip(tmp_path, backbone):
    manifest = write_catalogue(tmp_path / "photos")
    break_photo(tmp_path / "photos", 0, "text")
    settings = PatchSettings(**{**vars(SETTINGS), "on_bad_record": "skip"})
    with pytest.raises(
        InputError, match=r"More than 1.0% of the images are bad \(1 of at most 0; the first: .*P0"
    ):
        write_records(
            read_catalogue(str(manifest)),
            "train",
            tmp_path / "records",
            PatchContent(settings, backbone),
        )


def test_too_many_bad_headers_fail_before_anything_is_computed(tmp_path, backbone, monkeypatch):
    manifest = write_catalogue(tmp_path / "photos")
    break_photo(tmp_path / "photos", 5, "missing")
    settings = PatchSettings(**{**vars(SETTINGS), "on_bad_record": "skip"})
    monkeypatch.setattr(split_shards, "cut_shard", lambda *_: pytest.fail("work began"))
    with pytest.raises(InputError, match=r"1 of at most 0; the first: .*5_0.png"):
        write_records(
            read_catalogue(str(manifest)),
            "train",
            tmp_path / "records",
            PatchContent(settings, backbone),
        )


def test_broken_manifest_lines_are_skipped_counted_and_listed(tmp_path, backbone):
    manifest = write_catalogue(tmp_path / "photos")
    broken = manifest.read_bytes().splitlines(keepends=True)
    broken[1:1] = [b'{"product_id": \n', b"\xff\xfe\n"]
    manifest.write_bytes(b"".join(broken))
    with pytest.raises(InputError, match="line 2"):
        read_catalogue(str(manifest))
    catalogue = read_catalogue(str(manifest), skip_unusable=True)
    few = PatchSettings(**{**vars(SETTINGS), "on_bad_record": "skip", "max_bad_fraction": 0.1})
    with pytest.raises(
        InputError,
        match=(
            r"More than 10.0% of the catalogue's lines are no product \(2 of 9; the first: .*line 2"
        ),
    ):
        check_catalogue(catalogue, few)
    many = PatchSettings(**{**vars(few), "max_bad_fraction": 0.5})
    check_catalogue(catalogue, many)
    # A photo that is bad counts against its split; a line of an unknown split does not.
    dataset = write_records(catalogue, "train", tmp_path / "records", PatchContent(few, backbone))
    assert dataset["records"] == 7 and dataset["skipped"] == []
    assert [("line 2" in why, "line 3" in why) for why in dataset["catalogue_lines_skipped"]] == [
        (True, False),
        (False, True),
    ]


def test_text_without_words_is_named(tmp_path, backbone):
    manifest = write_catalogue(
        tmp_path / "photos", lambda n, entry: {**entry, "description": ""} if n == 1 else entry
    )
    with pytest.raises(InputError, match="product P1 needs a text in `description`. Received: ''"):
        write_records(
            read_catalogue(str(manifest)),
            "train",
            tmp_path / "records",
            PatchContent(SETTINGS, backbone),
        )


def test_full_disk_leaves_no_half_shard(tmp_path, backbone, monkeypatch):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))

    class FullDisk:
        def __init__(self, path):
            self.file = open(path, "wb")  # noqa: SIM115

        def __enter__(self):
            return self

        def write(self, record):
            self.file.write(record[:100])
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

        def __exit__(self, *_):
            self.file.close()

    monkeypatch.setattr(tf.io, "TFRecordWriter", FullDisk)
    with pytest.raises(InputError, match="records-00000.* could not be written: No space left"):
        write_records(catalogue, "train", tmp_path / "records", PatchContent(SETTINGS, backbone))
    folder = tmp_path / "records" / "train"
    assert (
        not list(folder.glob("*.tfrecord*")) or [p.name for p in folder.glob("*.tfrecord*")] == []
    )
    monkeypatch.undo()
    content = PatchContent(SETTINGS, backbone)
    assert write_records(catalogue, "train", tmp_path / "records", content)["records"] == 7


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"text_field": "name"}, "--text_field must be one of description"),
        ({"on_bad_record": "ignore"}, "--on_bad_record must be one of fail, skip"),
        ({"crop_size": 30}, "--crop_size must be at least 64. Received: 30"),
        (
            {"foreground": "u2net"},
            "--foreground must be one of none, border, grabcut, dithered, unet, onnx, masks",
        ),
        (
            {"foreground_weights": "w"},
            "--foreground=unet or --foreground=onnx and --foreground_weights belong together",
        ),
        ({"patch_size": 8}, "--patch_size must be native or at least 32"),
        ({"feature_storage": "int4"}, "--feature_storage must be one of float16, int8"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        PatchSettings(**changes)


def test_mended_photo_goes_on_where_the_run_stopped(tmp_path, backbone):
    manifest = write_catalogue(tmp_path / "photos")
    good = (tmp_path / "photos" / "4_0.png").read_bytes()
    break_photo(tmp_path / "photos", 4, "missing")
    with pytest.raises(InputError, match="P4"):
        write_records(
            read_catalogue(str(manifest)),
            "train",
            tmp_path / "records",
            PatchContent(SETTINGS, backbone),
        )
    (tmp_path / "photos" / "4_0.png").write_bytes(good)
    assert (
        write_records(
            read_catalogue(str(manifest)),
            "train",
            tmp_path / "records",
            PatchContent(SETTINGS, backbone),
        )["records"]
        == 7
    )


def test_feature_that_float16_cannot_hold_names_the_image(tmp_path, backbone, monkeypatch):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    original = patch_content.extract_features
    monkeypatch.setattr(
        patch_content, "extract_features", lambda *a: {k: v * 1e9 for k, v in original(*a).items()}
    )
    with pytest.raises(
        InputError, match=r"image P0_1\): `patch_features` holds numbers that float16 cannot"
    ):
        write_records(catalogue, "train", tmp_path / "records", PatchContent(SETTINGS, backbone))


def write_network(path, bias):
    """A network that says `bias` of every pixel."""
    settings = UNetSettings(width=1, side=32)
    tf_keras.utils.set_random_seed(2)
    model = build_unet(settings)
    kernel, _ = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([0 * kernel, np.array([bias], np.float32)])
    save_saliency(path, settings, model)
    return PatchSettings(
        **{**vars(SETTINGS), "foreground": "unet", "foreground_weights": str(path)}
    )


def test_records_of_a_network(tmp_path, backbone):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    nothing = write_network(tmp_path / "nothing", -9.0)
    dataset = write_records(
        catalogue, "train", tmp_path / "records", PatchContent(nothing, backbone)
    )
    assert dataset["foreground"] == "unet" and "foreground_weights" not in dataset
    assert dataset["foreground_digest"] == load_saliency(tmp_path / "nothing").digest
    assert dataset["records"] == dataset["crops_kept_whole"] == 7
    assert [r["crop_box"].numpy().tolist() for r in read_all(tmp_path / "records" / "train")][
        :2
    ] == [[0, 90, 0, 120], [0, 91, 0, 120]]
    # The same weights elsewhere are the same records; others are not.
    (tmp_path / "moved").write_bytes((tmp_path / "nothing").read_bytes())
    moved = PatchSettings(**{**vars(nothing), "foreground_weights": str(tmp_path / "moved")})
    assert (
        write_records(catalogue, "train", tmp_path / "records", PatchContent(moved, backbone))
        == dataset
    )
    other = write_network(tmp_path / "other", 9.0)
    digests = dataset["foreground_digest"], load_saliency(tmp_path / "other").digest
    with pytest.raises(
        InputError, match="foreground_digest: '{}' there, '{}' now".format(*digests)
    ):
        write_records(catalogue, "train", tmp_path / "records", PatchContent(other, backbone))


def write_masks(folder, names, box=(30, 50, 40, 70)):
    """Masks of half the photos' height and width, by name; `box`: (x1, x2, y1, y2) of the product
    in the photo.
    """
    folder.mkdir()
    for name in names:
        number = int(name[1])
        mask = Image.new("L", ((90 + number) // 2, 60))
        ImageDraw.Draw(mask).rectangle(
            [box[0] // 2, box[2] // 2, box[1] // 2 - 1, box[3] // 2 - 1], fill=255
        )
        mask.save(folder / f"{name}.png")
    return PatchSettings(
        **{**vars(SETTINGS), "foreground": "masks", "foreground_masks": str(folder)}
    )


def test_records_of_masks_made_elsewhere(tmp_path, backbone):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    settings = write_masks(tmp_path / "masks", ["P0", "P1", "P2", "P3", "P4", "P5"])
    # goes before P2.png, and is empty
    Image.new("L", (92, 120)).save(tmp_path / "masks" / "P2_2.png")
    dataset = write_records(
        catalogue, "train", tmp_path / "records", PatchContent(settings, backbone)
    )
    assert (
        dataset["records"] == 7
        and dataset["crops_kept_whole"] == 1
        and dataset["foreground"] == "masks"
    )
    assert dataset["reasons_for_whole"] == {"all values of the mask are 0": 1}
    assert dataset["foreground_masks"] == str(tmp_path / "masks")
    boxes = [r["crop_box"].numpy() for r in read_all(tmp_path / "records" / "train")]
    assert boxes[3].tolist() == [0, 92, 0, 120]
    for box in boxes[:3] + boxes[4:]:
        assert np.abs(box - [29, 51, 39, 71]).max() <= 1


def test_missing_mask_follows_on_bad_record(tmp_path, backbone):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    settings = write_masks(tmp_path / "masks", ["P0", "P1", "P2", "P3", "P5"])
    Image.new("L", (40, 33)).save(tmp_path / "masks" / "P1.png")
    with pytest.raises(
        InputError,
        match="Needed: the mask P4_1.png or P4.png in .*masks. Received: neither. Where: .*4_0.png",
    ):
        write_records(catalogue, "train", tmp_path / "records", PatchContent(settings, backbone))
    skipping = PatchSettings(**{**vars(settings), "on_bad_record": "skip", "max_bad_fraction": 0.3})
    dataset = write_records(
        catalogue, "train", tmp_path / "skipped", PatchContent(skipping, backbone)
    )
    assert dataset["records"] == 5
    assert [entry["image_id"] for entry in dataset["skipped"]] == ["P1_1", "P4_1"]
    assert (
        "photo's size 91 x 120" in dataset["skipped"][0]["why"]
        and "Received: 40 x 33" in dataset["skipped"][0]["why"]
    )
