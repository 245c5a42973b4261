"""`--beam_options`: what is handed to Apache Beam, and the runner that it names. Needs the extra
`beam`.
"""

import contextlib
import io
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners.direct.direct_runner import SwitchingDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner, create_runner

from kaleido_tf.errors import InputError


def read_options(options: Sequence[str]) -> PipelineOptions:
    """Args: options: each as on a command line: `--name=value`, or `--name`.

    Raises: InputError for other forms and values of another type.
    """
    for option in options:
        if not option.startswith("--"):
            raise InputError(
                "--beam_options must be options of Apache Beam, --name=value, separated by commas."
                f" Received: {option!r}"
            )
    parsed, said = PipelineOptions(list(options)), io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # argparse prints how all of them are used
            parsed.get_all_options(retain_unknown_options=True)
    except SystemExit as error:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise InputError(f"--beam_options: Apache Beam does not take them: {reason}") from error
    return parsed


def chosen_runner(options: PipelineOptions) -> PipelineRunner:
    """The runner that the options name, Beam's DirectRunner where they name none.

    Beam's DirectRunner would first download a program (Prism) and run it; the one that it falls
    back to is taken at once.
    Raises: InputError for a runner that is not there, one that lacks an option that it needs, and
      for options that the DirectRunner would leave aside without a word.
    """
    name = options.view_as(StandardOptions).runner or StandardOptions.DEFAULT_RUNNER
    try:
        runner = create_runner(name)
    except (ValueError, ImportError, AttributeError, TypeError) as error:
        raise InputError(
            "--beam_options: a runner of Apache Beam that is installed was needed. Received:"
            f" --runner={name} ({error})"
        ) from error
    faults = PipelineOptionsValidator(options, runner).validate()
    if faults:
        reasons = " ".join(" ".join(fault.split()) for fault in faults)
        raise InputError(f"--beam_options: Apache Beam's {name} needs others: {reasons}")
    if isinstance(runner, SwitchingDirectRunner | FnApiRunner):
        _check_known(options, name)
        return FnApiRunner()
    return runner


def _check_known(options: PipelineOptions, name: str) -> None:
    known = PipelineOptions([]).get_all_options()
    unknown = {*options.get_all_options(retain_unknown_options=True)} - {*known}
    if unknown:
        raise InputError(
            f"--beam_options must be options that Apache Beam's {name} knows. Received:"
            f" {', '.join(f'--{name}' for name in sorted(unknown))}"
        )
