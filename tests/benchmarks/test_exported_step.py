"""The exported training step, run by JAX, against the same step of TensorFlow."""

import json
import subprocess
import sys
import types

import jax
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import export_step, run_exported_step
from benchmarks.steps.kaleido_bert_step import draw_batch
from kaleido_tf.errors import InputError
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.training.optimizer import BertAdam
from tests.tiny_models import tiny_config


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with one program, and what it was made of."""
    folder = tmp_path_factory.mktemp("steps")
    model = KaleidoBert(tiny_config(vocab_size=1500), text_length=10)
    optimizer = BertAdam(1e-2)
    optimizer.build(model.trainable_variables)
    batch = draw_batch(model, 3)
    program = export_step.program_of(model, optimizer, batch, clip_norm=1.0)
    (folder / "step.stablehlo").write_bytes(export_step.as_stablehlo(program))
    entry = {"file": "step.stablehlo", "precision": "float32", "batch_size": 3}
    content = {"step": "tiny", "programs": [entry]}
    (folder / "steps.json").write_text(json.dumps(content))
    return folder, model, optimizer, batch


def test_jax_makes_the_step_that_tensorflow_makes(exported):
    folder, model, optimizer, batch = exported
    names = sorted(batch)
    step = export_step.training_step(model, optimizer, names, 1.0)
    tensors = [tf.constant(batch[name]) for name in names]
    known = (*model.variables, *optimizer.variables, optimizer._learning_rate)
    held = {id(variable.handle): variable for variable in known}
    captured = step.get_concrete_function(*tensors).captured_inputs
    variables = [held[id(handle)] for handle in captured if id(handle) in held]
    assert len(variables) == len(captured)
    before = [variable.numpy() for variable in variables]

    jax.config.update("jax_enable_x64", True)
    backend = jax.extend.backend.get_backend()
    program, shapes = run_exported_step.load(folder / "step.stablehlo", backend)
    arguments = [batch[name] for name in names] + before
    assert [list(np.shape(each)) for each in arguments] == [shape for shape, _ in shapes]
    loss, *after = (
        np.asarray(each) for each in program.execute([jax.device_put(each) for each in arguments])
    )

    assert float(step(*tensors)) == pytest.approx(float(loss), rel=1e-5)
    changed = [v for v, old in zip(variables, before) if (v.numpy() != old).any()]
    assert len(changed) == len(after) > 3 * 50  # weights, two moments, the count
    for variable, value in zip(changed, after):
        np.testing.assert_allclose(value, variable.numpy(), atol=1e-4)


@pytest.mark.parametrize("step", list(export_step.STEPS))
def test_the_command_writes_what_the_steps_modules_make(step, tmp_path, monkeypatch):
    module = export_step.STEPS[step]
    tiny = KaleidoBert(tiny_config(vocab_size=1500), (), text_length=10)
    made, written = [], []

    def program_of(model, optimizer, batch, clip_norm):
        made.append((model, optimizer, clip_norm))
        assert len(optimizer.variables) > 2 * len(model.trainable_variables)  # it is built
        return b"program"

    monkeypatch.setattr(module, "make_model", lambda settings: tiny)
    monkeypatch.setattr(module, "draw_batch", lambda model, size: written.append(size))
    monkeypatch.setattr(export_step, "program_of", program_of)
    monkeypatch.setattr(export_step, "as_stablehlo", lambda program: program)
    flags = {"step": step, "batch_sizes": ["3", "5"], "precisions": ["float32"]}
    monkeypatch.setattr(
        export_step, "FLAGS", types.SimpleNamespace(output_dir=str(tmp_path), **flags)
    )
    export_step.main([])
    assert written == [3, 5] and {clip for *_, clip in made} == {module.CLIP}
    programs = json.loads((tmp_path / "steps.json").read_text())["programs"]
    assert [(tmp_path / entry["file"]).read_bytes() for entry in programs] == [b"program"] * 2


def test_the_command_that_needs_jax_alone(exported):
    command = [sys.executable, run_exported_step.__file__, f"--folder={exported[0]}", "--steps=2"]
    shown = subprocess.run(
        [*command, "--peak_tflops=1"], text=True, capture_output=True, check=True
    ).stdout
    assert "tiny: cpu, JAX" in shown
    assert "batch    3:" in shown and "pairs/s" in shown and "% of the peak" in shown


def test_without_jax_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jaxlib", None)
    with pytest.raises(InputError, match=r"\.\[xla\]"):
        export_step.as_stablehlo(b"")
