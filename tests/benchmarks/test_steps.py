"""The comparison of training steps, without PyTorch: what both sides are given, and how their
figures are held against each other.
"""

import json
import pathlib
import sys

import pytest

from benchmarks import machine, turns
from benchmarks.steps import comparison, fashion_vil_step, kaleido_bert_step, mvlt_step
from benchmarks.steps.agreement import largest_difference
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.families import read_examples
from kaleido_tf.models.fashion_vil.model import FashionVil
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.models.mvlt.model import Mvlt
from kaleido_tf.text import Vocabulary
from tests import tiny_fashion_vil
from tests.fashion_vil_golden import arrays

LOSSES = ("masked_lm_loss", "next_sentence_loss", "image_loss")


def steps(*losses):
    return [dict(zip(LOSSES, step)) for step in losses]


def test_sides_that_disagree_are_not_timed():
    given = steps([10.0, 0.7, 0.2], [9.0, 0.6, 0.1])
    near = steps([10.0001, 0.7, 0.2], [9.0, 0.600035, 0.1])
    far = steps([10.0, 0.7, 0.2], [9.0, 0.6, 0.11])
    assert largest_difference(near, given, 1e-4) == pytest.approx(5e-5)
    with pytest.raises(SystemExit, match="must agree within"):
        largest_difference(far, given, 1e-4)
    with pytest.raises(SystemExit, match="must agree within"):
        largest_difference(steps([float("nan"), 0.7, 0.2]), given[:1], 1e-4)
    vanished = [steps([4.0, 0.7, 0.2], [last, 0.7, 0.2]) for last in (0.0104, 0.0100)]
    assert largest_difference(*vanished, 1e-3) == pytest.approx(1e-4)
    with pytest.raises(SystemExit, match="the same losses"):
        largest_difference([{"loss": 1.0}], given[:1], 1e-4)


@pytest.mark.parametrize("kind", ["pyramid", "patches"])
def test_the_batch_is_what_the_model_takes(kind):
    if kind == "pyramid":
        model = Mvlt(MvltConfig())
        batch = mvlt_step.draw_batch(model, 2)
    else:
        model = KaleidoBert(KaleidoBertConfig(), text_length=9)
        batch = kaleido_bert_step.draw_batch(model, 2)
    inputs = model.pretraining_inputs()
    assert set(batch) == set(inputs)
    for name, array in batch.items():
        assert array.dtype == inputs[name].dtype.as_numpy_dtype, name
        wanted = [2, *inputs[name].shape[1:]]
        assert [w or s for w, s in zip(wanted, array.shape, strict=True)] == list(array.shape), name


def test_the_batch_of_six_tasks_is_that_of_a_run(tmp_path):
    config = tiny_fashion_vil.tiny_fashion_vil()
    named = tiny_fashion_vil.write(tmp_path)
    settings = ExamplesConfig(text_length=config.text_seq_len, masking="independent", **named)
    examples = read_examples(str(tmp_path / "train"), settings, config, None, Vocabulary())
    wanted = next(iter(examples.training_batches(5))).items()
    model = FashionVil(config)
    batch = fashion_vil_step.draw_batch(model, 5)
    assert {name: (array.shape, array.dtype) for name, array in batch.items()} == {
        name: (tuple(value.shape), value.dtype.as_numpy_dtype) for name, value in wanted
    }
    assert len(model.step_tasks) == fashion_vil_step.UPDATES


class Parameter:
    """Stands for one of PyTorch."""

    trained = True

    def __init__(self, name):
        self.name = name

    def requires_grad_(self, trained):
        self.trained = trained


class Named:
    """Stands for a PyTorch model with parameters of the release's names."""

    def __init__(self, names):
        self.parameters = {name: Parameter(name) for name in names}

    def named_parameters(self):
        return self.parameters.items()


def test_rate_and_decay_of_each_weight_are_the_release_s():
    given = arrays("param_groups")
    model, base = Named(map(str, given["name"])), float(given["lr"].min())
    groups = fashion_vil_step.parameter_groups(model, 3.0)
    found = {p.name: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    for name, rate, decay in zip(given["name"], given["lr"], given["weight_decay"]):
        if not model.parameters[name].trained:
            assert name.startswith("model.image_tokenizer") and name not in found
            continue
        wanted = (3.0 * rate / base, 0 if decay == 0 else fashion_vil_step.DECAY)
        assert found.pop(name) == pytest.approx(wanted), name
    assert not found


class Answers:
    """Stands for the processes of two sides, each step of which takes as long as is said."""

    SECONDS = {"tensorflow": [1.0, 2.0, 3.0], "pytorch": [2.0, 3.0, 9.0]}
    GFLOPS = {"tensorflow": 50.0, "pytorch": 40.0}

    def __init__(self, module, flags):
        assert module == comparison.MODULE
        self.side = flags["side"]
        self.seconds = iter([60.0] * comparison.WARM_UP + self.SECONDS[self.side])

    def ask(self, request):
        if request == "step":
            return {"seconds": next(self.seconds), "gib": 1.5, "loaded_gib": 0.25}
        return {
            "losses": {"losses": steps([10.0, 0.7, 0.2])},
            "product": {"gflops": self.GFLOPS[self.side]},
            "work": {"gflop": 80.0},
        }[request]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_figures_are_medians_of_turns_after_the_warm_up(monkeypatch):
    monkeypatch.setattr(comparison, "Process", Answers)
    ours, theirs = comparison.compare("mvlt_step", 6, "float32", ["pytorch"], turns=3)
    assert (ours["per_second"], theirs["per_second"]) == (3.0, 2.0)
    assert ours["ratio"] == 1 and theirs["ratio"] == 2.0  # of 2, 1.5 and 3
    assert theirs["ratios"] == [1.5, 2.0, 3.0]
    # 80 GFLOP at the faster side's 50 GFLOP/s take 1.6 s
    assert ours["share_of_floor"] == pytest.approx(0.8)
    lines = comparison.table([ours, theirs])
    assert (
        "tensorflow is 2.00 times as fast (1.50 to 3.00)" in lines[2]
        and "53% of the floor" in lines[2]
        and lines[2].endswith("1.50 GiB, 0.25 of them loaded")
    )


def test_a_process_answers_line_by_line_and_says_when_it_has_ended(tmp_path, monkeypatch):
    (tmp_path / "echoing.py").write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    if line.strip() == 'stop':\n"
        "        sys.exit(3)\n"
        "    print(json.dumps({'asked': line.strip(), 'flags': sys.argv[1:]}), flush=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with turns.Process("echoing", {"side": "left"}) as process:
        assert process.ask("step") == {"asked": "step", "flags": ["--side=left"]}
        with pytest.raises(SystemExit, match="echoing ended early"):
            process.ask("stop")


def test_the_machine_is_named():
    facts = machine.describe()
    assert facts["processor"] and facts["cores"] >= 1
    assert facts["versions"]["tensorflow"]
    assert facts["python"].split(".")[0] == str(sys.version_info.major)
    assert set(facts["flags"]) <= set(pathlib.Path("/proc/cpuinfo").read_text().split())
    json.dumps(facts)
