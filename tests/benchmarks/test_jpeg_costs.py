import numpy as np
import pytest

from benchmarks.jpeg_costs import row_of
from kaleido_tf.records.photo import RAW, raw_photo, serialize_photo_record


@pytest.fixture
def records():
    """Two photos of coloured noise, the second with the longer text."""
    random = np.random.default_rng(7)
    fields = {"product_id": "P", "image_id": "P_1", "title": "a", "category_id": 0}
    fields |= {"subcategory_id": 0, "image_size": (50, 60), "crop_box": (0, 50, 0, 60)}
    return [
        serialize_photo_record(
            {
                **fields,
                "text": "word " * count,
                "token_ids": [5] * count,
                "photo": raw_photo(random.integers(0, 255, (43, 43, 3))),
            },
            RAW,
        )
        for count in (2, 300)
    ]


def test_fewer_colours_cost_fewer_bytes_and_larger_errors(records):
    size, rms, largest, record, most = row_of(records, 43, 95, "4:4:4")
    half_size, half_rms, half_largest, *_ = row_of(records, 43, 95, "4:2:0")
    assert size > half_size and rms < half_rms and largest < half_largest
    assert 1 < record < most


def test_a_record_is_its_photo_and_what_is_said_of_it(records):
    size, *_, ratio, most = row_of(records[:1], 43, 90, "4:2:2")
    assert ratio == most == 1 + (len(records[0]) - 43 * 43 * 3) / size
