"""The golden tests on other files of the same form: no size is theirs."""

import pytest

from tests import golden_files
from tests.end_to_end.commands import ROOT, run
from tests.golden_files import VARIABLE, golden_folder
from tests.other_golden_files import write_golden_files

# What other_golden_files writes: the models, their losses and their gradients.
TESTS = (
    "logits or losses or total_loss or adaptive or gradient or sequence or predict_mode"
    " or variable_of_the_original"
)


def test_models_of_other_sizes_pass_the_same_tests(tmp_path, monkeypatch):
    write_golden_files(tmp_path)
    files = [f"tests/models/{family}/test_model.py" for family in ("kaleido_bert", "fashion_bert")]
    options = ("-vv", "-n0", "-p", "no:cacheprovider", "-k", TESTS)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    output = run("-m", "pytest", *options, *files, cwd=ROOT)
    assert "test_every_gradient[few_types]" in output


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
