import dataclasses

import pytest
from absl import flags

from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.errors import InputError
from kaleido_tf.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class Sizes:
    steps: int | None = setting(None, "steps", "Steps.", lowest=1)
    rate: float = setting(0.5, "rate", "Rate.", above=0)
    quick: bool = setting(False, "quick", "Quickly.")
    kind: str = setting("a", "kind", "Kind.", choices=("a", "b"))
    tasks: tuple[str, ...] | None = setting(None, "tasks", "Tasks.")
    place: str = "no flag"

    def __post_init__(self):
        check_settings(self)


@pytest.fixture
def values(monkeypatch):
    """Flags of their own, in the place of the process's."""
    own = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", own)
    for name in ("DEFINE_integer", "DEFINE_float", "DEFINE_boolean", "DEFINE_enum", "DEFINE_list"):
        original = getattr(flags, name)
        define = lambda *given, original=original: original(*given, flag_values=own)  # noqa: E731
        monkeypatch.setattr(flags, name, define)
    return own


def test_flags_are_made_from_fields_and_read_back(values):
    define_setting_flags(Sizes, rate=0.25)
    values(["command", "--steps=3", "--quick", "--tasks=x,y"])
    assert read_settings(Sizes) == Sizes(3, 0.25, True, "a", ("x", "y"))
    assert read_settings(Sizes, place="here", kind="b").place == "here"
    assert values["rate"].help == "Rate." and values["kind"].parser.enum_values == ["a", "b"]


def test_what_is_not_given_has_its_default_and_no_tasks_are_none(values):
    define_setting_flags(Sizes, names=("steps", "tasks"))
    values(["command", "--tasks="])
    assert "rate" not in values
    assert read_settings(Sizes) == Sizes(tasks=())


def test_a_value_out_of_range_is_named(values):
    define_setting_flags(Sizes)
    values(["command", "--rate=-1"])
    with pytest.raises(InputError, match="--rate must be above 0. Received: -1.0"):
        read_settings(Sizes)


def test_flags_belong_to_the_module_that_asks_for_them(values):
    define_setting_flags(Sizes)
    owners = {module for module, owned in values.flags_by_module_dict().items() if owned}
    assert not any(owner.endswith("setting_flags") and "test" not in owner for owner in owners)
