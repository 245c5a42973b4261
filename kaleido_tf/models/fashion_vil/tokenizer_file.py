"""A patch tokenizer on the disk: `config.json` and its weights under the release's names, as
`data_prep.train_vq_tokens` leaves them, or the release's own PyTorch file.
"""

import os
import pathlib

import numpy as np
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import visible_files
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.safetensors_file import SafetensorsFile, write_safetensors
from kaleido_tf.files.torch_file import ENDINGS, TorchFile
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.models.fashion_vil.patch_tokenizer import PatchTokenizer
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from kaleido_tf.models.fashion_vil.tokenizer_names import tokenizer_names

WEIGHTS_NAME = "patch_tokenizer.safetensors"
CONFIG_NAME = "config.json"

_KNOWN_BY = "encoder.conv_in.weight"
_LISTED = 5


def build_tokenizer(config: TokenizerConfig) -> PatchTokenizer:
    """A tokenizer with its first weights."""
    tokenizer = PatchTokenizer(**config.layer_sizes, name="image_tokenizer")
    side = config.image_side
    tokenizer(tf_keras.Input([side, side, 3]))  # makes the weights without any computation
    return tokenizer


def save_tokenizer(
    folder: pathlib.Path, config: TokenizerConfig, tokenizer: PatchTokenizer
) -> None:
    """Writes what `load_tokenizer` reads; the weights last, and each file whole. Raises: InputError
    if the disk refuses.
    """
    write_json(folder / CONFIG_NAME, config.to_dict())
    tensors = {
        name: entry.to_original(entry.variable.numpy())
        for name, entry in tokenizer_names(tokenizer).items()
    }
    write_safetensors(folder / WEIGHTS_NAME, tensors, {"model_type": config.model_type})


def load_tokenizer(
    path: str | os.PathLike, grid: int | None = None, num_codes: int | None = None
) -> PatchTokenizer:
    """A frozen tokenizer.

    Args:
      path: a folder with one file of weights (safetensors, or PyTorch's `.pth` or `.pt`), or such a
        file. The `config.json` beside it says its sizes; without one they are the release's.
      grid: cells a side that the model needs. num_codes: codes that it tells apart. None: any.
    Raises: InputError for a file that is none or does not fit its config, and for a tokenizer of
      another grid or number of codes.
    """
    weights = _find_weights(pathlib.Path(path))
    file = TorchFile(weights) if weights.suffix in ENDINGS else SafetensorsFile(weights)
    config = _read_config(weights.with_name(CONFIG_NAME))
    for name, needed, found in (
        ("cells a side", grid, config.grid),
        ("codes", num_codes, config.num_codes),
    ):
        if needed is not None and needed != found:
            alone = not weights.with_name(CONFIG_NAME).is_file()
            raise InputError(
                f"A patch tokenizer of {needed} {name} is needed. {path} has {found}"
                + (f" (there is no {CONFIG_NAME} beside it: the release's sizes)" if alone else "")
            )
    tokenizer = build_tokenizer(config)
    _fill(tokenizer, file, weights)
    tokenizer.trainable = False
    return tokenizer


def _find_weights(path: pathlib.Path) -> pathlib.Path:
    """The file of weights that `path` is or holds."""
    if path.is_file():
        return path
    endings = (".safetensors", *ENDINGS)
    found = visible_files(path, endings) if path.is_dir() else []
    if len(found) != 1:
        names = ", ".join(os.path.basename(name) for name in found[:_LISTED])
        raise InputError(
            f"A patch tokenizer is needed: a file of weights ({', '.join(endings)}), or a folder"
            f" with one. Received: {path}, "
            + (f"which holds {len(found)} ({names})" if found else "where there is none")
        )
    return pathlib.Path(found[0])


def _read_config(path: pathlib.Path) -> TokenizerConfig:
    if not path.is_file():
        return TokenizerConfig()
    return TokenizerConfig.from_dict(read_json_object(path), str(path))


def _fill(tokenizer: PatchTokenizer, file, path: pathlib.Path) -> None:
    """Gives a tokenizer the weights of a file, whatever stands before their names (the release's
    pre-training model holds them below `model.image_tokenizer.`), all or none.
    """
    prefixes = [
        name.removesuffix(_KNOWN_BY) for name in file.shapes if f".{name}".endswith(f".{_KNOWN_BY}")
    ]
    if len(prefixes) != 1:
        raise InputError(
            f"Weights of one patch tokenizer are needed ({_KNOWN_BY}, …). {path} holds those of"
            f" {len(prefixes)}"
        )
    entries = {prefixes[0] + name: entry for name, entry in tokenizer_names(tokenizer).items()}
    _check_shapes(file, entries)
    arrays = {name: file.read(name) for name in entries}
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise InputError(
            f"{path}: weights must be finite numbers. Received: NaN or infinity in"
            f" {', '.join(broken[:_LISTED])}"
        )
    for name, entry in entries.items():
        entry.variable.assign(entry.to_ours(arrays[name]))
    _tell_unused(path, set(file.shapes) - set(entries))


def _check_shapes(file, entries: dict) -> None:
    wrong = [
        f"{name} needs {list(entry.original_shape)}, found"
        f" {list(file.shapes[name]) if name in file.shapes else 'nothing'}"
        for name, entry in entries.items()
        if file.shapes.get(name) != entry.original_shape
    ]
    if wrong:
        more = f"; and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise InputError(
            f"{file.path} does not fit its {CONFIG_NAME} (without one: the release's sizes):"
            f" {'; '.join(wrong[:_LISTED])}{more}"
        )


def _tell_unused(path: pathlib.Path, names: set[str]) -> None:
    if names:
        first = ", ".join(sorted(names)[:_LISTED])
        print(f"{path}: {len(names)} tensors are no part of a patch tokenizer: {first}, …")
