import re

import pytest
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.training import precision_choice
from kaleido_tf.training.cluster import Cluster
from kaleido_tf.training.precision_choice import choose_precision
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import set_precision


@pytest.fixture
def measured(monkeypatch):
    """Seconds that products take, by precision; the test may change them."""
    seconds, clock = {"float32": 0.009, "bfloat16": 0.003}, [0.0]

    def product(precision):
        def multiply():
            clock[0] += seconds[precision]

        return multiply

    monkeypatch.setattr(precision_choice, "_product", product)
    monkeypatch.setattr(precision_choice.time, "perf_counter", lambda: clock[0])
    choose_precision.cache_clear()
    yield seconds
    choose_precision.cache_clear()
    set_precision("float32")


@pytest.mark.parametrize(
    ("half", "chosen"), [(0.003, "bfloat16"), (0.0075, "bfloat16"), (0.0076, "float32")]
)
def test_the_faster_one_is_chosen_and_why_is_said(measured, capsys, half, chosen):
    measured["bfloat16"] = half
    assert choose_precision() == choose_precision() == chosen
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"--precision=auto: {chosen}.")
    assert f"9.00 ms in float32 and {1000 * half:.2f} ms in bfloat16" in line


def test_a_model_is_made_in_it(measured):
    set_precision("auto")
    assert tf_keras.mixed_precision.global_policy().name == "mixed_bfloat16"


def test_this_machine_is_measured(capsys):
    choose_precision.cache_clear()
    assert choose_precision() in ("float32", "bfloat16")
    taken = [float(value) for value in re.findall(r"([\d.]+) ms", capsys.readouterr().out)]
    assert len(taken) == 2 and min(taken) > 0
    choose_precision.cache_clear()


def test_several_workers_need_one_that_is_named():
    cluster = Cluster(("a:1", "b:1"), 0)
    with pytest.raises(InputError, match="Name one of float32, bfloat16, float16"):
        DeviceConfig(cluster=cluster, precision="auto")
