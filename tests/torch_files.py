"""Small files as `torch.save` writes them, without PyTorch: a zip archive of a pickle, written by
hand opcode by opcode, and of the numbers of each storage.
"""

import dataclasses
import struct
import zipfile

import numpy as np

STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


@dataclasses.dataclass(frozen=True)
class Raw:
    """Opcodes, as they are."""

    opcodes: bytes


@dataclasses.dataclass(frozen=True)
class Part:
    """A tensor on the storage `numbers`, which others may share; strides are counted in numbers."""

    numbers: np.ndarray
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    claimed: int | None = None  # numbers that the file says the storage has
    parameter: bool = False


def write_torch_file(
    path, value, compression=zipfile.ZIP_STORED, byteorder="little", name="archive", leave_out=()
) -> None:
    """Writes `value`: dicts, lists, tuples, numbers, strings, arrays, `Part` and `Raw`."""
    storages = {}
    pickle = b"\x80\x02" + _opcodes(value, storages) + b"."
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(f"{name}/data.pkl", pickle)
        if byteorder is not None:
            archive.writestr(f"{name}/byteorder", byteorder)
        for key, numbers in storages.values():
            order = ">" if byteorder == "big" else "<"
            if key not in leave_out:
                content = numbers.astype(numbers.dtype.newbyteorder(order)).tobytes()
                archive.writestr(f"{name}/data/{key}", content)
        archive.writestr(f"{name}/version", "3\n")


def named(module: str, name: str) -> bytes:
    """The opcode that puts what a module calls `name` on the stack."""
    return f"c{module}\n{name}\n".encode()


def called(module: str, name: str, given: bytes) -> bytes:
    """Opcodes that call what a module names with a tuple (its opcodes)."""
    return named(module, name) + given + b"R"


def opcodes(value) -> bytes:
    """Those of a value without tensors."""
    return _opcodes(value, {})


def _opcodes(value, storages) -> bytes:
    if isinstance(value, Raw):
        return value.opcodes
    if isinstance(value, dict):
        pairs = [_opcodes(part, storages) for pair in value.items() for part in pair]
        return called("collections", "OrderedDict", b")") + b"(" + b"".join(pairs) + b"u"
    if isinstance(value, (list, tuple)):
        parts = b"".join(_opcodes(part, storages) for part in value)
        return b"](" + parts + b"e" if isinstance(value, list) else b"(" + parts + b"t"
    if isinstance(value, np.ndarray):
        strides = [
            stride // value.itemsize for stride in np.empty(value.shape, value.dtype).strides
        ]
        return _tensor(Part(value.reshape(-1), value.shape, tuple(strides)), storages)
    return _tensor(value, storages) if isinstance(value, Part) else _plain(value)


def _plain(value) -> bytes:
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if abs(value) < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def _tensor(part: Part, storages) -> bytes:
    key, _ = storages.setdefault(id(part.numbers), (str(len(storages)), part.numbers))
    count = len(part.numbers) if part.claimed is None else part.claimed
    kind = named("torch", STORAGES[part.numbers.dtype.name])
    storage = b"(" + _plain("storage") + kind + opcodes((key, "cpu", count))[1:-1] + b"tQ"
    given = b"(" + storage + opcodes((part.offset, part.shape, part.strides, False))[1:-1]
    given += called("collections", "OrderedDict", b")") + b"t"
    tensor = called("torch._utils", "_rebuild_tensor_v2", given)
    if not part.parameter:
        return tensor
    hooks = b"\x88" + called("collections", "OrderedDict", b")")
    return called("torch._utils", "_rebuild_parameter", b"(" + tensor + hooks + b"t")
