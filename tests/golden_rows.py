"""The golden data files of the original's reader, as kept in csv_bundle of the golden files."""

import json

import numpy as np

from kaleido_tf.compat.rows.input_schema import Column, parse_schema
from tests.golden_files import golden_folder

FOLDER = golden_folder() / "csv_bundle"
SETS = json.loads((FOLDER / "schemas.json").read_text())


def list_file(name: str) -> str:
    return str(FOLDER / f"{name}.list_csv")


def schema(name: str) -> tuple[Column, ...]:
    return parse_schema(SETS[name]["input_schema"])


def decoded(name: str) -> dict[str, np.ndarray]:
    """What the original read; texts as Python strings."""
    file = "edge_ok" if name == "list_with_count" else name  # the same file behind another list
    with np.load(FOLDER / f"{file}_decoded.npz") as arrays:
        return {
            key: arrays[key].astype(object) if arrays[key].dtype.kind == "U" else arrays[key]
            for key in arrays
        }


def assert_same(
    found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], rows=slice(None)
) -> None:
    """Names, types, shapes and every value."""
    assert set(found) == set(wanted)
    for name, array in found.items():
        assert array.dtype == wanted[name].dtype, name
        np.testing.assert_array_equal(array, wanted[name][rows], err_msg=name)
