"""The command `python -m kaleido_tf.evaluation.retrieval`, as a user types it."""

import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def run(*arguments, status=0, program=("-m", "kaleido_tf.evaluation.retrieval")):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        env=environment,
        text=True,
        capture_output=True,
    )
    assert process.returncode == status, process.stdout + process.stderr
    return process.stdout + process.stderr


@pytest.fixture
def ties(golden_dir):
    return golden_dir / "prediction_analysis" / "txt2img_ties.txt"


def script_figures(ties, name):
    return json.loads((ties.parent / f"metrics_{name}_script.json").read_text())[ties.name]


def test_direction_comes_from_the_name_and_protocol_is_the_honest_one(ties, tmp_path):
    output = run(ties, f"--output_json={tmp_path}/new/figures.json")
    figures = script_figures(ties, "kaleidobert")
    sizes = figures["candidates_per_query"].values()
    assert output.startswith(
        f"protocol average (ties: average)\ntxt2img: {len(sizes)} queries, {min(sizes)} to"
        f" {max(sizes)} (mean {sum(sizes) / len(sizes):.1f}) candidates each\n"
    )
    assert re.search(rf"{figures['examples']} examples, \d+ queries without a positive", output)
    content = json.loads((tmp_path / "new" / "figures.json").read_text())
    assert (
        content["type"] == "txt2img"
        and content["protocol"] == "average"
        and content["queries"] == len(sizes)
    )


def test_protocols_of_the_scripts(ties):
    kaleido, release = (script_figures(ties, name) for name in ("kaleidobert", "fashionbert"))
    assert f"Rank@1 {kaleido['rank@1']:.12f}" in run(ties, "--protocol=kaleido")
    output = run(ties, "--protocol=fashionbert_release")
    assert (
        f"Rank@1 {release['rank@1']:.12f}" in output
        and f"The release counts {release['queries']} queries where there are {kaleido['queries']}"
        in output
    )


def test_type_that_differs_from_the_name_is_said(ties):
    assert "counted as img2txt, as --type says; the file's name says txt2img" in run(
        ties, "--type=img2txt"
    )


def test_errors_are_one_message(ties, tmp_path):
    (tmp_path / "results.txt").write_text("broken\n")
    assert run(status=1) == "error: Needed: RESULT_FILE. Received: nothing\n"
    assert run(ties, ties, status=1).startswith(
        "error: Arguments are flags (--name=value). Received: "
    )
    assert (
        run(tmp_path / "results.txt", status=1)
        == "error: --type=img2txt|txt2img is needed where the file's name does not say it."
        " Received: results.txt\n"
    )
    output = run(tmp_path / "results.txt", "--type=img2txt", status=1)
    assert "results.txt line 1: needed 5 fields" in output and "Traceback" not in output


def test_help_shows_the_flags():
    output = run("--help", status=1)  # absl's status
    assert (
        "RESULT_FILE" in output
        and "--protocol" in output
        and "--type" in output
        and "--output_json" in output
    )


def test_tensorflow_is_not_imported(ties):
    code = f"""
        import runpy, sys
        sys.argv = ["retrieval", {str(ties)!r}]
        try:
            runpy.run_module("kaleido_tf.evaluation.retrieval", run_name="__main__")
        except SystemExit as end:
            assert not end.code, end.code
        assert "tensorflow" not in sys.modules
        print("without")
    """
    assert run(program=("-c", textwrap.dedent(code))).endswith("without\n")
