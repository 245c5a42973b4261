"""Photos are drawn W=7 by H=5. Nothing is downloaded: TFDS prepares from a manifest in a temporary
folder.
"""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data_prep.catalogue.reading import read_catalogue
from data_prep.catalogue.tfds_catalogue import ManifestCatalogue
from kaleido_tf.errors import InputError

ROWS = (
    {
        "product_id": "b",
        "images": ["b1.png", "b2.jpg"],
        "title": "Caf\u00e9 dress",
        "description": "Long words.",
        "category": "Full body",
        "subcategory": "Dress",
        "split": "train",
    },
    {
        "product_id": "a",
        "image": "turned.jpg",
        "title": "Boots",
        "category": "Shoes",
        "split": "valid",
    },
    {
        "product_id": "c",
        "image": "clear.png",
        "description": "A vest.",
        "category": "Tops",
        "split": "train",
    },
)


def write_manifest(folder, rows=ROWS):
    folder.mkdir(exist_ok=True)
    pixels = np.arange(105, dtype=np.uint8).reshape(5, 7, 3)
    Image.fromarray(pixels).save(folder / "b1.png")
    Image.fromarray(pixels[:, ::-1]).save(folder / "b2.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(folder / "turned.jpg", exif=exif)
    Image.new("RGBA", (7, 5), (0, 0, 0, 0)).save(folder / "clear.png")
    path = folder / "products.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def message(function, *arguments):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return str(caught.value)


def prepare(folder, manifest, **options):
    builder = ManifestCatalogue(manifest=manifest, data_dir=str(folder / "sets"), **options)
    builder.download_and_prepare()
    return builder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """(manifest, data_dir) of ROWS, prepared once."""
    folder = tmp_path_factory.mktemp("shop")
    manifest = write_manifest(folder / "shop")
    prepare(folder, manifest)
    return manifest, str(folder / "sets")


def test_tfds_users_see_splits_texts_and_upright_opaque_pixels(prepared):
    manifest, data_dir = prepared
    sets = tfds.load("manifest_catalogue", data_dir=data_dir)
    train, valid = (list(tfds.as_numpy(sets[split])) for split in ("train", "valid"))
    assert [row["image_id"].decode() for row in train] == ["b_1", "b_2", "c_1"]
    assert (train[0]["title"].decode(), train[2]["subcategory"]) == ("Caf\u00e9 dress", b"Tops")
    np.testing.assert_array_equal(train[0]["image"], np.arange(105).reshape(5, 7, 3))
    assert (train[2]["image"] == 255).all()
    assert valid[0]["image"].shape == (7, 5, 3)
    np.testing.assert_array_equal(
        valid[0]["image"], read_catalogue(manifest).of_split("valid")[0].images[0].load()
    )


def test_a_plain_file_is_stored_byte_for_byte(prepared, tmp_path):
    write_manifest(tmp_path / "same")
    rows = tfds.load(
        "manifest_catalogue",
        data_dir=prepared[1],
        split="train",
        decoders={"image": tfds.decode.SkipDecoding()},
    )
    assert [row["image"] for row in tfds.as_numpy(rows)][1] == (
        tmp_path / "same" / "b2.jpg"
    ).read_bytes()


def test_reading_it_back_gives_the_manifest(prepared):
    manifest, data_dir = prepared
    wanted, got = (
        read_catalogue(manifest),
        read_catalogue(f"tfds:{data_dir}/manifest_catalogue/1.0.0"),
    )
    assert len(got.products) == 3 and got.category_names == wanted.category_names
    for split in ("train", "valid"):
        for one, other in zip(wanted.of_split(split), got.of_split(split), strict=True):
            assert (one.product_id, one.title, one.description, one.category, one.subcategory) == (
                other.product_id,
                other.title,
                other.description,
                other.category,
                other.subcategory,
            )
            assert [image.image_id for image in one.images] == [
                image.image_id for image in other.images
            ]
            for left, right in zip(one.images, other.images, strict=True):
                np.testing.assert_array_equal(left.load(), right.load())
    assert got.products[0].images[1].where.endswith("manifest_catalogue/1.0.0 split train row 1")


def test_reading_by_name_from_the_default_folder(prepared, monkeypatch):
    manifest, data_dir = prepared
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", data_dir)
    by_folder = read_catalogue(f"tfds:{data_dir}/manifest_catalogue/1.0.0")
    for name in ("manifest_catalogue", "manifest_catalogue:1.0.0"):
        assert read_catalogue(f"tfds:{name}").digest == by_folder.digest


def test_preparing_again_reuses_the_same_manifest_and_refuses_another(tmp_path):
    manifest = write_manifest(tmp_path / "shop")
    prepare(tmp_path, manifest)
    prepare(tmp_path, manifest)
    write_manifest(tmp_path / "shop", ROWS[:2])
    text = message(prepare, tmp_path, manifest)
    assert "Received: data of another or of an older manifest." in text and manifest in text
    assert f"Where: {tmp_path}/sets/manifest_catalogue/1.0.0" in text


def test_preparing_without_a_manifest(tmp_path):
    text = message(prepare, tmp_path, None)
    assert (
        "Needed: manifest=PATH, to prepare the data set. Received: none." in text
        and str(tmp_path) in text
    )


def test_a_bad_photo_stops_the_preparation_and_leaves_nothing(tmp_path):
    manifest = write_manifest(tmp_path / "shop")
    (tmp_path / "shop" / "b2.jpg").write_text("no photo")
    text = message(prepare, tmp_path, manifest)
    assert "beginning with b'no photo'" in text and f"product b, {manifest} line 1" in text
    assert not (tmp_path / "sets" / "manifest_catalogue" / "1.0.0").exists()


@pytest.mark.parametrize("split", ["all", "my split"])
def test_a_split_that_tfds_cannot_have(tmp_path, split):
    manifest = write_manifest(tmp_path / "shop", [{**ROWS[0], "split": split}])
    text = message(prepare, tmp_path, manifest)
    assert f"Received: {split!r}. Where: {manifest} line 1." in text


@pytest.mark.parametrize("file_format", ["array_record", "parquet"])
def test_other_file_formats_give_the_same_catalogue(tmp_path, prepared, file_format):
    manifest, data_dir = prepared
    prepare(tmp_path, manifest, file_format=file_format)
    got = read_catalogue(f"tfds:{tmp_path}/sets/manifest_catalogue/1.0.0")
    assert got.digest == read_catalogue(f"tfds:{data_dir}/manifest_catalogue/1.0.0").digest
    assert got.of_split("valid")[0].images[0].load().shape == (7, 5, 3)


@pytest.mark.parametrize("damage", ["half", "flipped bit", "gone"])
def test_a_damaged_file_is_named(tmp_path, damage):
    prepare(tmp_path, write_manifest(tmp_path / "shop"))
    folder = tmp_path / "sets" / "manifest_catalogue" / "1.0.0"
    (path,) = folder.glob("*train.tfrecord*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data[: len(data) // 2] if damage == "half" else data)
    if damage == "gone":
        path.unlink()
    text = message(read_catalogue, f"tfds:{folder}")
    assert (
        "Needed: a whole TFRecord file. Received: " in text
        and f"Where: tfds:{folder}, {path}." in text
    )


def test_a_file_that_ends_between_two_records(tmp_path):
    prepare(tmp_path, write_manifest(tmp_path / "shop"))
    folder = tmp_path / "sets" / "manifest_catalogue" / "1.0.0"
    (path,) = folder.glob("*train.tfrecord*")
    data = path.read_bytes()
    path.write_bytes(data[: int.from_bytes(data[:8], "little") + 16])
    assert (
        message(read_catalogue, f"tfds:{folder}")
        == f"Needed: 3 records, as dataset_info.json says. Received: 1. Where: tfds:{folder}, split"
        " train."
    )


@pytest.mark.parametrize(
    "name, words",
    [("dataset_info.json", "Failed to load JSON"), ("features.json", "Cannot restore")],
)
def test_a_damaged_description(tmp_path, name, words):
    prepare(tmp_path, write_manifest(tmp_path / "shop"))
    folder = tmp_path / "sets" / "manifest_catalogue" / "1.0.0"
    (folder / name).unlink()
    if name == "dataset_info.json":
        (folder / name).write_text("{bad")
    text = message(read_catalogue, f"tfds:{folder}")
    assert (
        "Needed: a whole prepared TFDS data set." in text
        and words in text
        and f"Where: tfds:{folder}." in text
    )


def test_a_file_format_without_random_access(tmp_path):
    prepare(tmp_path, write_manifest(tmp_path / "shop"))
    folder = tmp_path / "sets" / "manifest_catalogue" / "1.0.0"
    info = (folder / "dataset_info.json").read_text()
    (folder / "dataset_info.json").write_text(
        info.replace('"fileFormat": "tfrecord"', '"fileFormat": "riegeli"')
    )
    text = message(read_catalogue, f"tfds:{folder}")
    assert "Needed: a data set in tfrecord, array_record or parquet files" in text
    assert f"Received: riegeli. Where: tfds:{folder}." in text


def test_names_and_folders_that_are_not_there(tmp_path, monkeypatch, prepared):
    manifest, data_dir = prepared
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    assert "Received: 'no_such_shop' (" in message(read_catalogue, "tfds:no_such_shop")
    assert "Received: '' (" in message(read_catalogue, "tfds:")
    assert "Received: one of a namespace" in message(read_catalogue, "tfds:huggingface:shop")
    assert "Received: nothing prepared." in message(read_catalogue, "tfds:manifest_catalogue")
    assert "Received: no such folder." in message(read_catalogue, f"tfds:{tmp_path}/none")
    text = message(read_catalogue, f"tfds:{data_dir}")
    assert (
        "Received: one without." in text
        and f"Below it: tfds:{data_dir}/manifest_catalogue/1.0.0." in text
    )


class OtherCatalogue(tfds.core.GeneratorBasedBuilder):
    """Somebody else's data set, with `features` and `examples` (split -> rows) as given."""

    VERSION = tfds.core.Version("2.1.0")
    code_path = None

    def __init__(self, features, examples, **kwargs):
        self.features, self.examples = features, examples
        super().__init__(**kwargs)

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(self.features), disable_shuffling=True
        )

    def _split_generators(self, dl_manager):
        return {split: enumerate(rows) for split, rows in self.examples.items()}

    def _generate_examples(self):
        raise AssertionError("the splits are generators already")


FEATURES = {
    name: tfds.features.Text() for name in ("image_id", "title", "description", "subcategory")
} | {
    "product_id": np.int64,
    "category": tfds.features.ClassLabel(names=["Shoes", "Tops"]),
    "image": tfds.features.Image(shape=(None, None, 3)),
}


def example(product_id, image_id):
    return {
        "product_id": product_id,
        "image_id": image_id,
        "title": f"title of {image_id}",
        "description": "",
        "category": "Tops",
        "subcategory": "Vest",
        "image": np.full((5, 7, 3), product_id, np.uint8),
    }


def other(folder, features, examples):
    builder = OtherCatalogue(features, examples, data_dir=str(folder))
    builder.download_and_prepare()
    return f"tfds:{folder}/other_catalogue/2.1.0"


def test_integer_ids_class_labels_and_the_split_called_validation(tmp_path):
    rows = {
        "train": [example(4, "4_1"), example(6, "6_1"), example(4, "4_2")],
        "validation": [example(9, "9_1")],
    }
    catalogue = read_catalogue(other(tmp_path, FEATURES, rows))
    first, second = catalogue.of_split("train")
    assert (first.product_id, first.category, first.title) == ("4", "Tops", "title of 4_1")
    assert [image.image_id for image in first.images] == ["4_1", "4_2"]
    assert (second.images[0].load() == 6).all() and second.images[0].load().shape == (5, 7, 3)
    assert [product.product_id for product in catalogue.of_split("valid")] == ["9"]


@pytest.mark.parametrize(
    "validation, words",
    [
        (example(4, "4_2"), "Received: product 4 in 'train' and in 'valid'."),
        (example(5, "4_1"), "Needed: every image_id once. Received: '4_1' again."),
        ({**example(5, "5_1"), "title": ""}, "Needed: a title or a description."),
    ],
)
def test_bad_rows_are_named(tmp_path, validation, words):
    source = other(tmp_path, FEATURES, {"train": [example(4, "4_1")], "validation": [validation]})
    text = message(read_catalogue, source)
    assert words in text and f"{source} split validation row 0" in text
    catalogue = read_catalogue(source, skip_unusable=True)
    assert [(p.product_id, p.split, len(p.images)) for p in catalogue.products] == [
        ("4", "train", 1)
    ]
    assert catalogue.unusable == (text,)


def test_missing_features_are_named_with_those_there_are(tmp_path):
    features = {name: FEATURES[name] for name in ("image", "title")}
    row = {name: example(4, "4_1")[name] for name in features}
    source = other(tmp_path, features, {"train": [row]})
    assert (
        message(read_catalogue, source)
        == "Needed: the features product_id, image_id, image, title, description, category,"
        " subcategory. Received: image, title (missing: product_id, image_id, description,"
        f" category, subcategory). Where: {source}."
    )
