"""The command as a user would type it; what it does is tested in test_easytransfer_rows.py."""

import re
import signal
import time

import numpy as np

from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_files import RowFiles
from tests import golden_rows
from tests.end_to_end.commands import run, start

COMMAND = ("-m", "data_prep.convert_easytransfer")
SCHEMA = "text_prod_id:str:1,image_feature:float:700,label:int:1"


def test_killed_conversion_goes_on(tmp_path):
    values = np.random.default_rng(4).normal(size=(200, 700)).astype(np.float32)
    lines = [f"T{n}\t{','.join(map(str, values[n // 3]))}\t{n % 2}\n" for n in range(600)]
    (tmp_path / "rows.csv").write_text("".join(lines))
    (tmp_path / "rows.list_csv").write_text("600\nrows.csv\n")
    flags = [
        f"--input_fp={tmp_path}/rows.list_csv",
        f"--input_schema={SCHEMA}",
        f"--output_dir={tmp_path}/out",
        "--rows_per_shard=5",
    ]
    process = start(*COMMAND, *flags, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while (
        not list((tmp_path / "out").glob("rows-00001-*.tfrecord")) and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.tfrecord")}
    assert (
        process.returncode == -signal.SIGKILL
        and 42 <= len(kept) < 160
        and not (tmp_path / "out" / "dataset.json").exists()
    )
    output = run(*COMMAND, *flags, cwd=tmp_path)
    assert re.search(
        r"out: 600 rows, 200 distinct images, [\d.]+ MB before, [\d.]+ MB after \([\d.]+%\), \d+"
        r" rows/s\n",
        output,
    )
    assert "looking for images" not in output and all(
        path.stat().st_mtime_ns == then for path, then in kept.items()
    )
    before, after = (
        RowFiles(str(tmp_path / name), parse_schema(SCHEMA)) for name in ("rows.csv", "out")
    )
    golden_rows.assert_same(after.read(np.arange(600)), before.read(np.arange(600)))


def test_bad_input_is_one_message(tmp_path):
    (tmp_path / "rows.csv").write_text("T1\t1,2\n")
    flags = [
        f"--input_fp={tmp_path}/rows.csv",
        f"--input_schema={SCHEMA}",
        f"--output_dir={tmp_path}/out",
    ]
    output = run(*COMMAND, *flags, cwd=tmp_path, status=1)
    assert re.search(
        r"^error: .*rows.csv line 1: 3 columns separated by tabs are needed \(--input_schema\)."
        r" Received: 2$",
        output,
        re.M,
    )
    assert "Traceback" not in output and not (tmp_path / "out").exists()
