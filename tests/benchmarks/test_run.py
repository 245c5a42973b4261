"""Which measurements are made, and where their rows go."""

import json

import pytest
from absl import flags

from benchmarks import run
from kaleido_tf.errors import InputError


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs it with flags; the comparisons give their names and what they were asked for."""
    values = flags.FlagValues()
    run.define_flags(values)
    values(["run"])
    monkeypatch.setattr(run, "FLAGS", values)

    def standing_in(name):
        monkeypatch.setattr(getattr(run, name), "compare", lambda *asked: [{name: list(asked)}])
        monkeypatch.setattr(getattr(run, name), "table", lambda rows: [name])

    for name in ("steps", "patch_features", "reading"):
        standing_in(name)

    def given(**changes):
        output = tmp_path / "figures.json"
        for name, value in {"output": str(output), "turns": 3, **changes}.items():
            setattr(values, name, value)
        run.main([])
        return json.loads(output.read_text())

    return given


def test_all_rows_stand_in_one_file(command):
    found = command(batch_sizes=["2"], precisions=["float32"], rivals=["pytorch"], products=9)
    assert set(found) == {"machine", "steps", "patch_features", "reading"}
    steps = [row["steps"] for row in found["steps"]]
    assert steps == [[step, 2, "float32", ["pytorch"], 3] for step in run.STEPS]
    assert found["patch_features"] == [{"patch_features": [size, 4, 3]} for size in (None, 224)]
    assert found["reading"] == [{"reading": [9, 2048, run.READ_AT_ONCE, 3]}]


def test_what_is_not_asked_for_is_not_measured(command):
    found = command(only=["reading"])
    assert not found["steps"] and not found["patch_features"] and len(found["reading"]) == 1
    with pytest.raises(InputError, match="--only must name.*Received: readign"):
        command(only=["readign"])
