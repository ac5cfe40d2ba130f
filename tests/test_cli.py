"""--help and configuration errors answer before anything heavy is imported."""

import subprocess
import sys

import pytest

LIGHT = """
import sys
sys.argv = ["vae-train", *{arguments}]
from vae_cli.__main__ import train
status = 0
try:
    train()
except SystemExit as end:
    status = end.code
heavy = {{*{heavy}, "torch", "torchvision", "numpy", "tensorboard", "matplotlib", "tqdm"}} & sys.modules.keys()
print("status", status, "heavy", sorted(heavy))
"""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["latent.code_size=0"], 2),
        (["latent=bernouli"], 2),
        (["latent=gaussian", "estimator=concrete"], 2),
        (["--help"], 0),
        (["--cfg", "job"], 0),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_help_and_configuration_errors_import_nothing_heavy(arguments, status, tmp_path):
    # importing them takes longer than all else
    heavy = ["hydra", "pydantic"] if "--help" in arguments else []
    run = subprocess.run(
        [sys.executable, "-c", LIGHT.format(arguments=arguments, heavy=heavy)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.stdout.splitlines()[-1] == f"status {status} heavy []"
    assert list(tmp_path.iterdir()) == []
