"""FashionViL's annotations as its release reads them."""

import numpy as np
import pytest
from PIL import Image

from data_prep.catalogue.reading import read_catalogue
from kaleido_tf.errors import InputError
from tests import annotation_files

FILES = {name: name.split("/")[0] for name in annotation_files.golden()["files"] if "_info" in name}
FASHION_GEN = "FashionGen/train_info.json"
FACAD = "BigFACAD/train_info.json"


def as_the_release(product, name, folder):
    """The record of a product; its texts joined as the data set's sentence."""
    texts = [product.title, product.description]
    record = {
        "image_path": [image.path.removeprefix(f"{folder}/") for image in product.images],
        "id": int(product.product_id.removeprefix(f"{name}_")),
        "sentences": ".".join(texts[:1] if name == "Fashion200k" else texts),
        "attributes_id": list(product.attributes),
    }
    if name == "FashionGen":
        record |= {"category_id": int(product.category), "subcategory_id": int(product.subcategory)}
    return record


@pytest.mark.parametrize(("file", "name"), FILES.items())
def test_records_of_the_release(tmp_path, file, name):
    path = annotation_files.write(tmp_path, file)
    catalogue = read_catalogue(str(path))
    photos = path.parent / ("train" if name == "FashionGen" else "images")
    found = [as_the_release(product, name, photos) for product in catalogue.products]
    assert found == annotation_files.golden()["records"][file]
    assert {product.split for product in catalogue.products} == {"train"}


def test_the_four_together(tmp_path):
    paths = [str(annotation_files.write(tmp_path, file)) for file in FILES]
    catalogue = read_catalogue(",".join(paths))
    assert [product.product_id for product in catalogue.products] == [
        "FashionGen_10",
        "FashionGen_11",
        "BigFACAD_5",
        "Fashion200k_2",
        "PolyvoreOutfits_777",
    ]
    assert catalogue.category_names == ("1", "4", "BigFACAD", "Fashion200k", "PolyvoreOutfits")


def test_a_folder_with_several_splits_and_photos_of_other_endings(tmp_path):
    annotation_files.write(tmp_path, FASHION_GEN)
    train = tmp_path / FASHION_GEN
    content = train.read_text(encoding="utf-8").replace('"id": 1', '"id": 2')
    train.with_name("val_info.json").write_text(content, encoding="utf-8")
    for split in ("train", "val"):
        (train.parent / split).mkdir()
        Image.new("RGB", (5, 7), "red").save(train.parent / split / "10_1.jpg", quality=95)
    catalogue = read_catalogue(str(train.parent))
    assert [(p.product_id, p.split) for p in catalogue.products] == [
        ("FashionGen_10", "train"),
        ("FashionGen_11", "train"),
        ("FashionGen_20", "valid"),
        ("FashionGen_21", "valid"),
    ]
    first, second = catalogue.products[2].images
    assert second.image_id == "FashionGen_20_2" and second.path.endswith("val/10_1.jpg")
    assert second.load().shape == (7, 5, 3) and np.ptp(second.load()[..., 0]) < 9
    with pytest.raises(InputError, match="val/10_0.png"):
        first.check()  # listed, and not there


def test_attributes_count_in_the_digest(tmp_path):
    def digest(folder, change):
        return read_catalogue(str(annotation_files.write(folder, FACAD, change))).digest

    def with_attributes(value):
        return lambda content: [{**content[0], "attributes_id": value}]

    digests = [
        digest(tmp_path / f"{n}", with_attributes(v)) for n, v in enumerate(([1], [2], None))
    ]
    assert len(set(digests)) == 3
    (product,) = read_catalogue(str(tmp_path / "2" / FACAD)).products
    assert product.attributes is None


def changed(**fields):
    return lambda content: [content[0], {**content[-1], **fields}]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"images": []}, "`images` must be a list of strings, not empty"),
        ({"images": [3]}, "`images` must be a list of strings"),
        ({"images": ["../11.png"]}, "inside the catalogue's folder"),
        ({"images": [" "]}, "a path to an image. Received: ' '"),
        ({"id": None}, "`id` must be .*Received: only"),
        ({"title": None}, "`title` must be a string"),
        ({"attributes_id": [1, "2"]}, "`attributes_id` must be a list of whole numbers"),
        ({"category_id": None}, "`category_id` must be"),
        ({"title": " ", "description": ""}, "a title or a description. Received: neither"),
        ({"id": 10}, "every product_id once.*'FashionGen_10' twice"),
    ],
)
def test_entries_of_another_form(tmp_path, fields, message):
    path = annotation_files.write(tmp_path, FASHION_GEN, changed(**fields))
    with pytest.raises(InputError, match=message):
        read_catalogue(str(path))
    catalogue = read_catalogue(str(path), skip_unusable=True)
    assert len(catalogue.products) == len(catalogue.unusable) == 1
    assert "entry 2" in catalogue.unusable[0]


def test_an_entry_that_is_no_object_and_a_file_without_entries(tmp_path):
    path = annotation_files.write(tmp_path, FASHION_GEN, lambda content: [content[0], "no"])
    with pytest.raises(InputError, match=r"JSON object is needed. Received: str .*entry 2\)"):
        read_catalogue(str(path))
    assert len(read_catalogue(str(path), skip_unusable=True).products) == 1
    path = annotation_files.write(tmp_path, FACAD, lambda content: [])
    with pytest.raises(InputError, match="at least one product. Received: annotations without"):
        read_catalogue(str(path))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Shop/train_info.json", "in a folder FashionGen, BigFACAD.* Received: .*Shop/train_info"),
        ("FashionGen/dev_info.json", "train_info.json, val_info.json.* Received: .*dev_info"),
        ("FashionGen/other.json", r"FashionViL's annotations \(\*_info.json"),
    ],
)
def test_files_of_unknown_names(tmp_path, name, message):
    path = annotation_files.write(tmp_path, FASHION_GEN)
    other = tmp_path / "x" / name
    other.parent.mkdir(parents=True)
    path.rename(other)
    with pytest.raises(InputError, match=message):
        read_catalogue(str(other))
