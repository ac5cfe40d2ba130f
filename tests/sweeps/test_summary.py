"""The table at the end of a sweep."""

import platform
import re
import subprocess
import sys

from sweeps.small import end_of_sweep, summaries

from vae_cli.sweeps.folder import SweepFolder
from vae_cli.sweeps.monitor import Monitor
from vae_cli.sweeps.summary import summarize


def test_the_table_has_a_row_for_each_member_and_the_failures_are_named_below(swept):
    cwd, done = swept
    table = end_of_sweep(done.stdout)
    assert table[0].split() == ["status", "elbo", "nll", "s", "latent.code_size", "optimizer.lr"]
    assert sorted(line.split()[0] for line in table[1:5]) == ["diverged", "failed", "failed", "finished"]
    (finished,) = (line for line in table[1:5] if line.split()[0] == "finished")
    test = summaries(cwd)[4, 0.001]["test"]
    assert f"{test['elbo']:.2f}" in finished and f"{test['nll']:.2f}" in finished
    assert "latent.code_size=4" in finished
    named = [line for line in table[5:] if line.startswith(("failed: ", "diverged: "))]
    assert len(named) == 3 and all("outputs/s/" in line for line in named)
    assert table[-1] == "compare them: vae-compare outputs/s"


def test_the_rows_are_sorted_by_the_keys_that_differ(swept):
    table = end_of_sweep(swept[1].stdout)[1:5]
    sizes = [int(re.search(r"code_size=(-?\d+)", line)[1]) for line in table]
    rates = [float(re.search(r"lr=(\S+)", line)[1]) for line in table]
    assert list(zip(sizes, rates, strict=True)) == [(-1, 0.001), (-1, 1e18), (4, 0.001), (4, 1e18)]


def test_a_member_whose_process_died_is_named_with_the_process(tmp_path, capsys):
    sweep = SweepFolder(tmp_path)
    monitor = Monitor(sweep, expected=1, local=False)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (tmp_path / "seed=1/.hydra").mkdir(parents=True)
    (tmp_path / "seed=1/.hydra/config.yaml").write_text("seed: 1")
    (tmp_path / "seed=1/.lock").write_text(f"pid {process.pid} on {platform.node()}")
    assert not summarize(sweep, monitor.close())
    assert f"\nunfinished: pid {process.pid} on {platform.node()} died; " in capsys.readouterr().out
