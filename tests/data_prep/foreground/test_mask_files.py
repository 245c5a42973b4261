"""Masks are read by their kind, fitted to their photo, and paired with it; everything else is
named.
"""

import json

import numpy as np
import pytest
from PIL import Image

from data_prep.foreground.mask_files import (
    choose_pairs,
    find_pairs,
    proportional,
    read_listing,
    read_mask,
)
from kaleido_tf.errors import InputError
from tests import drawn_photos


def save(path, values, **options):
    Image.fromarray(np.asarray(values)).save(path, **options)
    return path


def test_kinds_have_their_own_thresholds(tmp_path):
    path = save(tmp_path / "m.png", np.array([[0, 1, 127], [128, 200, 255]], np.uint8))
    assert read_mask(path, (2, 3, 3), "m").tolist() == [[False] * 3, [True] * 3]
    assert read_mask(path, (2, 3, 3), "m", "label_map").tolist() == [
        [False, True, True],
        [True] * 3,
    ]


def test_other_depths(tmp_path):
    black_and_white = save(tmp_path / "one.png", np.array([[True, False, True]]))
    assert read_mask(black_and_white, (1, 3), "m").tolist() == [[True, False, True]]
    deep = save(tmp_path / "deep.png", np.array([[127 * 257, 127 * 257 + 1, 65535]], np.uint16))
    assert read_mask(deep, (1, 3), "m").tolist() == [[False, True, True]]
    grey_rgb = save(tmp_path / "rgb.png", np.array([[[0] * 3, [255] * 3]], np.uint8))
    assert read_mask(grey_rgb, (1, 2), "m").tolist() == [[False, True]]


def test_palette_of_a_label_map_is_not_its_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 5, 2]], np.uint8), "P")
    image.putpalette([200, 200, 200, *[0] * 15])  # background white, labels black
    image.save(tmp_path / "p.png")
    assert read_mask(tmp_path / "p.png", (1, 3), "m", "label_map").tolist() == [[False, True, True]]


def test_mask_of_the_same_proportions_is_resized(tmp_path):
    values = np.zeros((40, 30), np.uint8)
    values[:20, :10] = 255
    path = save(tmp_path / "m.png", values)
    mask = read_mask(path, (120, 91, 3), "m")
    assert (
        mask.shape == (120, 91)
        and mask[:59, :29].all()
        and not mask[62:].any()
        and not mask[:, 33:].any()
    )
    assert read_mask(path, (11, 8, 3), "m").shape == (11, 8)


@pytest.mark.parametrize(
    "mask, photo, expected",
    [
        ((40, 30), (80, 60), True),
        ((40, 30), (81, 60), True),
        ((256, 171), (1200, 800), True),
        ((40, 30), (30, 40), False),
        ((256, 256), (1200, 800), False),
        ((40, 31), (400, 300), True),
        ((40, 33), (400, 300), False),
        ((400, 300), (40, 31), True),
        ((400, 300), (40, 33), False),
    ],
)
def test_proportions_within_a_pixel(mask, photo, expected):
    assert proportional(mask, photo) is expected


def test_unusable_masks_are_named(tmp_path):
    path = save(tmp_path / "m.png", np.zeros((20, 30), np.uint8))
    with pytest.raises(
        InputError,
        match=r"photo's size 50 x 70, .* Received: 30 x 20.*Where: .*m.png \(product 7\)",
    ):
        read_mask(path, (70, 50, 3), "product 7")
    (tmp_path / "t.png").write_text("hello, I am text")
    with pytest.raises(InputError, match="t.png"):
        read_mask(tmp_path / "t.png", (20, 30), "m")
    (tmp_path / "cut.png").write_bytes(
        save(
            tmp_path / "n.png", np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
        ).read_bytes()[:-900]
    )
    with pytest.raises(InputError, match="whole PNG image.*cut.png"):
        read_mask(tmp_path / "cut.png", (40, 50), "m")
    for name, pixel in (("colour", [250, 10, 10]), ("clear", [255, 255, 255, 0])):
        with pytest.raises(
            InputError, match=f"one number a pixel .*mode RGBA?. Where: .*{name}.png"
        ):
            read_mask(
                save(tmp_path / f"{name}.png", np.array([[pixel] * 4] * 3, np.uint8)), (3, 4), "m"
            )
    with pytest.raises(InputError, match="no file of that name.*gone.png"):
        read_mask(tmp_path / "gone.png", (20, 30), "m")


def test_pairs_of_folders(tmp_path):
    photos, masks = drawn_photos.write(tmp_path, 5)
    save(masks / "extra.png", np.zeros((3, 4), np.uint8))
    (photos / "notes.txt").write_text("not a photo")
    pairs = find_pairs(str(photos), str(masks), "mask")
    assert [(p.name, p.photo.name, p.mask.parent.name) for p in pairs] == [
        (f"p{n:02d}", f"p{n:02d}.png", "masks") for n in range(5)
    ]


def test_unusable_folders_are_named(tmp_path):
    photos, masks = drawn_photos.write(tmp_path, 3)
    (tmp_path / "empty").mkdir()
    for arguments, message in [
        (("gone", str(masks)), "--images: a folder was needed. Received: gone"),
        ((str(photos), "gone"), "--masks: a folder was needed. Received: gone"),
        (
            (str(tmp_path / "empty"), str(masks)),
            "--images: needed a folder with photos .* which has none",
        ),
        (
            (str(photos), str(tmp_path / "empty")),
            "3 of 3 have none in .*empty; the first: p00.png needs p00.png",
        ),
    ]:
        with pytest.raises(InputError, match=message):
            find_pairs(*arguments, "mask")
    (photos / "p01.jpg").write_bytes((photos / "p01.png").read_bytes())
    with pytest.raises(
        InputError, match="one photo of a name was needed. Received: p01.jpg and p01.png"
    ):
        find_pairs(str(photos), str(masks), "mask")


def test_holdout_takes_its_share_of_each_folder_by_the_seed(tmp_path):
    folders = [drawn_photos.write(tmp_path / name, count) for name, count in (("a", 10), ("b", 5))]
    images, masks = ([str(pair[n]) for pair in folders] for n in (0, 1))
    split = choose_pairs(images, masks, ["mask", "label_map"], [], 0.4, seed=1)
    assert {name: len(pairs) for name, pairs in split.items()} == {"train": 9, "valid": 6}
    assert [pair.kind for pair in split["valid"]] == ["mask"] * 4 + ["label_map"] * 2
    assert len({pair.photo for pairs in split.values() for pair in pairs}) == 15
    assert choose_pairs(images, masks, ["mask", "label_map"], [], 0.4, seed=1) == split
    assert choose_pairs(images, masks, ["mask", "label_map"], [], 0.4, seed=2) != split


def test_listing_says_kind_and_split(tmp_path):
    rows = [
        {"id": "1", "image": "a/1.jpg", "mask": "m/1.png", "split": "train", "more": 3},
        {"id": "2", "image": "a/2.jpg", "label_map": "m/2.png", "split": "valid"},
    ]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    split = choose_pairs([], [], ["mask"], [str(tmp_path / "items.jsonl")])
    assert [(p.name, p.kind, p.mask) for p in split["train"]] == [
        ("1", "mask", tmp_path / "m/1.png")
    ]
    assert [(p.name, p.kind, p.photo) for p in split["valid"]] == [
        ("2", "label_map", tmp_path / "a/2.jpg")
    ]
    for change in ({"split": "test"}, {"image": 4}, {"mask": "m/2.png"}):
        (tmp_path / "bad.jsonl").write_text(
            json.dumps(rows[0]) + "\n" + json.dumps({**rows[1], **change}) + "\n"
        )
        with pytest.raises(InputError, match="bad.jsonl line 2 needs `id`"):
            read_listing(tmp_path / "bad.jsonl")
    for content, message in (
        ("[1]\n", "line 1 needs"),
        ("{\n", "line 1 must be a JSON object"),
        ("", "which is empty"),
    ):
        (tmp_path / "bad.jsonl").write_text(content)
        with pytest.raises(InputError, match=message):
            read_listing(tmp_path / "bad.jsonl")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([], [], ["mask"], []), "Received: neither"),
        ((["a"], [], ["mask"], ["items.jsonl"]), "Received: both"),
        ((["a", "b"], ["c"], ["mask"], []), "equally many .* Received: 2, 1 and 2"),
        (
            (["a"], ["c"], ["alpha"], []),
            "--mask_kind must be one of mask, label_map. Received: alpha",
        ),
        (([], [], ["mask"], ["gone.jsonl"]), "Not found: gone.jsonl"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(InputError, match=message):
        choose_pairs(*arguments)


@pytest.mark.parametrize("size", [(40, 30), (31, 30)])
def test_mask_of_a_turned_photo_is_refused_with_both_sizes(tmp_path, size):
    """(31, 30) would pass for rounding."""
    path = save(tmp_path / "m.png", np.full(size, 255, np.uint8))
    with pytest.raises(
        InputError, match=f"size {size[0]} x 30.*Received: 30 x {size[0]}, as if one"
    ):
        read_mask(path, (30, size[0], 3), "m")


def test_orientation_of_the_mask_itself_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    values = np.zeros((2, 3), np.uint8)
    values[0, 0] = 255
    path = save(tmp_path / "m.png", values, exif=exif)
    assert read_mask(path, (3, 2, 3), "m").tolist() == [[False, True], [False, False], [False] * 2]
