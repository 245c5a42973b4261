import os
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.torch_file import TorchFile
from kaleido_tf.files.torch_opcodes import read_values
from tests.torch_files import STORAGES, Part, Raw, called, named, opcodes, write_torch_file

WEIGHTS = {
    "block.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "block.bias": np.array([-1.5, 2.0], np.float32),
    "count": np.array(7, np.int64),
}
TRACE = "made_by_a_file"
"""The file that the evil ones would leave."""


def evil(call: str) -> bytes:
    """A tuple of one command, for a function that runs one."""
    return opcodes((call,))


def file_of(folder, value, **kwargs):
    write_torch_file(folder / "m.pth", value, **kwargs)
    return TorchFile(folder / "m.pth")


def refusal(folder, value, **kwargs) -> str:
    with pytest.raises(InputError) as refused:
        file = file_of(folder, value, **kwargs)
        for name in file.shapes:
            file.read(name)
    assert "m.pth" in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("byteorder", ["little", "big", None])
def test_tensors_come_back_by_name(tmp_path, compression, byteorder):
    file = file_of(tmp_path, WEIGHTS, compression=compression, byteorder=byteorder)
    assert file.path == str(tmp_path / "m.pth") and file.taken == "the whole file"
    assert file.shapes == {name: array.shape for name, array in WEIGHTS.items()}
    assert file.dtypes["count"] == np.int64
    for name, array in WEIGHTS.items():
        read = file.read(name)
        np.testing.assert_array_equal(read, array)
        assert read.dtype == array.dtype and read.flags.writeable
    with pytest.raises(InputError, match="holds no other"):
        file.read("other")


@pytest.mark.parametrize("kind", STORAGES)
def test_every_type_of_number(tmp_path, kind):
    dtype = np.dtype(getattr(ml_dtypes, kind, None) or kind)
    array = np.array([[0, 1, 3]]).astype(dtype)
    read = file_of(tmp_path, {"x": array}).read("x")
    floats = kind.endswith(("float64", "float32", "float16"))
    assert read.dtype == (np.float32 if floats else dtype)
    np.testing.assert_array_equal(read, array.astype(read.dtype))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_parts_of_a_storage_and_tied_weights(tmp_path, compression):
    shared = np.arange(24, dtype=np.float32)
    value = {
        "words": Part(shared, (4, 3), (3, 1), parameter=True),
        "decoder": Part(shared, (4, 3), (3, 1)),
        "turned": Part(shared, (3, 4), (1, 3), offset=12),
        "every_second": Part(shared, (3,), (2,), offset=1),
        "nothing": Part(shared, (0, 5), (5, 1), offset=24),
    }
    file = file_of(tmp_path, value, compression=compression)
    table = shared[:12].reshape(4, 3)
    np.testing.assert_array_equal(file.read("words"), table)
    np.testing.assert_array_equal(file.read("decoder"), table)
    np.testing.assert_array_equal(file.read("turned"), table.T + 12)
    np.testing.assert_array_equal(file.read("every_second"), [1, 3, 5])
    assert file.read("nothing").shape == (0, 5)


@pytest.mark.parametrize("entry", ["model", "state_dict"])
def test_weights_of_a_training_run(tmp_path, entry):
    """What the release of MVLT saves: settings, and the optimizer's own tensors."""
    namespace = named("argparse", "Namespace") + b")\x81" + opcodes({"lr": 2.5e-4})[:-1] + b"ub"
    scalar = called("numpy.core.multiarray", "scalar", evil("f8"))
    optimizer = {"state": {0: {"step": 3, "exp_avg": np.ones(3, np.float32)}}, "groups": [(1, 2)]}
    value = {
        "epoch": 149,
        "best": np.zeros(1, np.float32),
        "args": Raw(namespace),
        "optimizer": optimizer,
        "scheduler": {"rate": Raw(scalar), "last": None, "big": 2**40},
        entry: WEIGHTS,
    }
    file = file_of(tmp_path, value)
    assert file.taken == f"its entry `{entry}`"
    assert set(file.shapes) == set(WEIGHTS) and file.others == ()
    np.testing.assert_array_equal(file.read("block.bias"), WEIGHTS["block.bias"])


def test_values_beside_tensors_are_named(tmp_path):
    attributes = Raw(opcodes({"_metadata": 3}) + b"b")
    file = file_of(tmp_path, {"extra": "state", **WEIGHTS, "more": [1, 2.5, True]})
    assert file.others == ("extra", "more")
    whole = called("collections", "OrderedDict", b")") + attributes.opcodes + b"."
    assert read_values(b"\x80\x02" + whole, "m.pth") == {}  # attributes of a dict are left unread


SHELL = evil(f"touch {TRACE}")
CODE = evil(f"open('{TRACE}', 'w')")
EVIL = {
    "REDUCE": (called("os", "system", SHELL), "`os.system`"),
    "REDUCE of posix": (called("posix", "system", SHELL), "`posix.system`"),
    "REDUCE of eval": (called("builtins", "eval", CODE), "`builtins.eval`"),
    "REDUCE of exec": (called("__builtin__", "exec", CODE), "`__builtin__.exec`"),
    "GLOBAL": (named("torch", "load"), "`torch.load`"),
    "dotted GLOBAL": (
        named("collections", "OrderedDict.fromkeys"),
        "`collections.OrderedDict.from",
    ),
    "STACK_GLOBAL": (opcodes("os") + opcodes("system") + b"\x93" + SHELL + b"R", "`os.system`"),
    "INST": (b"(" + SHELL[1:-1] + b"ios\nsystem\n", "the opcode INST"),
    "OBJ": (b"(" + named("argparse", "Namespace") + b"o", "the opcode OBJ"),
    "NEWOBJ": (named("subprocess", "Popen") + SHELL + b"\x81", "`subprocess.Popen`"),
    "NEWOBJ_EX": (named("argparse", "Namespace") + b")}\x92", "the opcode NEWOBJ_EX"),
    "EXT": (b"\x82\x01", "the opcode EXT1"),
    "PERSID": (b"P0\n", "the opcode PERSID"),
    "BINPERSID of a string": (opcodes("0") + b"Q", "a persistent id that is no storage"),
    "BINPERSID of a type": (
        opcodes(("storage", Raw(named("argparse", "Namespace")), "0", "cpu", 3)) + b"Q",
        "a storage of another type",
    ),
    "BUILD of a string": (opcodes("x") + opcodes({"__class__": 1}) + b"b", "attributes for a str"),
    "a call of a tensor's name": (
        called("torch._utils", "_rebuild_tensor_v2", evil("x")),
        "a call of torch._utils._rebuild_tensor_v2 with 1 values",
    ),
    "a call of a type": (called("torch", "FloatStorage", b")"), "a call of torch.FloatStorage"),
    "a call of a call": (opcodes("x") + b")R", "a call of what is no name"),
    "a tuple as key": (b"}" + opcodes((1, 2)) + b"Ns", "a key that is a tuple"),
    "BYTEARRAY8": (b"\x96" + struct.pack("<Q", 0), "the opcode BYTEARRAY8"),
    "DUP": (b"N2", "the opcode DUP"),
}


@pytest.mark.parametrize("name", EVIL)
def test_what_would_run_is_refused_and_does_not(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content, named_so = EVIL[name]
    for value in ({**WEIGHTS, "x": Raw(content)}, {"model": WEIGHTS, "args": Raw(content)}):
        message = refusal(tmp_path, value)
        assert named_so in message and "at byte" in message
    assert os.listdir(tmp_path) == ["m.pth"]


def test_calls_of_what_is_left_unread_make_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = called("pathlib", "PosixPath", evil(TRACE))
    counter = called("collections", "Counter", b")") + b"(" + opcodes((1, 2))[1:-1] + b"u"
    value = {"model": WEIGHTS, "args": [Raw(path), Raw(counter)]}
    assert set(file_of(tmp_path, value).shapes) == set(WEIGHTS)
    assert os.listdir(tmp_path) == ["m.pth"]


@pytest.mark.parametrize(
    "pickle",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02R.",
        b"\x80\x02u.",
        b"\x80\x02}(t",
        b"\x80\x02h\x05.",
        b"\x80\x02.",
    ]
    + [b"\x80\x02X\xff\xff\xff\xffab.", b"\xff\xff", b"\x80\x02(((.", b"\x80\x02)}s.", b"(Q."],
)
def test_senseless_pickles_are_refused(pickle):
    with pytest.raises(InputError, match=r"m\.pth"):
        read_values(pickle, "m.pth")


def test_deep_and_shared_values_cost_nothing():
    deep = b"\x80\x02" + b"](" * 100_000 + b"e" * 100_000 + b"."
    assert isinstance(read_values(deep, "m.pth"), list)
    doubled = b"\x80\x02)" + b"q\x00h\x00\x86" * 500 + b"."  # (x, x) of (x, x) of …
    assert isinstance(read_values(doubled, "m.pth"), tuple)
    itself = read_values(b"\x80\x02]q\x00h\x00a.", "m.pth")
    assert itself[0] is itself


@pytest.mark.parametrize(
    "part, message",
    [
        (Part(np.zeros(6, np.float32), (7,), (1,)), "7 numbers up to number 6 of a storage of 6"),
        (Part(np.zeros(6, np.float32), (2, 3), (3, 1), 1), "up to number 6 of a storage of 6"),
        (Part(np.zeros(6, np.float32), (2, 3), (4, 1)), "up to number 6"),
        (Part(np.zeros(6, np.float32), (10**9, 10**9), (0, 0)), "numbers up to number 0"),
        (Part(np.zeros(6, np.float32), (2,), (-1,)), "without a storage, an offset"),
        (Part(np.zeros(6, np.float32), (2,), (1,), -3), "without a storage, an offset"),
        (Part(np.zeros(6, np.float32), (2,), (1, 1)), "1 dimensions and 2 strides"),
        (Part(np.zeros(9, np.float32), (1,) * 17, (1,) * 17), "17 dimensions"),
        (
            Part(np.zeros(6, np.float32), (2,), (1,), claimed=10**12),
            "must have 4,000,000,000,000 b",
        ),
        (Part(np.zeros(6, np.float32), (2,), (1,), claimed=5), "must have 20 bytes. Received: 24"),
    ],
)
def test_tensors_beyond_their_storage_are_refused(tmp_path, part, message):
    assert message in refusal(tmp_path, {"x": part})


def test_files_that_are_not_whole(tmp_path):
    assert "it lacks archive/data/1" in refusal(tmp_path, WEIGHTS, leave_out=("1",))
    path = tmp_path / "m.pth"
    write_torch_file(path, WEIGHTS)
    content = path.read_bytes()
    for size in (1, 60, len(content) // 2, len(content) - 3):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match="m.pth"):
            TorchFile(path)
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        TorchFile(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_changed_number_is_seen(tmp_path, compression):
    array = np.arange(300, dtype=np.int32)
    path = tmp_path / "m.pth"
    write_torch_file(path, {"x": array}, compression=compression)
    content = bytearray(path.read_bytes())
    content[content.index(b"archive/data/0") + 200] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="m.pth.* damaged"):
        TorchFile(path).read("x")


def test_a_pickle_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path):
    path = tmp_path / "m.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(65 * 2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match="at most 67,108,864 bytes"):
        TorchFile(path)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "format before it.*weights_only=True"),
        (b"x" * 257 + b"ustar" + b"x" * 300, "format before it"),
        (b"version https://git-lfs.github.com/spec/v1", r"\(a zip archive\) is needed.*is none"),
        (b"", "is none"),
    ],
    ids=["pickle", "tar", "pointer", "empty"],
)
def test_other_formats_are_refused(tmp_path, content, message):
    (tmp_path / "m.pth").write_bytes(content)
    with pytest.raises(InputError, match=message):
        TorchFile(tmp_path / "m.pth")


def test_archives_of_something_else(tmp_path):
    path = tmp_path / "m.pth"
    for names in ((), ("a/data.pkl", "b/data.pkl")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme", "")
            for name in names:
                archive.writestr(name, "")
        with pytest.raises(InputError, match=f"one NAME/data.pkl.*holds {len(names)}"):
            TorchFile(path)
    assert "must be little or big. Received: 'middle'" in refusal(
        tmp_path, WEIGHTS, byteorder="middle"
    )


@pytest.mark.parametrize(
    "value, holds",
    [({"epoch": 3, "net": {"model": 1}}, "epoch, net"), ([1, 2], "a list"), (3, "a int")],
)
def test_a_file_without_tensors_by_name(tmp_path, value, holds):
    assert f"holds: {holds}" in refusal(tmp_path, value)
