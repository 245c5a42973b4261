"""The example files of docs/cluster: read by what reads them, and their shells run with stand-ins
for the cluster's programs.
"""

import json
import os
import subprocess

import kubernetes_validate
import pytest
import yaml

from kaleido_tf.training.cluster import Cluster, WorkerConfig, find_cluster
from tests.end_to_end.commands import ROOT

FOLDER = ROOT / "docs" / "cluster"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Stand-ins: python says how it was called, scontrol knows three hosts, srun runs here."""
    contents = {
        "python": 'printf "%s\\n" "$@" "TF_CONFIG=${TF_CONFIG:-}"',
        "scontrol": '[ "$*" = "show hostnames n[1-3]" ] && printf "n1\\nn2\\nn3\\n"',
        "srun": 'while [[ $1 == --* ]]; do shift; done; SLURM_PROCID=2 exec "$@"',
    }
    for name, line in contents.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("TF_CONFIG", raising=False)


def bash(*arguments, **environment):
    result = subprocess.run(
        ["bash", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=20,
    )
    return result.returncode, result.stdout.splitlines(), result.stderr


def test_slurm_gives_each_task_its_place(programs):
    script = FOLDER / "train.sbatch"
    assert bash("-n", script)[0] == 0
    given = {"SLURM_JOB_ID": "700123", "SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_NUM_NODES": "3"}
    status, lines, _ = bash(script, "pretrain_main.py", "--model_dir=a b", **given)
    assert status == 0 and lines[:2] == ["pretrain_main.py", "--model_dir=a b"]
    flags = dict(line[2:].split("=", 1) for line in lines[2:-1])
    assert flags["worker_hosts"] == "n1:20123,n2:20123,n3:20123"
    hosts = tuple(flags["worker_hosts"].split(","))
    count, index = int(flags["workerCount"]), int(flags["task_index"])
    settings = WorkerConfig(
        worker_count=count, worker_hosts=hosts, task_index=index, job_name=flags["job_name"]
    )
    assert find_cluster(settings, None) == Cluster(hosts, 2)


def test_slurm_without_a_script_says_so(programs):
    status, _, errors = bash(FOLDER / "train.sbatch", SLURM_JOB_ID="1")
    assert status == 1 and "Needed: a script and its flags" in errors


@pytest.fixture(scope="module")
def objects():
    """The Kubernetes objects by kind."""
    text = (FOLDER / "job.yaml").read_text(encoding="utf-8")
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def test_the_pods_of_the_job_find_one_another_by_the_service(objects):
    job, service = objects["Job"]["spec"], objects["Service"]
    (container,) = job["template"]["spec"]["containers"]
    assert job["completionMode"] == "Indexed"
    assert service["spec"]["clusterIP"] == "None"
    assert service["metadata"]["name"] == job["template"]["spec"]["subdomain"]
    assert service["spec"]["selector"].items() <= job["template"]["metadata"]["labels"].items()
    workers = {each["name"]: each["value"] for each in container["env"]}["WORKERS"]
    assert job["parallelism"] == job["completions"] == int(workers)


def test_kubernetes_gives_each_pod_its_place(objects, programs):
    (container,) = objects["Job"]["spec"]["template"]["spec"]["containers"]
    shell, *options = container["command"]
    assert shell == "bash"
    given = {"WORKERS": "3", "JOB_COMPLETION_INDEX": "2"}
    status, lines, _ = bash(*options, *container["args"], **given)
    text = "\n".join(lines).partition("TF_CONFIG=")[2]
    assert status == 0 and lines[0] == "pretrain_main.py"
    hosts = tuple(f"kaleido-{n}.kaleido:2222" for n in range(3))
    assert find_cluster(WorkerConfig(), text) == Cluster(hosts, 2)
    assert json.loads(text)["task"] == {"type": "worker", "index": 2}


def test_the_objects_fit_kubernetes_schemas(objects):
    for each in objects.values():
        kubernetes_validate.validate(each, "1.31", strict=True)
