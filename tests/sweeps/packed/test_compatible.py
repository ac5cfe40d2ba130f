"""Which members share a model."""

import json
import subprocess
import sys

import hydra
from sweeps.packed.runs import BERNOULLI, TWO, member, train_packed

from vae_cli.config.compose import accept
from vae_cli.config.diff import pack_signature
from vae_cli.sweeps.packed.compatible import compatible_groups


def test_with_free_bits_each_code_size_is_a_group(tmp_path, pack_sizes):
    """They would be granted to units that a smaller code does not have."""
    sizes = [(*BERNOULLI, "objective.free_bits=0.1", f"latent.code_size={size}") for size in (2, 3)]
    train_packed(tmp_path, [(*each, f"seed={seed}") for each in sizes for seed in (1, 2)])
    assert pack_sizes == [2, 2]


def test_members_that_differ_in_a_shape_or_in_code_do_not_share_a_model():
    def signature(*overrides: str) -> str:
        return pack_signature(accept(hydra.compose("config", [*BERNOULLI, *overrides])))

    for shared in (
        "seed=5", "optimizer.lr=1", "optimizer=rmsprop", "epochs=9", "name=x", "objective.beta=3", "latent.code_size=4",
    ):  # fmt: skip
        assert signature(shared) == signature(), shared
    for other in (
        "network.hidden=[9]", "network.activation=elu", "batch_size=9", "data.train_size=51",
        "data.seed=5", "objective.samples=2", "objective.free_bits=1", "estimator=reinforce", "precision=float32",
        "likelihood=continuous_bernoulli", "device=cpu", "runtime=eager",
    ):  # fmt: skip
        assert signature(other) != signature(), other


def test_two_members_of_one_folder_follow_each_other(tmp_path):
    """Two equal trials of a search are such members. In one group the second would wait for the first without end."""
    members = [member(tmp_path / "same", *TWO[0]) for _ in range(2)]
    assert [len(group) for group in compatible_groups(members)] == [1, 1]


def test_a_finished_sweep_is_recognized_without_torch(tmp_path):
    """Its import would take most of the time of a command that is repeated until all members have finished."""
    (folder := tmp_path / "0").mkdir()
    (folder / "summary.json").write_text(
        json.dumps({"status": "finished", "epochs": 3, "validation": {"elbo": -1}})
    )
    program = (
        "import sys; from pathlib import Path; from omegaconf import OmegaConf;"
        "from vae_cli.sweeps.packed.multi_gpu import *; from vae_cli.sweeps.job import Job, RunFolder;"
        "cfg = OmegaConf.create({'epochs': 3, 'returns': 'elbo', 'retry_failed': False});"
        f"job = Job(cfg, None, RunFolder(Path({str(folder)!r})), 'packed', ());"
        "assert len(compatible_groups([Member(job)])) == 1 and 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
