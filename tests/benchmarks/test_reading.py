"""The comparison of reading, without PyTorch: the same products in every form, in a small size."""

import io
import pathlib
import tarfile

import numpy as np
import pytest
import safetensors.numpy

from benchmarks.reading import comparison, forms

PRODUCTS, SIZE = 7, 11


class Shards:
    """Stands for the process of a DataLoader: reads the shards with NumPy."""

    def __init__(self, module, flags):
        assert module == comparison.MODULE
        self.form, self.folder = flags["form"], pathlib.Path(flags["folder"])

    def ask(self, request):
        if request == "values":
            read = {"safetensors": read_safetensors, "webdataset": read_tars}[self.form]
            products = read(sorted(self.folder.glob(f"{self.form}-*")))
            values = [products[number] for number in range(PRODUCTS)]
            np.save(self.folder / f"{self.form}.npy", np.stack(values))
        return {"seconds": 2.0}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def read_safetensors(paths):
    found = {}
    for path in paths:
        arrays = safetensors.numpy.load_file(path)
        found |= zip(arrays["number"].tolist(), arrays["patch_features"])
    return found


def read_tars(paths):
    found = {}
    for path in paths:
        with tarfile.open(path) as tar:
            arrays = {m.name: np.load(io.BytesIO(tar.extractfile(m).read())) for m in tar}
        for name, array in arrays.items():
            product, field, _ = name.split(".")
            if field == "patch_features":
                found[int(arrays[f"{product}.number.npy"])] = array
    return found


@pytest.fixture(scope="module")
def rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "Process", Shards)
        return comparison.compare(PRODUCTS, SIZE, batch=3, turns=2)


def test_every_side_reads_the_same_products(rows):
    assert [row["side"] for row in rows] == list(comparison.FORMS)
    found = {row["side"]: row for row in rows}
    assert found["PyTorch, safetensors"]["per_second"] == PRODUCTS / 2
    assert all(row["per_second"] > 0 for row in rows)
    halves = found["records, float16"]["kilobytes"], found["records, int8"]["kilobytes"]
    assert 1000 * halves[0] > 74 * SIZE * 2 and halves[1] < halves[0]
    assert {row["numbers"] for row in rows if "rows" in row["side"]} == {"float32"}
    assert len(comparison.table(rows)) == 1 + len(rows)


def test_a_side_that_reads_other_features_is_not_timed(monkeypatch):
    monkeypatch.setattr(comparison, "Process", Shards)
    drawn = forms.drawn_contents

    def changed(folder, contents):
        other = [
            {**fields, "patch_features": fields["patch_features"][::-1]} for fields in contents
        ]
        return write(folder, other)

    write = forms.write_forms
    monkeypatch.setattr(forms, "write_forms", changed)
    assert drawn(1, SIZE)[0]["patch_features"].shape == (55, SIZE)
    with pytest.raises(SystemExit, match="records, float16: other features"):
        comparison.compare(PRODUCTS, SIZE, batch=3, turns=1)


def test_a_row_has_the_columns_of_the_release():
    schema = {c.name: c.values for c in forms.schema_of(forms.drawn_contents(1, 2048))}
    assert sum(schema.values()) == 117298
    assert schema["img_feature_convert_camouflage"] == 9 * 2048
    assert schema["img_loc_position_blank_mask"] == 25 * 5
