"""The server that all tests of commands build on: what it does to a command, and that commands know nothing of each other."""

import signal
import time

SMALL = ("data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]",
         "data.train_size=40", "data.validation_size=20", "data.test_size=20", "network.hidden=[8]", "nll_samples=0")  # fmt: skip
ENDLESS = (*SMALL, "epochs=1000000", "hydra.run.dir=run")


def test_a_command_has_its_own_folder_environment_limits_and_streams(command, tmp_path):
    refused = command("vae-train", "epochs=0", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "") and "epochs=0" in refused.stderr
    words = ("name=${oc.env:MINE}", "epochs=1", "--cfg", "job", "--resolve")
    assert "name: a\n" in command("vae-train", *words, cwd=tmp_path, env={"MINE": "a"}).stdout
    assert "MINE" in command("vae-train", *words, cwd=tmp_path).stderr
    small = command("vae-train", *SMALL, "epochs=1", cwd=tmp_path, limits={"RLIMIT_FSIZE": 100})
    assert small.returncode != 0 and command("vae-train", *SMALL, "epochs=1", cwd=tmp_path).returncode == 0


def test_a_time_limit_ends_a_command(command, tmp_path):
    done = command("vae-train", *ENDLESS, cwd=tmp_path, time_limit=0.8)
    assert done.returncode == -signal.SIGKILL and done.timed_out and 0.8 <= done.seconds < 20
    killed = command("vae-train", "--help", cwd=tmp_path, kill_after=0)
    assert killed.returncode == -signal.SIGKILL and not killed.timed_out


def test_signals_reach_a_running_command_and_none_that_has_ended(command_server, tmp_path):
    times = [(0.1, signal.SIGSTOP), (0.6, signal.SIGCONT)]
    first = command_server.start("vae-train", *ENDLESS, cwd=tmp_path, signals=times)
    other = command_server.run("vae-train", "epochs=0", cwd=tmp_path)
    assert other.returncode == 2 and first.wait(0) is None
    while not (tmp_path / "run/metrics.jsonl").exists():
        assert first.wait(0.05) is None
    first.send(signal.SIGTERM)
    done = first.wait(60)
    assert done.returncode == 130 and "interrupted" in done.stderr and done.seconds > 0.5
    first.send(signal.SIGKILL)
    assert first.wait() == done


def test_a_timeout_of_the_wait_ends_nothing(command_server, tmp_path):
    running = command_server.start("vae-train", "epochs=0", cwd=tmp_path)
    started = time.monotonic()
    assert running.wait(0.001) is None and time.monotonic() - started < 1
    assert running.wait().returncode == 2
