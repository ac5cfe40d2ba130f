"""The words of the command line before Hydra reads them."""

from pathlib import Path

import pytest
from comparison.sweeps import ODD_NAMES
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from vae_cli.config.arguments import for_hydra, positional, resumed
from vae_cli.config.quoting import PATHS, quoted, unquoted
from vae_cli.errors import UserError

TYPED = ["it's", 'a "b"', "a b", " a", "a=b", "a,b", "a(b", "50%", "#1", "a:b", "[a", "{a", "~", "Größe", "日本", "🙂",
         "a\\", "\\", "a\tb", "$HOME", "a${b", "\x1b[31m", "*", "()", "'", '"', "\udcff"]  # fmt: skip
# the others begin as Hydra's own quotes and lists do
OF_NOBODY = [text for text in TYPED if text[0] not in "'\"[{"]


def read(program: str, *words: str) -> dict[str, object]:
    """What Hydra reads, key → value."""
    parsed = OverridesParser.create().parse_overrides(for_hydra(program, words))
    return {override.key_or_group: override.value() for override in parsed}


def refused(*words: str, program: str = "vae-train") -> str:
    with pytest.raises(UserError) as error:
        for_hydra(program, words)
    return str(error.value)


def test_positional_folders_become_an_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=1,b=2").mkdir()
    Path("~a").mkdir()
    assert positional(["a=1,b=2", "there", "x=a"]) == ["x=a", 'folders=["a=1,b=2","there"]']
    assert positional(["~a", "~nobody-here/b", "~out", "~hydra.x"]) == [
        "~out",
        "~hydra.x",
        'folders=["~a","~nobody-here/b"]',
    ]
    assert for_hydra("vae-compare", ["there", "-m", "x=a,b"]) == ["--multirun", "x=a,b", 'folders=["there"]']


@pytest.mark.parametrize("name", ODD_NAMES)
def test_hydra_reads_a_quoted_name_back(name):
    override = OverridesParser.create().parse_override(f"folders=[{quoted(name)}]")
    (value,) = OmegaConf.create({"folders": override.value()}).folders
    assert str(value) == name
    assert unquoted(f"run={quoted(name)}") == f"run={name}" or "${" in name


@pytest.mark.parametrize("text", OF_NOBODY)
def test_every_key_takes_a_text_as_it_was_typed(text):
    value = read("vae-train", f"name={text}")["name"] if text not in ("a,b", "()") else text
    assert str(value) == text.lstrip(" ") or str(OmegaConf.create({"name": value}).name) == text


@pytest.mark.parametrize("key", PATHS)
@pytest.mark.parametrize("text", [text for text in OF_NOBODY if text != "~" and "${" not in text])
def test_a_path_is_a_path_whatever_it_holds(key, text):
    (value,) = read("vae-train", f"{key}={text}").values()
    assert value == (str(Path(text).absolute()) if key == "hydra.sweep.dir" else text)


def test_a_path_may_begin_with_a_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    for key in PATHS:
        assert read("vae-train", f"{key}=~/x y") == {key: "/home/me/x y"}
        (value,) = read("vae-train", f"{key}=~nobody-of-this-name/x").values()
        assert str(value).endswith("~nobody-of-this-name/x")


def test_a_sweep_over_folders_takes_them_as_they_are(tmp_path, monkeypatch):
    """Members of a sweep have `=` and `,` in their names."""
    monkeypatch.chdir(tmp_path)
    for name in ("a=1,b=2", "a=1", "b c"):
        Path(name).mkdir()
    *_, word = for_hydra("vae-eval", ["-m", "run=a=1,b=2,a=1,b c,gone=3"])
    override = OverridesParser.create().parse_override(word)
    assert [value.text if hasattr(value, "text") else value for value in override.sweep_iterator()] == [
        f"{tmp_path}/a=1,b=2", f"{tmp_path}/a=1", f"{tmp_path}/b c", "gone=3",
    ]  # fmt: skip


def test_what_hydra_reads_already_is_left_alone():
    words = ["latent=bernoulli", "network.hidden=[400,200]", "~seed", "+x=${seed}", "optimizer={lr: 0.1}", "name='a b'",
             "epochs=1_000", "hydra.run.dir=outputs/${name}/${now:%H}", "run=null", "data.root=${oc.env:HOME,/}/x"]  # fmt: skip
    assert for_hydra("vae-train", words) == words
    sweep = ["seed=range(3)", "latent=glob(*)", "epochs=choice(1,2)", "optimizer.lr=0.1,0.2", "name=a,b"]
    assert for_hydra("vae-train", ["-m", *sweep]) == ["--multirun", *sweep]


def test_a_sweep_quotes_each_value():
    assert for_hydra("vae-train", ["-m", "name=Größe,b"]) == ["--multirun", 'name="Größe",b']


def test_flags_come_first_with_their_values():
    words = ["latent=bernoulli", "-m", "seed=0,1", "-cd", "mine", "epochs=2", "--config-name=config"]
    flags = ["--multirun", f"--config-dir={Path.cwd()}/mine", "--config-name=config"]
    assert for_hydra("vae-train", words) == [*flags, "latent=bernoulli", "seed=0,1", "epochs=2"]
    assert for_hydra("vae-train", ["--info", "seed=1"]) == ["--info=all", "seed=1"]


FLAGS = {
    "-x": "no flag -x", "-xm": "no flag -xm", "--epochs=3": "did you mean 'epochs'", "--mult": "did you mean '--multirun'",
    "-1": "no flag -1", "-": "no flag -", "--": "no flag --", "--multirun=3": "takes no value", "-c": "needs a value",
    "--cfg jobs": "--cfg=jobs is not allowed; allowed is job, hydra, all", "--info bad": "--info=bad", "--config-dir": "needs",
    "--config-dir=": "needs a value", "--resolve": "goes with --cfg", "-m -c job": "leave -m out", "-r -m": "exclude",
    "-c job --cfg=all": "given twice", "--experimental-rerun x": "no flag --experimental-rerun", "seed=1 --hydra-help": "leave seed=1 out",
    "--shell-completion": "takes one of", "-sc install=bash query=bash": "takes one of",
}  # fmt: skip


@pytest.mark.parametrize("words", FLAGS)
def test_a_wrong_flag_is_one_sentence_wherever_it_stands(words):
    for before, after in (([], []), (["seed=1"], []), ([], ["seed=1"]), (["seed=1"], ["epochs=2"])):
        if not after or "=" in words or not words.endswith(("-c", "--config-dir")):
            assert FLAGS[words] in refused(*before, *words.split(), *after)


IGNORED = {
    "seed=1 seed=2": "seed is given twice",
    "seed=1 ++seed=2": "seed is given twice",
    "~seed seed=2": "seed is given twice",
    "latent=gaussian latent=bernoulli": "latent is given twice",
    "-m seed=1,2 seed=3": "seed is given twice",
    "hydra.run.dir=a hydra.run.dir=b": "hydra.run.dir is given twice",
    "checkpoint={minutes:2} checkpoint.minutes=3": "checkpoint.minutes is given twice",
    "data.rectangle_height.0=3": "give the whole list, data.rectangle_height=",
    "++network.hidden.1=3": "give the whole list, network.hidden=",
    "hydra.callbacks.before=null": "cannot be changed",
    "hydra.output_subdir=x": "cannot be changed",
    "hydra/job_logging=default": "cannot be changed",
    "~hydra.launcher": "as a whole",
    "hydra=null": "as a whole",
    "+hydra.x=1": "there is no key 'hydra.x'",
    "latent=[gaussian,bernoulli]": "latent=OPTION",
    "latent=[1,2],[3]": "latent=OPTION",
    "-m latent=[1,2],[3]": "latent=OPTION",
    "experiment=3": "experiment=OPTION",
    "seed=1,2": "several values",
    "seed=range(3)": "several values",
    "network.hidden=[3": "cannot read 'network.hidden=[3'",
    "seed": "cannot read 'seed'",
    "+latent@x=bernoulli": "without @x",
    "latent.name=x latent=bernoulli": "latent=OPTION",
    "-m seed='${}',3": "cannot read \"seed='${}',3\"",
    "@best=1": "cannot read '@best=1'",
    "=3": "cannot read '=3'",
}


@pytest.mark.parametrize("words", IGNORED)
def test_what_hydra_would_drop_or_misread_is_refused(words):
    assert IGNORED[words] in refused(*words.split())


def test_what_goes_together_stays_allowed():
    for words in ("seed=1 seed=1", "latent=bernoulli latent.temperature=0.7", "-m seed=1,2 epochs=3", "hydra.verbose=true",
                  "hydra/launcher=joblib hydra.launcher.n_jobs=2"):  # fmt: skip
        for_hydra("vae-train", words.split())


UNUSED = {
    "hydra/launcher=joblib": "-m", "+hydra.launcher.n_jobs=2": "-m", "hydra/sweeper=basic": "-m", "hydra.sweep.dir=x": "-m",
    "+hydra.sweeper.params.seed=1": "-m", "-m hydra.run.dir=x": "hydra.sweep.dir=FOLDER",
}  # fmt: skip


@pytest.mark.parametrize("words", UNUSED)
@pytest.mark.parametrize("program", ["vae-train", "vae-eval"])
def test_what_has_no_effect_is_refused_with_the_remedy(command, tmp_path, program, words):
    done = command(program, *words.split(), "seed=1", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "has no effect on" in done.stderr and UNUSED[words] in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_its_key_is_told_the_key(tmp_path):
    assert "written run=FOLDER" in refused(str(tmp_path), program="vae-eval")
    assert "written resume=FOLDER" in refused(str(tmp_path))


def test_resume_is_taken_from_anywhere_and_with_quotes():
    assert resumed(["epochs=3", "resume='a b'"]) == {"resume": "a b", "epochs": "3"}
    assert resumed(["resume=null"]) is None and resumed(["seed=1"]) is None and resumed(["resume="]) is None
    for words in (
        "+resume=a",
        "++resume=a",
        "resume=a -m",
        "resume=a resume=b",
        "resume=a epochs=1 epochs=2",
    ):
        with pytest.raises(UserError):
            resumed(words.split())
