"""A family is a folder and a row: a toy family of pixels runs through everything, untouched."""

import json

import pytest
import tensorflow as tf

from kaleido_tf import families
from kaleido_tf.compat.checkpoints.weights import find_weights, load_weights
from kaleido_tf.training.trainer import Trainer
from tests import pixel_family, runs
from tests.end_to_end.commands import ROOT, run

LAUNCHER = f"""
import runpy, sys
from tests import pixel_family
pixel_family.register()
sys.argv[0] = {str(ROOT / "pretrain_main.py")!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Settings of a run on drawn images, in a process that knows the family."""
    monkeypatch.setitem(families.FAMILIES, "toypixels", pixel_family.FAMILY)
    pixel_family.draw(tmp_path / "train.npz", 38, 1)
    pixel_family.draw(tmp_path / "valid.npz", 13, 2)  # of batches of 4 the last has one image

    def settings(model_dir, **changes):
        values = {"learning_rate": 0.02, "num_epochs": 6, "save_steps": 7, "log_steps": 10}
        names = {"train": "train.npz", "valid": "valid.npz"}
        return runs.settings(
            tmp_path, tmp_path / model_dir, **names, **{**values, "eval_steps": 29, **changes}
        )

    return settings


CONFIG = pixel_family.PixelConfig()


def test_it_learns_one_task_a_step_and_goes_on_exactly(given, monkeypatch):
    whole, parts = given("whole"), given("parts")
    _, figures = runs.pretrain(whole, CONFIG)
    assert figures["colour_accuracy"] > 0.8 < figures["place_accuracy"]  # chance 1/3
    original = Trainer.train_loop_end

    def stop(self):
        if int(self.global_step) >= 24:
            raise KeyboardInterrupt
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_loop_end", stop)
        with pytest.raises(KeyboardInterrupt):
            runs.pretrain(parts, CONFIG)
    runs.pretrain(parts, CONFIG)
    assert runs.lines(parts.model_dir) == runs.lines(whole.model_dir)
    train = [line for line in runs.lines(whole.model_dir) if line["kind"] == "train"]
    # Means are kept by name: of the ten steps of a report some gave colour, some place.
    assert all({"colour_loss", "place_loss"} <= set(line) for line in train)


def test_a_loss_is_the_mean_of_the_steps_that_had_it(given):
    run = given("single", num_epochs=0.2, log_steps=1, eval_steps=None)
    runs.pretrain(run, CONFIG, evaluates=False)
    for line in runs.lines(run.model_dir):
        tasks = [name for name in ("colour", "place") if f"{name}_loss" in line]
        assert len(tasks) == 1
        assert line["loss"] == pytest.approx(line[f"{tasks[0]}_loss"])


@pytest.mark.parametrize("replicas", [1, 2])
def test_it_is_evaluated_from_its_checkpoint(given, replicas):
    run = given("run", num_epochs=1)
    _, figures = runs.pretrain(run, CONFIG)
    again = given("run", cpu_replicas=replicas, eval_batch_size=4 // replicas)
    result = runs.evaluate(
        again, CONFIG, lambda model: load_weights(model, find_weights(again.model_dir))
    )
    assert result == pytest.approx(figures, rel=1e-5)


def test_the_entry_script_trains_and_evaluates_it(tmp_path):
    pixel_family.draw(tmp_path / "images.npz", 21, 1)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "toypixels"}))
    (tmp_path / "start.py").write_text(LAUNCHER)
    flags = ("--model_dir=run", "--eval_input_fp=images.npz")
    output = run(
        tmp_path / "start.py",
        *flags,
        "--train_input_fp=images.npz",
        "--model_config=config.json",
        "--train_batch_size=5",
        "--num_epochs=2",
        cwd=tmp_path,
    )
    assert "21 drawn images, 0.0 M parameters, tasks: colour, place; 9 steps of 5" in output
    assert json.loads((tmp_path / "run" / "config.json").read_text())["side"] == 6
    assert tf.train.latest_checkpoint(str(tmp_path / "run")).endswith("model.ckpt-9")
    again = run(tmp_path / "start.py", *flags, "--mode=evaluate", cwd=tmp_path)
    assert "evaluation of run/model.ckpt-9: loss" in again
