"""A sheet: nothing overlaps, nothing leaves it, and the file is whole."""

import numpy as np
import pytest
from PIL import Image

from data_prep.pictures.sheet import MARGIN, Piece, Sheet, printable
from kaleido_tf.errors import InputError


def overlap(one, other):
    return min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0]) > 0 and min(
        one[1] + one[3], other[1] + other[3]
    ) > max(one[1], other[1])


def test_wrapped_lines_fit_and_keep_every_character():
    sheet = Sheet(300)
    text = (
        "A long description with a verylongwordthatdoesnotfitintoasinglelineofthissheet and"
        " $prices$ of 5"
    )
    lines = sheet.wrap(text, 120)
    assert len(lines) > 3 and all(sheet.measure(line)[0] <= 120 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_signs_that_the_font_lacks_are_told_by_number():
    assert printable("crème 5 €, ##一") == "crème 5 €, ##<4E00>"
    sheet = Sheet(300)
    assert sheet.measure("一") == sheet.measure("<4E00>")


def test_running_text_neither_overlaps_nor_leaves_its_width():
    sheet = Sheet(300)
    pieces = [
        Piece(
            "word" * (1 + n % 4),
            face="red" if n % 3 == 0 else "",
            note="note" if n % 5 == 0 else "",
        )
        for n in range(40)
    ]
    pieces[20] = Piece(",", glued=True)
    boxes = sheet.running_text(10, 10, pieces, 250)
    assert all(x >= 10 and x + width <= 260 for x, _, width, _ in boxes)
    assert not any(
        overlap(one, other) for number, one in enumerate(boxes) for other in boxes[:number]
    )
    assert boxes[20][:2] == (
        pytest.approx(boxes[19][0] + boxes[19][2] if not pieces[19].note else boxes[20][0]),
        boxes[19][1],
    )


def test_file_has_the_sheets_size_and_what_was_put_on_it(tmp_path):
    sheet = Sheet(200)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    sheet.picture(20, 10, pixels)
    sheet.frame((100, 10, 20, 20), "#ff0000", face="#ff0000")
    sheet.lead((150, 5), 10, 20, (160, 60), "#0000ff")
    sheet.line(5, 80, "at the bottom")
    sheet.save(tmp_path / "deep" / "sheet.png")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["sheet.png"]
    found = np.array(Image.open(tmp_path / "deep" / "sheet.png").convert("RGB"))
    assert found.shape == (sheet.height, 200, 3) and sheet.height > 80 + MARGIN
    np.testing.assert_array_equal(found[10:50, 20:50], pixels)
    assert found[20, 110].tolist() == [255, 0, 0] and found[60, 160].tolist() == [0, 0, 255]
    assert (found[80:95, 5:80] < 128).any() and (found[:, 190:] == 255).all()


def test_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="sheet.png could not be written"):
        Sheet(100).save(tmp_path / "file" / "sheet.png")
