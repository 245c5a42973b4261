import dataclasses

import pytest

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.objectives.fine_tuning_config import FineTuningConfig
from kaleido_tf.settings import check_settings, decisive_flags, setting
from kaleido_tf.training.run_config import DeviceConfig, RunConfig


@pytest.mark.parametrize(
    "config, values, message",
    [
        (RunConfig, {"num_epochs": 0}, "--num_epochs must be above 0. Received: 0"),
        (RunConfig, {"learning_rate": float("nan")}, "--learning_rate must be above 0.*nan"),
        (RunConfig, {"seed": -1}, "--seed must be 0 to 4.29497e.09. Received: -1"),
        (RunConfig, {"warmup_ratio": 1.5}, "--warmup_ratio must be 0 to 1. Received: 1.5"),
        (RunConfig, {"log_steps": 0}, "--log_step_count_steps must be at least 1. Received: 0"),
        (ExamplesConfig, {"token_fraction": 2}, "--masked_lm_prob must be 0 to 1. Received: 2"),
        (ExamplesConfig, {"text_length": 2}, "--input_sequence_length must be at least 3"),
        (ExamplesConfig, {"masking": "none"}, "--masking must be one of aligned, random"),
        (FineTuningConfig, {"dropout": 1}, "--dropout must be at least 0 and below 1. Received: 1"),
        (FineTuningConfig, {"dropout": -0.1}, "--dropout must be at least 0 and below 1"),
        (DeviceConfig, {"cpu_replicas": 0}, "--cpu_replicas must be at least 1"),
    ],
)
def test_value_out_of_range_is_named_by_its_flag(config, values, message):
    with pytest.raises(InputError, match=message):
        config(**values)


def test_none_means_by_the_rest_and_lists_are_checked_word_by_word():
    @dataclasses.dataclass(frozen=True)
    class Sizes:
        steps: int | None = setting(None, "steps", "Steps.", lowest=1, decisive=True)
        kinds: tuple[str, ...] = setting((), "kinds", "Kinds.", choices=("a", "b"))

        def __post_init__(self):
            check_settings(self)

    assert Sizes().steps is None and Sizes(kinds=("b", "a")).kinds == ("b", "a")
    with pytest.raises(InputError, match="--kinds must be of a, b. Received: c"):
        Sizes(kinds=("a", "c"))
    assert decisive_flags((Sizes, Sizes)) == ("steps",)


def test_every_setting_has_one_meaning_of_its_flag():
    """Two classes may share a flag (the seed), but then with the same words and range."""
    entries = {}
    for config in (DeviceConfig, RunConfig, ExamplesConfig):
        for field in dataclasses.fields(config):
            entry = field.metadata.get("setting")
            if entry is not None:
                assert entries.setdefault(entry.flag, entry) == entry
