"""The HDF5 layout of the public Fashion-Gen files, with H=5 and W=7 instead of 256."""

import pickle

import h5py
import numpy as np
import pytest

from data_prep.catalogue.fashion_gen import read_fashion_gen, split_of
from kaleido_tf.errors import InputError

TEXTS = (
    "name",
    "description",
    "concat_description",
    "category",
    "subcategory",
    "brand",
    "composition",
    "gender",
    "season",
    "msrpUSD",
    "department",
    "pose",
)


def columns(product_ids, height=5, width=7):
    """Row r has pixels of value 10 * r + channel, and texts that name the column and the row."""
    rows = len(product_ids)
    images = np.zeros((rows, height, width, 3), np.uint8)
    images += (10 * np.arange(rows)[:, np.newaxis, np.newaxis, np.newaxis] + np.arange(3)).astype(
        np.uint8
    )
    texts = {
        f"input_{text}": np.array([[f"{text} {row}".encode("latin-1")] for row in range(rows)])
        for text in TEXTS
    }
    index = np.arange(rows)[:, np.newaxis]
    return {
        "input_image": images,
        "input_productID": np.array(product_ids)[:, np.newaxis],
        "index": index,
        "index_2": index,
        **texts,
    }


def written(path, datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return str(path)


def message(*paths):
    with pytest.raises(InputError) as caught:
        read_fashion_gen(paths, "the source")
    return str(caught.value)


def test_rows_of_one_product_become_its_images(tmp_path):
    path = written(tmp_path / "fashiongen_256_256_train.h5", columns([31, 17, 31]))
    catalogue = read_fashion_gen([path], path)
    first, second = catalogue.products
    assert [product.product_id for product in catalogue.products] == ["31", "17"]
    assert [image.image_id for image in first.images] == ["31_1", "31_2"]
    assert [image.where for image in first.images] == [f"{path} row 0", f"{path} row 2"]
    assert (first.title, first.description) == ("name 0", "description 0")
    assert (second.category, second.subcategory, second.split) == (
        "category 1",
        "subcategory 1",
        "train",
    )
    assert second.where == f"{path} row 1" and catalogue.source == path


def test_images_are_read_by_row(tmp_path):
    path = written(tmp_path / "f_train.h5", columns([31, 17, 31]))
    catalogue = read_fashion_gen([path], path)
    pixels = catalogue.products[0].images[1].load()
    assert pixels.dtype == np.uint8 and pixels.shape == (5, 7, 3)
    assert (pixels == np.array([20, 21, 22])).all()
    # can go to another process
    copied = pickle.loads(pickle.dumps(catalogue.products[1].images[0]))
    assert (copied.load() == np.array([10, 11, 12])).all()


WORDS = "Women’s “décolletée” – Weiße Röcke, 30 €…"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("column_type", ["S60", h5py.string_dtype("utf-8"), h5py.string_dtype()])
def test_texts_are_decoded_by_what_they_hold(tmp_path, encoding, column_type):
    datasets = columns([31, 17])
    datasets["input_name"] = np.array([[WORDS.encode(encoding)], [b"plain"]], dtype=column_type)
    path = written(tmp_path / "f.h5", datasets)
    assert [p.title for p in read_fashion_gen([path], path).products] == [WORDS, "plain"]


def test_a_column_may_mix_encodings(tmp_path):
    datasets = columns([31, 17, 8])
    texts = ["Robe décolletée".encode("latin-1"), "Café".encode(), b"\x81 \x93gr\xfcn\x94 \x96"]
    datasets["input_description"] = np.array([[text] for text in texts])
    path = written(tmp_path / "f.h5", datasets)
    descriptions = [p.description for p in read_fashion_gen([path], path).products]
    assert descriptions == ["Robe décolletée", "Café", "\x81 “grün” –"]


def test_what_is_left_out_is_listed(tmp_path):
    datasets = columns([31, 17, 8])
    for name in ("input_name", "input_description"):
        datasets[name] = np.array([[b"a"], [b" "], [b"c"]])
    train = written(tmp_path / "f_train.h5", datasets)
    valid = written(tmp_path / "f_validation.h5", columns([8, 9]))
    assert "Needed: a title or a description." in message(train)
    catalogue = read_fashion_gen([train, valid], "both", skip_unusable=True)
    assert [(p.product_id, p.split) for p in catalogue.products] == [
        ("31", "train"),
        ("8", "train"),
        ("9", "valid"),
    ]
    assert [len(p.images) for p in catalogue.products] == [1, 1, 1]
    other_split, blank = catalogue.unusable
    assert "product 8 in 'train' and in 'valid'" in other_split
    assert "Needed: a title or a description." in blank and f"Where: {train} row 1" in blank
    for name in ("input_name", "input_description"):
        datasets[name] = np.array([[b" "]] * 3)
    path = written(tmp_path / "blank.h5", datasets)
    with pytest.raises(InputError, match="files without any that can be used .the first: Needed"):
        read_fashion_gen([path], path, skip_unusable=True)


def test_texts_of_any_length_and_flat_columns_are_read(tmp_path):
    datasets = {
        name: values if name == "input_image" else values.ravel()
        for name, values in columns([31, 17]).items()
    }
    datasets["input_name"] = np.array([b"a", b"longer \xe9"], dtype=h5py.string_dtype("ascii"))
    path = written(tmp_path / "f.h5", datasets)
    assert [product.title for product in read_fashion_gen([path], path).products] == [
        "a",
        "longer \u00e9",
    ]


@pytest.mark.parametrize(
    "name, split",
    [
        ("fashiongen_256_256_train.h5", "train"),
        ("fashiongen_256_256_validation.h5", "valid"),
        ("my_val.hdf5", "valid"),
        ("Valid.h5", "valid"),
        ("a_test.h5", "test"),
        ("shop.h5", "train"),
        ("valentino.h5", "train"),
    ],
)
def test_split_by_file_name(name, split):
    assert split_of(f"/data/validation/{name}") == split


def test_two_files_are_two_splits(tmp_path):
    train = written(tmp_path / "f_train.h5", columns([31, 17]))
    valid = written(tmp_path / "f_validation.h5", columns([8]))
    catalogue = read_fashion_gen([train, valid], "both")
    assert [product.product_id for product in catalogue.of_split("valid")] == ["8"]
    assert len(catalogue.of_split("train")) == 2


def test_a_product_may_lie_in_two_files_of_one_split(tmp_path):
    one = written(tmp_path / "f_train_1.h5", columns([31, 17]))
    two = written(tmp_path / "f_train_2.h5", columns([8, 31]))
    images = read_fashion_gen([one, two], "both").products[0].images
    assert [image.where for image in images] == [f"{one} row 0", f"{two} row 1"]
    assert (images[1].load()[:, :, 0] == 10).all()


def test_a_product_in_two_splits_is_refused(tmp_path):
    train = written(tmp_path / "f_train.h5", columns([31, 17]))
    valid = written(tmp_path / "f_validation.h5", columns([8, 17]))
    assert (
        message(train, valid)
        == "Needed: every product in one split. Received: product 17 in 'train' and in 'valid'. "
        f"Where: {train} row 1 and {valid} row 1."
    )


def test_a_file_that_is_not_hdf5(tmp_path):
    path = tmp_path / "f.h5"
    path.write_text("no HDF5")
    assert (
        message(str(path))
        == f"Needed: an HDF5 file. Received: a file of another kind. Where: {path}."
    )
    none = str(tmp_path / "none.h5")
    assert message(none) == f"Needed: an HDF5 file. Received: no file of that name. Where: {none}."


def test_half_an_hdf5_file(tmp_path):
    path = written(tmp_path / "f.h5", columns(list(range(50))))
    with open(path, "rb") as stream:
        data = stream.read()
    with open(path, "wb") as stream:
        stream.write(data[: len(data) // 2])
    text = message(path)
    assert (
        "Needed: a whole HDF5 file. Received: " in text
        and "truncated" in text
        and f"Where: {path}." in text
    )


def test_a_missing_dataset_is_named_with_those_there_are(tmp_path):
    datasets = columns([31])
    del datasets["input_category"]
    path = written(tmp_path / "f.h5", datasets)
    text = message(path)
    assert "(missing: input_category)" in text and "Received: index, index_2, input_brand, " in text
    assert f"Where: {path}." in text


@pytest.mark.parametrize(
    "name, values, words",
    [
        (
            "input_name",
            np.array([[b"one"]]),
            "Needed: `input_name` with as many rows as `input_image`, [2, 1]. Received: [1, 1].",
        ),
        ("input_category", np.array([[b"a", b"b"], [b"c", b"d"]]), "Received: [2, 2]."),
        (
            "input_productID",
            np.array([[0.5], [1.5]]),
            "Needed: `input_productID` as integers. Received: float64.",
        ),
        (
            "input_description",
            np.array([[1], [2]]),
            "Needed: `input_description` as byte strings. Received: int64.",
        ),
        ("input_image", np.zeros((2, 3, 5, 7), np.uint8), "Received: uint8 [2, 3, 5, 7]."),
        (
            "input_image",
            np.zeros((2, 5, 7, 3), np.float32),
            (
                "Needed: `input_image` as uint8 [rows, height, width, 3]."
                " Received: float32 [2, 5, 7, 3]."
            ),
        ),
    ],
)
def test_a_dataset_of_wrong_shape_or_type(tmp_path, name, values, words):
    path = written(tmp_path / "f.h5", {**columns([31, 17]), name: values})
    text = message(path)
    assert words in text and f"Where: {path}." in text


def test_a_product_without_text_is_named_by_row(tmp_path):
    blank = np.array([[b"text"], [b" "]])
    path = written(
        tmp_path / "f.h5", {**columns([31, 17]), "input_name": blank, "input_description": blank}
    )
    text = message(path)
    assert (
        "Needed: a title or a description." in text and f"Where: {path} row 1, product 17." in text
    )


def test_files_without_rows(tmp_path):
    empty = columns([])
    for name in TEXTS:
        empty[f"input_{name}"] = np.zeros((0, 1), "S3")
    empty["input_productID"] = np.zeros((0, 1), np.int64)
    path = written(tmp_path / "f.h5", empty)
    assert (
        message(path) == "Needed: at least one row. Received: files without any. Where: the source."
    )


def test_digest_ignores_the_folder_and_sees_texts(tmp_path):
    (tmp_path / "copy").mkdir()
    datasets = columns([31, 17])
    path, copy = written(tmp_path / "f.h5", datasets), written(tmp_path / "copy" / "f.h5", datasets)
    datasets["input_name"][1] = b"other"
    other = written(tmp_path / "copy" / "other.h5", datasets)
    digests = [read_fashion_gen([each], each).digest for each in (path, copy, other)]
    assert digests[0] == digests[1] != digests[2]
