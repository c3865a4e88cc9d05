"""Runs on SLURM and on Ray: what is submitted, and that losing a worker loses nothing."""

import json
import os
import signal
import stat
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import s2lab
from s2lab.cli import main
from s2lab.errors import UserError
from s2lab.launchers.job import run_job
from s2lab.launchers.options import Launch, RayOptions, SlurmOptions
from s2lab.launchers.ray_cluster import run_on_ray
from s2lab.run_folder import RunFolder
from s2lab.training import create_run

needs_submitit = pytest.mark.skipif(not find_spec("submitit"), reason="submitit is not installed")
needs_ray = pytest.mark.skipif(not find_spec("ray"), reason="ray is not installed")
TINY = s2lab.PPOConfig(num_envs=4, rollout_steps=32, minibatches=2)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the checkout, whose folder `s2lab` would be imported by `python -m`."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))


def config(seed: int = 0, steps: int = 6_400) -> s2lab.TrainConfig:
    return s2lab.TrainConfig(
        "MiniGrid-Empty-5x5-v0", agent="lstm", seed=seed, steps=steps, ppo=TINY, log_every=128,
        save_every=640, eval_episodes=3,
    )  # fmt: skip


def rows(path: Path) -> list[dict[str, float]]:
    found = RunFolder.open(path).metrics()
    return [{k: v for k, v in row.items() if not k.startswith("time")} for row in found]


def wait_for(condition: Any, limit_s: float = 90) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("launcher", "words", "part"),
    [
        ("local", {"cpus": "2"}, "the local launcher has no options"),
        ("slurm", {"partitoin": "gpu"}, "did you mean 'partition'?"),
        ("slurm", {"timeout_min": "0"}, "timeout_min must be above 0, got 0"),
        ("slurm", {"cluster": "moon"}, "cluster must be slurm or local, got 'moon'"),
        ("ray", {"cpus": "many"}, "cpus must be a number, got 'many'"),
        ("ray", {"gpus": "-1"}, "gpus must be above 0, got -1"),
    ],
)
def test_bad_options_are_refused_before_any_run_is_made(
    launcher: Any, words: dict[str, str], part: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(UserError, match=part.replace("?", r"\?")):
        Launch.parse(launcher, words, "auto")
    said = ["--launch", *(f"{k}={v}" for k, v in words.items()), "--runs", str(tmp_path)]
    assert main(["train", "CartPole-v1", "--launcher", launcher, *said]) == 2
    assert part in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


FAKE_SBATCH = """#!/bin/sh
for last; do :; done
cp "$last" "{folder}/submitted.sh"
echo "Submitted batch job 4711"
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SLURM that takes every script and runs none; the folder that keeps the last one."""
    folder = tmp_path / "slurm-commands"
    folder.mkdir()
    for name, text in (("sbatch", FAKE_SBATCH.format(folder=folder)), ("srun", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


@needs_submitit
def test_seeds_become_one_slurm_array_that_asks_to_be_requeued(
    tmp_path: Path, slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "CartPole-v1", "--seeds", "0", "1", "2", "--runs", str(tmp_path / "runs")]
    options = ["partition=gpu", "timeout_min=90", "gpus=1", "cpus=3", "mem_gb=7", "at_once=2"]
    more = ["setup=module load cuda", "account=lab"]
    launch = ["--launcher", "slurm", "--launch", *options, *more, "--json"]
    assert main([*words, *launch]) == 0
    submitted = json.loads(capsys.readouterr().out)
    assert [entry["job"] for entry in submitted] == ["4711_0", "4711_1", "4711_2"]
    runs = [RunFolder.open(Path(entry["run"])) for entry in submitted]
    assert [run.summary["seed"] for run in runs] == [0, 1, 2]
    script = (slurm / "submitted.sh").read_text().splitlines()
    asked = {line.removeprefix("#SBATCH ") for line in script if line.startswith("#SBATCH")}
    assert asked >= {
        "--array=0-2%2", "--requeue", "--signal=USR2@90", "--open-mode=append", "--time=90",
        "--partition=gpu", "--account=lab", "--gpus-per-node=1", "--cpus-per-task=3", "--mem=7GB",
        "--job-name=s2lab",
    }  # fmt: skip
    assert "module load cuda" in script
    assert any("submitit.core._submit" in line for line in script)


@needs_submitit
def test_without_slurm_the_submission_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    words = ["train", "CartPole-v1", "--launcher", "slurm", "--runs", str(tmp_path / "runs")]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "SLURM did not take the jobs" in line


@needs_submitit
@pytest.mark.slow
def test_a_preempted_job_goes_on_from_its_checkpoint_and_ends_as_if_undisturbed(
    tmp_path: Path,
) -> None:
    """submitit's local executor stands for SLURM: it starts a job that asks for it again."""
    import submitit

    path = create_run(config(), tmp_path / "runs").path
    executor = submitit.AutoExecutor(folder=tmp_path / "jobs", cluster="local")
    executor.update_parameters(timeout_min=60)
    job = executor.submit(run_job(path, "off"))
    wait_for(lambda: (path / "checkpoints" / "latest").exists())
    controller = job._process.pid
    (task,) = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(task), signal.SIGUSR2)
    wait_for(lambda: RunFolder.open(path).summary["status"] in ("interrupted", "finished"))
    stopped = RunFolder.open(path).summary
    assert stopped["status"] == "interrupted"
    assert 0 < stopped["steps"] < 6_400
    wait_for(lambda: RunFolder.open(path).summary["status"] == "finished")
    job._process.wait(60)
    undisturbed = s2lab.train(config(), runs=tmp_path / "other", quiet=True).path
    assert rows(path) == rows(undisturbed)


@needs_submitit
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # jobs outlive us
def test_submitits_local_executor_works_on_every_seed(tmp_path: Path) -> None:
    words = ["train", "CartPole-v1", "--seeds", "0", "1", "--steps", "640", "--track", "off"]
    more = ["--ppo", "num_envs=4", "rollout_steps=16", "--eval-episodes", "2"]
    launch = ["--launcher", "slurm", "--launch", "cluster=local", "--runs", str(tmp_path)]
    assert main([*words, *more, *launch]) == 0
    runs = [RunFolder.open(path) for path in tmp_path.glob("CartPole*")]
    assert len(runs) == 2
    wait_for(lambda: all(run.summary["status"] == "finished" for run in runs))


NODE = {"num_cpus": 2, "object_store_memory": 80 * 2**20}


@pytest.fixture
def ray_cluster(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two nodes on this machine; the head works on nothing."""
    import ray
    from ray.cluster_utils import Cluster

    for name, value in {
        "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
        "RAY_worker_niceness": "0",  # a busy machine starves Ray's usual 15
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    cluster.add_node(**NODE)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_killed_ray_worker_and_a_lost_node_lose_nothing(tmp_path: Path, ray_cluster: Any) -> None:
    """Both runs end as they do undisturbed, on a node that came later."""
    settings = [config(seed, steps=9_600) for seed in (0, 1)]
    # These come first: what they compile is then there for the workers.
    alone = [s2lab.train(each, runs=tmp_path / "alone", quiet=True).path for each in settings]
    paths = [create_run(each, tmp_path / "ray").path for each in settings]
    words = {"address": ray_cluster.address, "track": "off"}
    statuses: list[str] = []

    def drive() -> None:
        statuses.extend(run_on_ray(paths, RayOptions(), **words))  # type: ignore[arg-type]  # a Literal

    driver = threading.Thread(target=drive)
    driver.start()
    wait_for(lambda: all((path / "checkpoints" / "latest").exists() for path in paths), 240)
    begun = set(workers_at("work_on"))
    os.kill(min(begun), signal.SIGKILL)
    wait_for(lambda: set(workers_at("work_on")) - begun, 120)  # it was taken up again
    (node,) = ray_cluster.worker_nodes
    ray_cluster.remove_node(node, allow_graceful=False)
    assert any(RunFolder.open(path).summary["status"] == "running" for path in paths)
    ray_cluster.add_node(**NODE)
    driver.join(300)
    assert statuses == ["finished"] * 2
    assert [rows(path) for path in paths] == [rows(path) for path in alone]


def workers_at(task: str) -> list[int]:
    """Processes of Ray workers that are at a task; Ray names its workers after it."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text.startswith("ray::") and task in text:
            found.append(int(entry.parent.name))
    return found


@needs_ray
@pytest.mark.slow
def test_no_ray_cluster_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    def nobody(**_: Any) -> None:
        raise ConnectionError("Could not find any running Ray instance")

    monkeypatch.setattr(ray, "init", nobody)
    words = ["train", "CartPole-v1", "--launcher", "ray", "--runs", str(tmp_path)]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no Ray cluster answers at auto" in line
    assert "`ray start --head`" in line


@pytest.mark.parametrize(("launcher", "module"), [("slurm", "submitit"), ("ray", "ray")])
def test_a_missing_extra_is_named(
    launcher: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, module, None)
    words = ["train", "CartPole-v1", "--launcher", launcher, "--runs", str(tmp_path)]
    assert main(words) == 2
    assert f"pip install 's2lab[{launcher}]'" in capsys.readouterr().err


def test_slurm_options_have_no_surprises() -> None:
    assert SlurmOptions() == Launch.parse("slurm", {}, "auto").slurm
