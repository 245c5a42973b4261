"""What a PyTorch file says about its tensors: the pickle in it, read as data.

A pickle is a program for a small stack machine, and unpickling runs it, with whatever functions it
names. Here the opcodes that build plain values are followed one after the other; what it names is
looked up in the closed lists below, none of which is ever imported or called.
"""

import dataclasses
import io
import pickletools
from collections.abc import Callable

from kaleido_tf.errors import InputError

BFLOAT16 = "bfloat16"
STORAGES = {  # in the file: NumPy's name of the type, but for bfloat16
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": BFLOAT16,
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}
_TENSOR = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_DICT = "collections.OrderedDict"
_LEFT_UNREAD = {
    "_codecs.encode",
    "argparse.Namespace",
    "collections.Counter",
    "collections.defaultdict",
    "mmcv.utils.config.ConfigDict",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "torch.Size",
    "torch.device",
}
"""What training scripts keep beside their weights: read over, so that it does not stand in the way
of the weights, and no value comes of it.
"""
_KNOWN = {*STORAGES, _TENSOR, _PARAMETER, _DICT, *_LEFT_UNREAD}
_LARGEST_RANK = 16


@dataclasses.dataclass(frozen=True)
class StoredTensor:
    """Where a tensor's numbers lie: `shape` and `strides` count numbers from `offset` on in the
    storage `key`, which holds `numbers` of the type `kind` (a value of `STORAGES`).
    """

    kind: str
    key: str
    numbers: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Unread:
    """A thing of `_LEFT_UNREAD`."""

    name: str


@dataclasses.dataclass(frozen=True)
class _Name:
    """One of `_KNOWN`, before it is used."""

    name: str


@dataclasses.dataclass(frozen=True)
class _Storage:
    kind: str
    key: str
    numbers: int


_MARK = object()


def read_values(pickle: bytes, source: str):
    """The value that a pickle describes: dicts, lists, tuples, numbers, strings, None,
    `StoredTensor` and `Unread`.

    Args: source: its file, for messages.
    Raises: InputError naming the opcode or the name that is not read, and the byte it stands at;
      and for a pickle that is cut short or makes no sense.
    """
    reader, at = _Reader(source), 0
    try:
        for opcode, argument, at in pickletools.genops(io.BytesIO(pickle)):
            if opcode.name == "STOP":
                return reader.pop()
            reader.follow(opcode.name, argument, at)
    except InputError:
        raise
    except (ValueError, IndexError, TypeError, KeyError) as error:
        raise InputError(
            f"A PyTorch file with a sound pickle is needed. That of {source} breaks off or makes no"
            f" sense after byte {at}: {str(error)[:120] or type(error).__name__}"
        ) from error
    raise InputError(f"A PyTorch file with a sound pickle is needed. That of {source} has no end")


class _Reader:
    """The stack machine, without the part that calls anything."""

    def __init__(self, source: str):
        self.source, self.at = source, 0
        self.stack, self.memo = [], {}

    def follow(self, opcode: str, argument, at: int) -> None:
        """Does what an opcode says."""
        self.at = at
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode])
        elif opcode in _VALUES:
            self.stack.append(argument)
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        elif opcode not in _NOTHING_TO_DO:
            self.refuse(f"the opcode {opcode}")

    def refuse(self, what: str) -> None:
        """Raises: InputError, always."""
        raise InputError(
            f"A PyTorch file of tensors, dicts, lists, numbers and strings is needed, which is read"
            f" without running anything. {self.source} asks for {what} at byte {self.at} of its"
            " pickle. In an environment with PyTorch, and only for a file that you trust,"
            ' torch.save(torch.load(FILE, weights_only=False)["model"], NEW) leaves the weights'
            " alone"
        )

    def pop(self):
        """The topmost value. Raises: ValueError where there is none."""
        if not self.stack or self.stack[-1] is _MARK:
            raise ValueError("a value is missing")
        return self.stack.pop()

    def down_to_mark(self) -> list:
        """What stands above the last mark, which goes, too."""
        values = []
        while self.stack and self.stack[-1] is not _MARK:
            values.append(self.stack.pop())
        if not self.stack:
            raise ValueError("a mark is missing")
        self.stack.pop()
        return values[::-1]

    def take(self, count: int) -> tuple:
        """The `count` topmost values, in order."""
        return tuple([self.pop() for _ in range(count)][::-1])

    def name(self, module: str, name: str) -> None:
        """Looks up what the pickle names."""
        known = f"{module}.{name}"
        if known not in _KNOWN:
            self.refuse(f"`{known[:80]}`")
        self.stack.append(_Name(known))

    def extend(self, values: list) -> None:
        """Adds to the list on top."""
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(values)
        elif not isinstance(self.stack[-1], Unread):
            self.refuse("values added to what is no list")

    def update(self, values: list) -> None:
        """Adds keys and values to the dict on top."""
        if isinstance(self.stack[-1], Unread):
            return
        if not isinstance(self.stack[-1], dict) or len(values) % 2:
            self.refuse("keys added to what is no dict")
        for key, value in zip(values[::2], values[1::2]):
            # Others would be hashed, and nested ones without end.
            if not isinstance(key, (str, int, float, type(None))):
                self.refuse(f"a key that is a {type(key).__name__}")
            self.stack[-1][key] = value

    def make(self) -> None:
        """What a call (REDUCE) or a new object (NEWOBJ) stands for."""
        called, given = self.take(2)
        if not isinstance(called, _Name) or not isinstance(given, tuple):
            self.refuse("a call of what is no name")
        if called.name in _LEFT_UNREAD:
            self.stack.append(Unread(called.name))
        elif called.name == _DICT and not given:
            self.stack.append({})
        elif called.name == _TENSOR and len(given) in (6, 7):
            self.stack.append(self.tensor(*given[:4]))
        elif called.name == _PARAMETER and given and isinstance(given[0], StoredTensor):
            self.stack.append(given[0])
        else:
            self.refuse(f"a call of {called.name} with {len(given)} values")

    def tensor(self, storage, offset, shape, strides) -> StoredTensor:
        """Raises: InputError for one that is none, or that reaches beyond its storage."""
        counts = [offset, *(shape or ()), *(strides or ())]
        whole = isinstance(shape, tuple) and isinstance(strides, tuple)
        if not whole or not isinstance(storage, _Storage) or not all(map(_is_count, counts)):
            self.refuse("a tensor without a storage, an offset, a shape and strides")
        if len(shape) != len(strides) or len(shape) > _LARGEST_RANK:
            self.refuse(f"a tensor of {len(shape)} dimensions and {len(strides)} strides")
        size, last = 1, offset
        for side, stride in zip(shape, strides):
            size, last = size * side, last + (side - 1) * stride
        if size and (last >= storage.numbers or size > storage.numbers):
            self.refuse(
                f"a tensor of {size} numbers up to number {last} of a storage of {storage.numbers}"
            )
        return StoredTensor(storage.kind, storage.key, storage.numbers, offset, shape, strides)

    def storage(self) -> None:
        """A storage by ("storage", type, key, device, numbers)."""
        given = self.pop()
        if not isinstance(given, tuple) or len(given) != 5 or given[0] != "storage":
            self.refuse("a persistent id that is no storage")
        _, kind, key, _, numbers = given
        if not isinstance(kind, _Name) or kind.name not in STORAGES:
            self.refuse("a storage of another type than " + ", ".join(STORAGES))
        if not isinstance(key, str) or not _is_count(numbers):
            self.refuse("a storage without a key and a size")
        self.stack.append(_Storage(STORAGES[kind.name], key, numbers))

    def set_state(self) -> None:
        """Attributes of an object (BUILD), which are left unread."""
        _, _ = self.pop(), self.stack[-1]
        if not isinstance(self.stack[-1], (dict, Unread)):
            self.refuse(f"attributes for a {type(self.stack[-1]).__name__}")


def _is_count(value) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _remember(reader: _Reader, place: int | None) -> None:
    reader.memo[len(reader.memo) if place is None else place] = reader.stack[-1]


def _named_on_stack(reader: _Reader, _) -> None:
    module, name = reader.take(2)
    if not isinstance(module, str) or not isinstance(name, str):
        reader.refuse("a name that is no string")
    reader.name(module, name)


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK, "EMPTY_TUPLE": ()}
_VALUES = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "LONG4",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
}
_NOTHING_TO_DO = {"PROTO", "FRAME"}
_STEPS: dict[str, Callable] = {
    "EMPTY_DICT": lambda reader, _: reader.stack.append({}),
    "EMPTY_LIST": lambda reader, _: reader.stack.append([]),
    "TUPLE": lambda reader, _: reader.stack.append(tuple(reader.down_to_mark())),
    **{
        f"TUPLE{count}": lambda reader, _, count=count: reader.stack.append(reader.take(count))
        for count in (1, 2, 3)
    },
    "APPEND": lambda reader, _: reader.extend([reader.pop()]),
    "APPENDS": lambda reader, _: reader.extend(reader.down_to_mark()),
    "SETITEM": lambda reader, _: reader.update(list(reader.take(2))),
    "SETITEMS": lambda reader, _: reader.update(reader.down_to_mark()),
    "BINPUT": _remember,
    "LONG_BINPUT": _remember,
    "MEMOIZE": _remember,
    "BINGET": lambda reader, place: reader.stack.append(reader.memo[place]),
    "LONG_BINGET": lambda reader, place: reader.stack.append(reader.memo[place]),
    "GLOBAL": lambda reader, names: reader.name(*names.split(" ", 1)),
    "STACK_GLOBAL": _named_on_stack,
    "REDUCE": lambda reader, _: reader.make(),
    "NEWOBJ": lambda reader, _: reader.make(),
    "BINPERSID": lambda reader, _: reader.storage(),
    "BUILD": lambda reader, _: reader.set_state(),
}
