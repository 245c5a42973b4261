"""The command, as a user types it."""

import ast
import itertools
import re

from tests.end_to_end.commands import ROOT, run
from tests.golden_files import (
    checkpoint_in,
    checkpoint_step,
    kaleido_bert,
    variable_bytes,
    variable_shapes,
)


def convert(*arguments, cwd, status=0):
    output = run("-m", "kaleido_tf.compat.convert_checkpoint", *arguments, cwd=cwd, status=status)
    assert "Traceback" not in output
    return output


def test_report_and_errors(tmp_path):
    source = checkpoint_in(kaleido_bert())
    count, size = len(variable_shapes(kaleido_bert())), variable_bytes(kaleido_bert())
    step = checkpoint_step(source)
    command = [f"--input={source}", f"--output={tmp_path}/new", "--to=safetensors"]
    output = convert(*command, cwd=tmp_path)
    assert (
        "(tf1) -> " in output
        and f"converted: {count} variables, {size:,} bytes, global step {step}" in output
    )
    assert (tmp_path / "new" / "model.safetensors").is_file()
    assert "error: --output must be a new folder." in convert(*command, cwd=tmp_path, status=1)


def test_help_has_an_example_of_each_direction():
    source = (ROOT / "kaleido_tf" / "compat" / "convert_checkpoint.py").read_text()
    command = (
        r"python -m kaleido_tf.compat.convert_checkpoint --input=(\S+) --output=\S+ --to=(\w+)"
    )
    examples = re.findall(command, ast.get_docstring(ast.parse(source)))
    kinds = {
        "tf1/model.ckpt-9": "tf1",
        "tf1/m.ckpt-9": "tf1",
        "model_dir": "own",
        "st": "safetensors",
        "st/model.safetensors": "safetensors",
        "mvlt/m.pth": "pth",
    }
    assert sorted((kinds[path], to) for path, to in examples) == sorted(
        [*itertools.permutations(("own", "tf1", "safetensors"), 2), ("own", "hf"), ("pth", "own")]
    )
