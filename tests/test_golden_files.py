"""The golden tests on other files of the same form: no size is theirs."""

import os
import subprocess
import sys

import pytest

from tests import golden_files
from tests.end_to_end.commands import ROOT
from tests.golden_files import VARIABLE, golden_folder
from tests.other_golden_files import write_golden_files

# What other_golden_files writes: the models, their losses and their gradients.
TESTS = (
    "logits or losses or total_loss or adaptive or gradient or sequence or predict_mode"
    " or variable_of_the_original"
)


def test_models_of_other_sizes_pass_the_same_tests(tmp_path):
    write_golden_files(tmp_path)
    files = [f"tests/models/{family}/test_model.py" for family in ("kaleido_bert", "fashion_bert")]
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-vv",
            "-n0",
            "-p",
            "no:cacheprovider",
            "-k",
            TESTS,
            *files,
        ],
        cwd=ROOT,
        env={**os.environ, VARIABLE: str(tmp_path)},
        text=True,
        capture_output=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "test_every_gradient[few_types]" in process.stdout


def test_missing_folders_are_named(tmp_path, monkeypatch):
    read = golden_folder.__wrapped__  # nothing is remembered
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(pytest.UsageError, match="KALEIDO_GOLDEN_DIR must name .* found: .*/gone$"):
        read()
    (tmp_path / "kaleidobert_tiny").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(pytest.UsageError, match="Not found: .*/fashionbert_tiny$"):
        read()
    (tmp_path / "fashionbert_tiny").mkdir()
    assert read() == tmp_path


def test_a_folder_without_mvlt_leaves_the_repositorys(tmp_path, monkeypatch):
    monkeypatch.setattr(golden_files, "golden_folder", lambda: tmp_path)
    assert golden_files.mvlt() == ROOT / "tests" / "golden" / "mvlt_tiny"
    (tmp_path / "mvlt_tiny").mkdir()
    assert golden_files.mvlt() == tmp_path / "mvlt_tiny"
