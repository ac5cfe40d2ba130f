"""The table at the end of a sweep."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sweeps.small import end_of_sweep, summaries

from vae_cli.sweeps.call import NOT_STARTED, Entry, SweepCall
from vae_cli.sweeps.summary import summarize


def test_the_table_has_a_row_for_each_member_and_the_failures_are_named_below(swept):
    """Also a member that was refused, and so has left nothing, has its settings in the table."""
    cwd, done = swept
    table = end_of_sweep(done.stdout)
    assert table[0].split() == ["status", "elbo", "nll", "s", "device", "optimizer.lr"]
    assert sorted(line.split()[0] for line in table[1:5]) == ["diverged", "finished", "refused", "refused"]
    (finished,) = (line for line in table[1:5] if line.split()[0] == "finished")
    test = summaries(cwd)["cpu", 0.001]["test"]
    assert f"{test['elbo']:.2f}" in finished and f"{test['nll']:.2f}" in finished
    assert "device=cpu" in finished
    named = [line for line in table[5:] if line.startswith(("refused: ", "diverged: "))]
    assert len(named) == 3 and sum("outputs/s/" in line for line in named) == 1
    assert table[-1] == "compare them: vae-compare outputs/s"


def test_the_rows_are_sorted_by_the_keys_that_differ(swept):
    table = end_of_sweep(swept[1].stdout)[1:5]
    rows = [re.search(r"device=(\S+) .*lr=(\S+)", line).groups() for line in table]
    assert rows == [("cpu", "0.001"), ("cpu", "1e+18"), ("cuda", "0.001"), ("cuda", "1e+18")]


def entry(folder: Path, status: str = "running", number: int = 0, pid: int = 0) -> Entry:
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra/config.yaml").write_text("seed: 1")
    return Entry(number, str(folder), status, pid, platform.node())


def test_a_member_whose_process_died_is_named_with_the_process(tmp_path, capsys):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    member = entry(tmp_path / "seed=1", pid=process.pid)
    assert not summarize(SweepCall(tmp_path), [member], expected=1)
    assert f"\nunfinished: pid {process.pid} on {platform.node()} died; " in capsys.readouterr().out


@pytest.mark.parametrize("expected", [2, None])
def test_a_member_about_which_nothing_is_known_is_a_failure(tmp_path, capsys, expected):
    """Where the number of members is not known, a sweep that has started none has failed."""
    (tmp_path / "seed=1").mkdir()
    finished = entry(tmp_path / "seed=1", "finished")
    (tmp_path / "seed=1/summary.json").write_text('{"status": "finished"}')
    entries = [finished] if expected else []
    assert not summarize(SweepCall(tmp_path), entries, expected)
    assert "\nnot started: 1" in "\n" + capsys.readouterr().out
    assert summarize(SweepCall(tmp_path), [finished], len(entries) or None)


def test_why_members_were_not_started_is_said_once(tmp_path, capsys):
    entries = [entry(tmp_path / f"seed={i}", NOT_STARTED, i)._replace(error="a\x1b failed") for i in range(3)]
    assert not summarize(SweepCall(tmp_path), entries, expected=4)
    assert capsys.readouterr().out == "not started: 4 of 4 members; a\\x1b failed\n"


@pytest.mark.parametrize("damage", ["config", "summary", "both", "gone"])
def test_a_damaged_member_costs_its_own_row_only(tmp_path, capsys, damage):
    """It has not finished, whatever it has noted."""
    entries = []
    for i in range(3):
        entries.append(entry(tmp_path / f"seed={i}", "finished", i))
        (tmp_path / f"seed={i}/.hydra/config.yaml").write_text(f"seed: {i}")
        (tmp_path / f"seed={i}/summary.json").write_text('{"status": "finished"}')
    if damage in ("config", "both"):
        (tmp_path / "seed=1/.hydra/config.yaml").write_bytes(b"seed: [\xff")
    if damage in ("summary", "both"):
        (tmp_path / "seed=1/summary.json").write_text('{"status": 1e999, "files": 3}')
    if damage == "gone":
        (tmp_path / "seed=1").rename(tmp_path / "elsewhere")
    assert not summarize(SweepCall(tmp_path), entries, expected=3)
    header, *rows = end_of_sweep(capsys.readouterr().out)[:4]
    assert header.split() == ["status", "elbo", "nll", "s", "seed"]
    assert [row.split()[0] for row in rows].count("finished") == 2
