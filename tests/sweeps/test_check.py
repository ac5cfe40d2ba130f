"""What is refused before the first member of a sweep starts: then there is one line, and nothing on the disk."""

import pytest

REFUSED = {
    "latent.code_size=2,x": "latent.code_size=x is not allowed; ",
    "latent.code_size=2,-1": "latent.code_size=-1 is not allowed; ",
    "latent=gaussian,nonsense": "there is no latent=nonsense; ",
    "data.validation_size=20,0 patience=3": "patience=3 needs validation images",
    "external_targets=true,maybe": "external_targets=maybe is not allowed; ",
    "seed=range(3,1)": "seed=range(3,1) has no value, ",
    "seed=range(0,1,0)": "seed=range(0,1,0) cannot be read: ",
    "seed=glob(*)": "seed=glob(*) has no value, ",
    "latent=glob(z*)": "latent=glob(z*) has no value, ",
    "optimizer.lr=interval(0.1,1)": "optimizer.lr=interval(0.1,1) is for a search, ",
    "seed=range(1000000000)": "the sweep would have 100001 members or more; ",
    "seed=range(1000) latent.code_size=range(1,1000)": "the sweep would have 999000 members or more; ",
    "seed=1,1": "two members would train in ",
    "threads=1,2": "threads=2 does not change the name of the folder",
    "seed=1,2 hydra.sweep.subdir=all": "two members would train in ",
    "hydra.sweep.subdir=../../taken seed=1": "taken is a file, ",
    "hydra.sweeper.max_batch_size=0 seed=1,2": "hydra.sweeper.max_batch_size=0 is not allowed; ",
    "seed=1,${nothing}": "nothing",
    "seed=1,2 hydra.sweep.subdir=${nothing}": "nothing",
}


@pytest.mark.parametrize("words", REFUSED)
def test_one_bad_member_starts_none(command, tmp_path, words):
    (tmp_path / "taken").write_text("a file")
    done = command("vae-train", "-m", *words.split(), cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("vae-train: ") and done.stderr.count("\n") == 1
    assert REFUSED[words] in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_sweep_over_no_folder_is_refused_by_the_other_commands_as_well(command, tmp_path):
    done = command("vae-eval", "-m", "run=glob(*)", cwd=tmp_path)
    assert done.returncode == 2 and "run=glob(*) has no value" in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
