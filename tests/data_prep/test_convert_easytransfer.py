"""The command as a user would type it; what it does is tested in test_easytransfer_rows.py."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import numpy as np

from kaleido_tf.compat.input_schema import parse_schema
from kaleido_tf.compat.row_files import RowFiles
from tests import golden_rows

ROOT = pathlib.Path(__file__).parents[2]
SCHEMA = "text_prod_id:str:1,image_feature:float:700,label:int:1"


def start(*flags):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "data_prep.convert_easytransfer", *flags]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def run(*flags, status=0):
    process = start(*flags)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == status, output[-3000:]
    return output


def test_killed_conversion_goes_on(tmp_path):
    values = np.random.default_rng(4).normal(size=(200, 700)).astype(np.float32)
    lines = [f"T{n}\t{','.join(map(str, values[n // 3]))}\t{n % 2}\n" for n in range(600)]
    (tmp_path / "rows.csv").write_text("".join(lines))
    (tmp_path / "rows.list_csv").write_text("600\nrows.csv\n")
    flags = [f"--input_fp={tmp_path}/rows.list_csv", f"--input_schema={SCHEMA}", f"--output_dir={tmp_path}/out", "--rows_per_shard=5"]
    process = start(*flags)
    for line in process.stdout:
        if line.startswith("rows-00001"):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.tfrecord")}
    assert process.returncode == -signal.SIGKILL and 42 <= len(kept) < 160 and not (tmp_path / "out" / "dataset.json").exists()
    output = run(*flags)
    assert re.search(r"out: 600 rows, 200 distinct images, [\d.]+ MB before, [\d.]+ MB after \([\d.]+%\), \d+ rows/s\n", output)
    assert "looking for images" not in output and all(path.stat().st_mtime_ns == then for path, then in kept.items())
    before, after = (RowFiles(str(tmp_path / name), parse_schema(SCHEMA)) for name in ("rows.csv", "out"))
    golden_rows.assert_same(after.read(np.arange(600)), before.read(np.arange(600)))


def test_bad_input_is_one_message(tmp_path):
    (tmp_path / "rows.csv").write_text("T1\t1,2\n")
    output = run(f"--input_fp={tmp_path}/rows.csv", f"--input_schema={SCHEMA}", f"--output_dir={tmp_path}/out", status=1)
    assert re.search(r"^error: .*rows.csv line 1: 3 columns separated by tabs are needed \(--input_schema\). Received: 2$", output, re.M)
    assert "Traceback" not in output and not (tmp_path / "out").exists()
