"""A user's own YAML files: what is obvious works, every fault is one line with the file and the line."""

from pathlib import Path

import pytest
from hydra import compose

from vae_cli.config.compose import accept, accept_call
from vae_cli.config.schema.run import RunConfig
from vae_cli.errors import UserError

EXPERIMENT = "# @package _global_\nseed: 3\nlatent:\n  code_size: 5\n"


def composed_from(folder: Path, content: bytes, file: str = "experiment/mine.yaml") -> RunConfig:
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    group = path.parent.name
    cfg = compose("config", [f"hydra.searchpath=[file://{folder}]", f"{group}={path.stem}"])
    accept_call(cfg)
    return accept(cfg)


FORMS = {
    "Unix": EXPERIMENT.encode(),
    "Windows line ends": EXPERIMENT.replace("\n", "\r\n").encode(),
    "a byte-order mark": EXPERIMENT.encode("utf-8-sig"),
    "no package": EXPERIMENT.partition("\n")[2].encode(),
    "an empty first line": b"\n" + EXPERIMENT.encode(),
    "no line end at the end": EXPERIMENT.rstrip().encode(),
    "a comment in another alphabet": f"{EXPERIMENT}# ½ Größe 寸法\n".encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_experiment_does_what_it_says_in_every_form(tmp_path, form):
    config = composed_from(tmp_path, FORMS[form])
    assert (config.seed, config.latent.code_size) == (3, 5)


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "0.001", "1.0e-3", ".001"])
def test_every_spelling_of_a_number_is_a_number(tmp_path, number):
    config = composed_from(tmp_path, f"optimizer:\n  lr: {number}\n".encode())
    assert config.optimizer.lr == 0.001


HEAD = "# @package _global_\n"
FAULTS = {
    "a tab": (f"{HEAD}latent:\n\tcode_size: 3\n", "line 3: a tab"),
    "a duplicate key": (f"{HEAD}seed: 3\nepochs: 1\nseed: 4\n", "line 4: the key seed is here a second time"),
    "a duplicate key below": (f"{HEAD}latent:\n  code_size: 3\n  code_size: 4\n", "line 4: the key code_size"),
    "Latin-1": (f"{HEAD}name: Gr\xf6\xdfe\n".encode("latin-1"), "line 2: byte 0xf6 is no UTF-8"),
    "UTF-16": (f"{HEAD}seed: 3\n".encode("utf-16"), "line 1: byte 0xff is no UTF-8"),
    "a NUL": (f"{HEAD}seed: 3\nepochs: \0\n", "line 3: special characters"),
    "a colon": (f"{HEAD}name: a: b\n", "line 2: a colon"),
    "an open bracket": (f"{HEAD}network:\n  hidden: [3\n", "line 4: expected"),
    "a foreign tag": (f"{HEAD}name: !!python/object/apply:os.getcwd []\n", "line 2: could not determine"),
    "an alias of itself": (f"{HEAD}network: &a\n  hidden: [*a]\n", "an alias"),
    "an undefined alias": (f"{HEAD}seed: *a\n", "line 2: found undefined alias"),
    "a list": (f"{HEAD}- seed\n", "has no keys"),
    "a word": (f"{HEAD}seed=3\n", "has no keys"),
    "an incomplete package": ("# @package\nseed: 3\n", "line 1: "),
    "a number in quotes": (f"{HEAD}optimizer:\n  lr: '1e-3'\n", "line 3"),
    "an unknown key": (f"{HEAD}latent:\n  code_sise: 3\n", "did you mean 'latent.code_size'? (mine.yaml, line 3)"),
    "a bad value": (f"{HEAD}seed: -1\n", "line 2"),
    "another package": ("# @package experiment\nseed: 3\n", "line 2"),
    "resume": (f"{HEAD}resume: outputs\n", "on the command line, resume=FOLDER"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_line(tmp_path, monkeypatch, fault):
    monkeypatch.chdir(tmp_path)
    content, words = FAULTS[fault]
    content = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(UserError) as error:
        composed_from(tmp_path, content)
    message = str(error.value)
    assert words.replace("mine.yaml", "experiment/mine.yaml") in message and "\n" not in message, message
    assert "experiment/mine.yaml" in message


def test_a_fault_in_an_option_has_its_line_too(tmp_path):
    content = b"defaults:\n  - gaussian\n\ncode_size: -3\n"
    with pytest.raises(UserError, match=r"latent\.code_size=-3 .*latent/mine\.yaml, line 4"):
        composed_from(tmp_path, content, "latent/mine.yaml")


def test_what_the_command_line_overrides_has_no_line(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["vae-train", "experiment=mine", "seed=-2"])
    with pytest.raises(UserError) as error:
        composed_from(tmp_path, f"{HEAD}seed: -1\n".encode())
    assert "mine.yaml" not in str(error.value)
