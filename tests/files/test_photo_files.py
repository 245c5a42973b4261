import pytest

from kaleido_tf.files.photo_files import find_photo


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "w").mkdir()
    for name in ("a.jpg", "a.png", "b.png", "w/v1.2.jpeg", "plain"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a", "a.jpg"),
        ("a.png", "a.png"),
        ("a.jpeg", "a.jpg"),
        ("b.jpg", "b.png"),
        ("w/v1.2", "w/v1.2.jpeg"),
        ("w/v1.2.jpg", "w/v1.2.jpeg"),
        ("c.jpg", None),
        ("plain", None),
        ("w", None),
    ],
)
def test_a_photo_by_its_name(folder, name, file):
    assert find_photo(folder, name) == (file and str(folder / file))
