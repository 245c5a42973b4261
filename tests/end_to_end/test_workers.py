"""Two real processes on this machine train one model."""

import json
import signal

import pytest

from kaleido_tf.training.metrics_log import read_metrics
from tests import pixel_family
from tests.end_to_end.commands import ROOT, run, run_together
from tests.free_ports import free_hosts

START = f"""
import runpy, sys
from tests import pixel_family
pixel_family.register()
sys.argv[0] = {str(ROOT / "pretrain_main.py")!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
KILLED = """
import os, signal
from kaleido_tf.training.trainer import Trainer

whole = Trainer.train_loop_end

def killed(self):
    if int(self.global_step) >= 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self)

Trainer.train_loop_end = killed
"""
FLAGS = (
    "--train_input_fp=train.npz",
    "--eval_input_fp=valid.npz",
    "--model_config=config.json",
    "--num_epochs=2",
    "--learning_rate=0.02",
    "--log_step_count_steps=2",
    "--save_checkpoints_steps=5",
    "--eval_every_steps=6",
)
HALVES = ("--train_batch_size=2", "--eval_batch_size=6", "--workerCount=2", "--worker_silence=2")


def two_workers(folder, model_dir, starts=("start.py", "start.py"), statuses=(0, 0)):
    """The outputs of both."""
    hosts = ",".join(free_hosts(2))
    shared = (*FLAGS, *HALVES, f"--model_dir={model_dir}", f"--worker_hosts={hosts}")
    commands = [
        (folder / start, *shared, f"--task_index={index}") for index, start in enumerate(starts)
    ]
    return run_together(*commands, cwd=folder, statuses=statuses)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder with a run of one process, `one`, and the same by two workers, `two`; the outputs of
    the two.
    """
    folder = tmp_path_factory.mktemp("workers")
    pixel_family.draw(folder / "train.npz", 38, 1)
    pixel_family.draw(folder / "valid.npz", 13, 2)  # of batches of 12 the last has one image
    (folder / "config.json").write_text(json.dumps({"model_type": "toypixels"}))
    (folder / "start.py").write_text(START)
    (folder / "killed.py").write_text(KILLED + START)
    whole = ("--train_batch_size=4", "--eval_batch_size=12", "--model_dir=one")
    run(folder / "start.py", *FLAGS, *whole, cwd=folder)
    return folder, two_workers(folder, "two")


def metrics(folder, name):
    return [
        {key: value for key, value in line.items() if key != "examples_per_second"}
        for line in read_metrics(folder / name / "metrics.jsonl")
    ]


def test_two_workers_reach_the_numbers_of_one(ran):
    folder, _ = ran
    one, two = metrics(folder, "one"), metrics(folder, "two")
    assert [line.pop("kind") for line in one] == [line.pop("kind") for line in two]
    assert len(one) > 8
    for alone, together in zip(one, two):
        assert together == pytest.approx(alone, rel=1e-5)


def test_only_the_chief_writes_and_prints(ran):
    folder, (chief, other) = ran
    assert "38 drawn images" in chief and "20 steps of 4 examples" in chief
    assert "prints and writes" in other and "38 drawn images" not in other
    assert len(list((folder / "two").glob("**/events.out.tfevents.*"))) == 2  # train and eval
    written = {path.name for path in folder.iterdir()}
    inputs = {"train.npz", "valid.npz", "config.json", "start.py", "killed.py"}
    assert written - {"killed"} == {"one", "two", *inputs}
    assert "--workerCount=2" in (folder / "two" / "flags.cfg").read_text().splitlines()


def test_a_worker_that_is_killed_ends_the_run_which_goes_on_exactly(ran):
    folder, _ = ran
    chief, _ = two_workers(
        folder, "killed", ("start.py", "killed.py"), statuses=(1, -signal.SIGKILL)
    )
    assert "error: All workers must stay to the end of a run. One of them is lost" in chief
    assert "Traceback" not in chief.partition("error: All")[2]
    assert (folder / "killed" / "model.ckpt-10.index").exists()
    chief, _ = two_workers(folder, "killed")
    assert "going on from step 10" in chief
    assert metrics(folder, "killed") == metrics(folder, "two")


@pytest.mark.parametrize("index, missing", [(0, 1), (1, 0)])
def test_a_worker_that_never_comes_is_named(ran, index, missing):
    hosts = free_hosts(2)
    output = run(
        ran[0] / "start.py",
        *FLAGS,
        *HALVES,
        "--model_dir=alone",
        f"--worker_hosts={','.join(hosts)}",
        f"--task_index={index}",
        "--worker_timeout=1",
        cwd=ran[0],
        status=1,
    )
    message = output.partition("error: ")[2]
    assert f"{hosts[missing]} (--task_index={missing})" in message
    assert "--worker_timeout=1 seconds" in message and "Traceback" not in output
