"""The weights of a text encoder (BERT) in Hugging Face's layout, by the names of Google's BERT, and
back.

Google's names (`bert/encoder/layer_0/attention/self/query/kernel`, …) are those under which models
of any family give their text side (`models/original.py`); nothing here knows a family. A dense
layer is [out, in] in the layout and [in, out] under Google's names.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from kaleido_tf.compat.checkpoints.text_encoder_config import read_text_encoder_config
from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.safetensors_file import SafetensorsFile
from kaleido_tf.files.sharded_safetensors import INDEX, ShardedSafetensors

PREFIX = "bert."
"""What names begin with where a head was saved with the encoder; without one most have none."""
DECODER = "cls.predictions.decoder.weight"
_OPTIONAL = ("pooler.", "cls.predictions.")
"""Parts that a file may lack as a whole."""
_LISTED = 5


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of the layout.

    Attributes: names: it goes by there, without `PREFIX`; the first is written, all are read.
      shape: there. transposed: whether it is the other way round under Google's name.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    transposed: bool = False

    def turned(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape there under Google's name, or back."""
        return shape[::-1] if self.transposed else shape


def layout_of(sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """Google's name -> tensor, of an encoder of `sizes` (as `read_text_encoder_config`) with pooler
    and masked-language head.
    """
    hidden, vocabulary = sizes["hidden_size"], sizes["vocab_size"]
    tables = {
        "word_embeddings": vocabulary,
        "position_embeddings": sizes["max_position_embeddings"],
        "token_type_embeddings": sizes["type_vocab_size"],
    }
    bias = ("cls.predictions.bias", "cls.predictions.decoder.bias")
    return {
        **{
            f"bert/embeddings/{name}": Tensor((f"embeddings.{name}.weight",), (rows, hidden))
            for name, rows in tables.items()
        },
        **_layer_norm("bert/embeddings/LayerNorm", hidden),
        **_blocks(sizes["num_hidden_layers"], hidden, sizes["intermediate_size"]),
        **_dense("bert/pooler/dense", hidden, hidden),
        **_dense("cls/predictions/transform/dense", hidden, hidden),
        **_layer_norm("cls/predictions/transform/LayerNorm", hidden),
        "cls/predictions/output_bias": Tensor(bias, (vocabulary,)),
    }


def _blocks(count: int, hidden: int, inner: int) -> dict[str, Tensor]:
    tensors = {}
    for number in range(count):
        scope = f"bert/encoder/layer_{number}"
        for part in ("self/query", "self/key", "self/value", "output/dense"):
            tensors |= _dense(f"{scope}/attention/{part}", hidden, hidden)
        tensors |= _layer_norm(f"{scope}/attention/output/LayerNorm", hidden)
        tensors |= _dense(f"{scope}/intermediate/dense", hidden, inner)
        tensors |= _dense(f"{scope}/output/dense", inner, hidden)
        tensors |= _layer_norm(f"{scope}/output/LayerNorm", hidden)
    return tensors


def _dense(scope: str, inputs: int, outputs: int) -> dict[str, Tensor]:
    theirs = _module(scope)
    return {
        f"{scope}/kernel": Tensor((f"{theirs}.weight",), (outputs, inputs), transposed=True),
        f"{scope}/bias": Tensor((f"{theirs}.bias",), (outputs,)),
    }


def _layer_norm(scope: str, size: int) -> dict[str, Tensor]:
    """Files that were made of TF1 checkpoints keep gamma and beta in their names."""
    theirs = _module(scope)
    return {
        f"{scope}/gamma": Tensor((f"{theirs}.weight", f"{theirs}.gamma"), (size,)),
        f"{scope}/beta": Tensor((f"{theirs}.bias", f"{theirs}.beta"), (size,)),
    }


def _module(scope: str) -> str:
    return scope.removeprefix("bert/").replace("layer_", "layer.").replace("/", ".")


def is_text_encoder(path: str | os.PathLike) -> bool:
    """Whether a safetensors file or index is in the layout, by the dots in its names: those of
    Google and of the originals have slashes.
    """
    if str(path).endswith(INDEX):
        return True
    names = SafetensorsFile(path).shapes
    return any("." in name for name in names) and not any("/" in name for name in names)


class TextEncoder:
    """An encoder to read from, held against its config.json.

    Attributes: path; `sizes` (`read_text_encoder_config`); `shapes` {Google's name: tuple};
      `unused`: names there of what is no part of the encoder (buffers, other heads).
    Raises: InputError for a config or files that cannot be used, and for tensors that are missing,
      of another shape than the config says, or no floats.
    """

    def __init__(self, path: str | os.PathLike):
        """Args: path: of a .safetensors file or an index of several; config.json is beside it."""
        self.path = str(path)
        self.sizes = read_text_encoder_config(pathlib.Path(path).with_name("config.json"))
        _check_uncased(pathlib.Path(path).with_name("tokenizer_config.json"))
        sharded = self.path.endswith(INDEX)
        self._file = ShardedSafetensors(path) if sharded else SafetensorsFile(path)
        there = {name.removeprefix(PREFIX): name for name in self._file.shapes}
        self._layout = layout_of(self.sizes)
        self._names = {
            name: there[theirs]
            for name, tensor in self._layout.items()
            if (theirs := next((n for n in tensor.names if n in there), None)) is not None
        }
        shapes = {theirs: self._file.shapes[name] for theirs, name in there.items()}
        check_fit(self.path, self.sizes, shapes)
        self._check_floats()
        used = {*self._names.values(), *self._tied_decoder(there)}
        self.unused = tuple(sorted(set(self._file.shapes) - used))
        self.shapes = {
            name: self._layout[name].turned(self._file.shapes[their])
            for name, their in self._names.items()
        }

    def read(self, name: str) -> np.ndarray:
        """One tensor by Google's name, float32. Raises: InputError if there is none."""
        if name not in self._names:
            raise InputError(f"{self.path} holds no {name}")
        array = self._file.read(self._names[name])
        if not np.isfinite(array).all():
            raise InputError(f"{self.path}: {self._names[name]} must hold finite numbers only")
        return array.T if self._layout[name].transposed else array

    def _check_floats(self) -> None:
        kinds = {name: self._file.dtypes[name] for name in self._names.values()}
        others = [f"{name} ({np.dtype(k).name})" for name, k in kinds.items() if k != np.float32]
        if others:
            raise InputError(
                f"{self.path}: weights must be floats; quantised ones are not read. Received:"
                f" {', '.join(others[:_LISTED])}"
            )

    def _tied_decoder(self, there: Mapping[str, str]) -> list[str]:
        """The head's decoder where the file repeats it. Raises: InputError for one of its own."""
        if DECODER not in there or "cls/predictions/output_bias" not in self._names:
            return []
        words = self.read("bert/embeddings/word_embeddings")
        if not np.array_equal(words, self._file.read(there[DECODER])):
            raise InputError(
                f"{self.path}: {there[DECODER]} must be the word embeddings, with which the"
                " masked-language head decodes here. Received: other weights"
            )
        return [there[DECODER]]


def _check_uncased(path: pathlib.Path) -> None:
    """Raises: InputError for an encoder of cased texts; ours are lower-cased."""
    if path.is_file() and read_json_object(path).get("do_lower_case") is False:
        raise InputError(
            f"{path}: a text encoder of lower-cased texts is needed (`do_lower_case` true)."
            " Received: a cased one"
        )


def read_text_encoder(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """All weights of the encoder at `path` (as `TextEncoder`) by Google's names."""
    encoder = TextEncoder(path)
    return {name: encoder.read(name) for name in encoder.shapes}


def to_layout(
    path: str,
    sizes: Mapping[str, int],
    tensors: Mapping[str, Callable[[], np.ndarray]],
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, Callable[[], np.ndarray]]:
    """Weights by Google's names as the layout's tensors, with `PREFIX`; what else `tensors` holds
    is left out.

    Args: path: of what they come from, for messages. shapes: of `tensors`.
    Raises: InputError for weights that are missing or do not have `sizes`.
    """
    layout = {name: tensor for name, tensor in layout_of(sizes).items() if name in tensors}
    check_fit(path, sizes, {t.names[0]: t.turned(shapes[name]) for name, t in layout.items()})
    return {
        _saved(tensor.names[0]): lambda name=name, tensor=tensor: (
            tensors[name]().T if tensor.transposed else tensors[name]()
        )
        for name, tensor in layout.items()
    }


def _saved(name: str) -> str:
    return name if name.startswith("cls.") else PREFIX + name


def check_fit(path: str, sizes: Mapping[str, int], found: Mapping[str, tuple[int, ...]]) -> None:
    """Holds the shapes that were `found`, by names of the layout without `PREFIX`, against `sizes`.

    Raises: InputError naming what is missing, of another shape, or of a block too many.
    """
    missing, wrong = [], []
    for tensor in layout_of(sizes).values():
        name = next((name for name in tensor.names if name in found), None)
        if name is None and _is_needed(tensor.names[0], found):
            missing.append(tensor.names[0])
        elif name is not None and found[name] != tensor.shape:
            wrong.append(f"{name} needs {list(tensor.shape)}, found {list(found[name])}")
    further = f"encoder.layer.{sizes['num_hidden_layers']}."
    more = [name for name in found if name.startswith(further)]
    if missing or wrong or more:
        raise InputError(
            f"{path} does not have the sizes of its config.json. Not found: {_some(missing)}. Of"
            f" another shape: {_some(wrong)}. Of more blocks than `num_hidden_layers`"
            f" {sizes['num_hidden_layers']}: {_some(more)}"
        )


def _is_needed(name: str, found: Mapping[str, tuple[int, ...]]) -> bool:
    part = next((part for part in _OPTIONAL if name.startswith(part)), "")
    return any(other.startswith(part) for other in found if other != DECODER) if part else True


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > _LISTED else ""
    return f"{len(names)}" + (f" ({', '.join(names[:_LISTED])}{more})" if names else "")
