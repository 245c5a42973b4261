"""A setting that is written once: a field of a frozen dataclass that knows its flag, its help, its
range and whether it decides a run.

The flags of a command are made from these fields (command_line/setting_flags.py), and a value out
of range is named by its flag, which is what the user typed.
"""

import dataclasses
import math
from collections.abc import Iterable

from kaleido_tf.errors import InputError

_KEY = "setting"


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a field is to its users.

    Attributes:
      flag: its name on the command line. help: one or two sentences.
      decisive: whether it decides the numbers of a run, so that a resumed run must not change it.
      above, below: the value must be larger, smaller. lowest, largest: the value must lie within,
        borders included.
      choices: the values there are.
    """

    flag: str
    help: str
    decisive: bool = False
    above: float | None = None
    below: float | None = None
    lowest: float | None = None
    largest: float | None = None
    choices: tuple[str, ...] | None = None

    def check(self, value) -> None:
        """Raises: InputError naming the flag, what is needed and what came."""
        if self.choices is not None:
            unknown = [
                v
                for v in (value if isinstance(value, tuple) else (value,))
                if v not in self.choices
            ]
            if unknown:
                raise InputError(
                    f"--{self.flag} must be {'of' if isinstance(value, tuple) else 'one of'} "
                    f"{', '.join(self.choices)}. Received: {', '.join(map(str, unknown))}"
                )
        else:
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, (int, float)) and not isinstance(number, bool):
                    self._check_number(number)

    def _check_number(self, value: float) -> None:
        if self.above is not None and not self.above < value < math.inf:
            raise InputError(f"--{self.flag} must be above {self.above:g}. Received: {value}")
        low = -math.inf if self.lowest is None else self.lowest
        high = math.inf if self.largest is None else self.largest
        end = math.inf if self.below is None else self.below
        if not (low <= value <= high and value < end and math.isfinite(value)):
            needed = f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"
            needed += f" and below {end:g}" if end < math.inf else ""
            raise InputError(f"--{self.flag} must be {needed}. Received: {value}")


def setting(default, flag: str, help: str, **more) -> dataclasses.Field:
    """A field of a settings dataclass; `more` as `Setting`. None is a default that means "by the
    rest", and is not checked.
    """
    return dataclasses.field(default=default, metadata={_KEY: Setting(flag, help, **more)})


def seed_setting() -> dataclasses.Field:
    """The seed, which several settings classes hold."""
    text = "Of weights, order, masks and dropout."
    return setting(123123, "seed", text, decisive=True, lowest=0, largest=2**32 - 1)


def settings_of(config: type) -> dict[str, Setting]:
    """Field name -> setting, of the fields of a dataclass that are settings, in their order."""
    return {f.name: f.metadata[_KEY] for f in dataclasses.fields(config) if _KEY in f.metadata}


def check_settings(config) -> None:
    """Holds every setting of a dataclass's object against its range.

    Raises: InputError naming the first flag that is out of range.
    """
    for name, entry in settings_of(type(config)).items():
        value = getattr(config, name)
        if value is not None:
            entry.check(value)


def decisive_flags(configs: Iterable[type]) -> tuple[str, ...]:
    """The flags that a resumed run must not change, of several dataclasses, each once."""
    flags = [entry.flag for c in configs for entry in settings_of(c).values() if entry.decisive]
    return tuple(dict.fromkeys(flags))
