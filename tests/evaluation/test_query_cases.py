"""What a result file says of single queries."""

import numpy as np

from kaleido_tf.evaluation.query_cases import QueryCase, Side, query_cases
from kaleido_tf.evaluation.result_files import read_result_file, write_result_file

# Text, image, label, match logit: of A the right text is second, behind C and level with B; D has
# no right one; of E there is no other.
PAIRS = [
    ("B", "A", 0, 1.0),
    ("A", "A", 1, 1.0),
    ("C", "D", 0, 3.0),
    ("C", "A", 0, 2.5),
    ("E", "E", 1, -4.0),
]


def results(tmp_path):
    texts, images, labels, scores = zip(*PAIRS)
    photos = [f"{image}_1" for image in images]
    logits = np.stack([np.full(5, 7.0), scores], axis=1)
    write_result_file(tmp_path / "found.txt", texts, images, photos, labels, logits, 2)
    return read_result_file(tmp_path / "found.txt")


def test_texts_of_photos(tmp_path):
    assert query_cases(results(tmp_path), "img2txt") == [
        QueryCase("img2txt", Side("A", "A_1"), Side("A"), Side("C"), 2.5, 3, -1.5),
        QueryCase("img2txt", Side("E", "E_1"), Side("E"), None, 1.0, 1, 0.0),
    ]


def test_photos_of_texts(tmp_path):
    assert query_cases(results(tmp_path), "txt2img") == [
        QueryCase("txt2img", Side("A"), Side("A", "A_1"), None, 1.0, 1, 0.0),
        QueryCase("txt2img", Side("E"), Side("E", "E_1"), None, 1.0, 1, 0.0),
    ]
