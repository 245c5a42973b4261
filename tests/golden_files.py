"""Where the golden files of the original lie, and what they say of their own sizes.

The folder is tests/golden (see its README.md), or `KALEIDO_GOLDEN_DIR`: any other files of the same
form. Names and sizes are read there, so that no test has to know them.
"""

import functools
import json
import math
import os
import pathlib

import numpy as np
import pytest

VARIABLE = "KALEIDO_GOLDEN_DIR"
FAMILIES_NEEDED = ("kaleidobert_tiny", "fashionbert_tiny")


@functools.cache
def golden_folder() -> pathlib.Path:
    """Raises: pytest.UsageError if the folder, or that of a family's model in it, is missing."""
    default = pathlib.Path(__file__).parent / "golden"
    folder = pathlib.Path(os.environ.get(VARIABLE) or default).absolute()
    for needed in (folder, *(folder / name for name in FAMILIES_NEEDED)):
        if not needed.is_dir():
            raise pytest.UsageError(
                f"{VARIABLE} must name a folder of golden files as in tests/golden/README.md."
                f" Not found: {needed}"
            )
    return folder


def mvlt() -> pathlib.Path:
    """Files of MVLT: those of the repository where the folder has none of this family."""
    return _of_family("mvlt_tiny")


def fashion_vil() -> pathlib.Path:
    """Files of FashionViL: those of the repository where the folder has none of this family."""
    return _of_family("fashionvil_tiny")


def _of_family(name: str) -> pathlib.Path:
    named = golden_folder() / name
    return named if named.is_dir() else pathlib.Path(__file__).parent / "golden" / name


def models_in(name: str, file: str = "config.json") -> list[pathlib.Path]:
    """The folders below `name` that hold `file`, by name."""
    return sorted(path.parent for path in (golden_folder() / name).glob(f"*/{file}"))


def kaleido_bert() -> pathlib.Path:
    """The Kaleido-BERT that has a vocabulary: every other golden file belongs to it."""
    return models_in("kaleidobert_tiny", "vocab.txt")[0]


def recognition() -> pathlib.Path:
    """The fine-tuned model; its meta.json names the task and the classes."""
    return models_in("finetune", "meta.json")[0]


def predictions(family: str) -> pathlib.Path:
    """Result files of the original's predict mode for "kaleidobert" or "fashionbert"."""
    (folder,) = (golden_folder() / "prediction_analysis").glob(f"e2e_{family}*")
    return folder


def training_checkpoint() -> str:
    """Prefix of a checkpoint with the optimizer's slots."""
    return checkpoint_in(
        next(path.parent for path in (golden_folder()).glob("optimizer/*/*.index"))
    )


def checkpoint_in(folder: pathlib.Path) -> str:
    """Prefix of the one TF1 checkpoint in `folder`."""
    (index,) = pathlib.Path(folder).glob("*.index")
    return str(index.with_suffix(""))


def checkpoint_step(prefix: str) -> int:
    """The step in a checkpoint's name (…/model.ckpt-N)."""
    return int(str(prefix).rsplit("-", 1)[1])


def read_json(path: pathlib.Path):
    return json.loads(pathlib.Path(path).read_text())


def variable_shapes(folder: pathlib.Path) -> dict[str, tuple[int, ...]]:
    """{name: shape} of the model's variables, without the step counter."""
    entries = read_json(folder / "variables.json")
    shapes = {entry["name"]: tuple(entry["shape"]) for entry in entries}
    shapes.pop("global_step", None)
    return shapes


def variable_bytes(folder: pathlib.Path) -> int:
    """Bytes of all weights of the model (float32)."""
    return sum(4 * math.prod(shape) for shape in variable_shapes(folder).values())


def columns(bundle: str) -> dict[str, np.ndarray]:
    """What the original's reader made of the rows of a bundle."""
    with np.load(golden_folder() / "csv_bundle" / f"{bundle}_decoded.npz") as arrays:
        return dict(arrays)
