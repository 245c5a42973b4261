"""Records with random features, for benchmarks that need the size of real ones and not their
content.
"""

import numpy as np

from kaleido_tf import patches


def drawn_fields(number: int, size: int) -> dict:
    """A record's fields (see kaleido_tf/records/record.py) with random features of `size` floats a
    patch.
    """
    generator = np.random.default_rng(number)

    def features(rows):  # average-pool features: not negative, many near zero
        return np.maximum(generator.normal(0.3, 0.6, [rows, size]), 0).astype(np.float16)

    return {
        "product_id": f"P{number}",
        "image_id": f"P{number}_1",
        "text": "a text",
        "title": "a title",
        "category_id": 1,
        "subcategory_id": 2,
        "image_size": [256, 256],
        "crop_box": [0, 256, 0, 256],
        "patch_boxes": patches.kaleido_boxes(256, 256),
        "token_ids": list(range(1000, 1030)),
        "patch_features": features(55),
        "rotated_features": features(3),
        "grey_features": features(16),
    }
