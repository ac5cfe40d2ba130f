"""Command lines made from the schema: a tiny run, evaluation or comparison, changed by a few words that are valid, at a bound,
or hostile. The same seed and number give the same line."""

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from conftest import SUBSET
from integration.fuzz.hostile_words import FLAGS, HOSTILE, SYNTAX
from integration.fuzz.schema_keys import TOO_SLOW, fields, option_of, options_of
from integration.fuzz.values import UNKNOWN, Kind, draw_value, written

from vae_cli.config.schema.commands import CompareConfig, EvalConfig
from vae_cli.config.schema.keys import option_class
from vae_cli.config.schema.run import GROUPS, CallConfig, CheckpointConfig, RunConfig

RECTANGLES = {
    "data.height": "8", "data.width": "8", "data.rectangle_height": "[2,4]", "data.rectangle_width": "[2,4]",
    "data.train_size": "24", "data.validation_size": "8", "data.test_size": "8",
}  # fmt: skip
TINY = {
    "epochs": "1",
    "batch_size": "8",
    "network.hidden": "[4]",
    "latent.code_size": "2",
    "nll_samples": "2",
}
MNIST = {"data.root": str(SUBSET), "data.validation_size": "380", "data.limit": "20"}
OF_DATA = {
    "rectangles": RECTANGLES, "squares": RECTANGLES | {"data.height": "10", "data.width": "10"},
    "arrays": {"data.path": "images.npz"},
    "omniglot": MNIST | {"data.validation_size": "10"},
    "mnist": MNIST, "binarized_mnist": MNIST, "fashion_mnist": MNIST,
}  # fmt: skip
CONV = {"network.hidden": "4", "network.channels": "[2]"}
EVALUATION = {"run": "run", "nll_samples": "2", "test_images": "8", "pictures": "[]", "probe": "false"}
TEXTS = {  # what a text may be where any text is allowed
    "name": ["fuzz", "Größe"], "device": ["cpu", "auto"], "data.root": [str(SUBSET), "nowhere"], "run": ["run", "other", "nowhere"],
    "data.path": ["images.npz", "nowhere.npz"], "anomaly": ["rectangles", "images.npz", "digit_4", "nowhere"], "resume": ["run"],
    "x": ["auto", "seed", "latent.code_size"], "y": ["auto", "seed", "latent"], "value": ["auto", "test.nll", "steps", "test"],
    "out": ["out"], "folders": ["run"], "data.train": ["train"], "data.validation": ["validation"], "data.test": ["test"],
}  # fmt: skip
# the largest number that a key gets; 4 elsewhere
MOST = {"seed": 9, "data.height": 10, "data.width": 10, "batch_size": 24, "data.train_size": 24, "threads": 2}


class Word(NamedTuple):
    text: str
    key: str = ""
    value: Any = UNKNOWN
    wrong: bool = False  # must be refused
    base: bool = False  # only makes the run tiny


class Line(NamedTuple):
    program: str
    words: tuple[Word, ...]

    @property
    def arguments(self) -> list[str]:
        return [word.text for word in self.words]


def line(seed: int, number: int) -> Line:
    draw = random.Random(f"{seed} {number}")
    makes: list[Callable[[random.Random], Line]] = [train, sweep, evaluate, compare]
    return draw.choices(makes, weights=[55, 15, 15, 15])[0](draw)


def train(draw: random.Random) -> Line:
    base, keys, chosen = of_a_run(draw)
    return assembled("vae-train", base, [*chosen, *changes(keys, draw)], draw)


def sweep(draw: random.Random) -> Line:
    """Of at most three members; now and then one that Hydra must refuse, or that has no member."""
    base, keys, chosen = of_a_run(draw)
    words = [*chosen, *changes(keys, draw)[: draw.choice([0, 1])]]
    key = draw.choice([*keys])
    values = [draw_value(keys[key], draw, MOST.get(key, 4)) for _ in range(draw.randint(1, 3))]
    ways = [",".join(each.text for each in values), f"choice({','.join(each.text for each in values)})"]
    text = draw.choice(
        [*ways, "range(1,4)", "range(3,1)", "glob(*)", "interval(1,2)", "1,1", "1,", ",", "seed"]
    )
    words.append(Word(f"{key}={text}", key))
    if draw.random() < 0.3:
        words.append(Word("hydra/launcher=packed", "hydra/launcher"))
    flag = Word(draw.choice(["-m", "--multirun"]), base=True)
    return assembled("vae-train", base, words, draw, [flag])


def evaluate(draw: random.Random) -> Line:
    keys = {key: each for key, each in fields(EvalConfig).items() if key != "classifier_epochs"}
    sweeps = [Word("-m", base=True)] * (draw.random() < 0.15)
    return assembled("vae-eval", EVALUATION, changes(keys, draw), draw, sweeps)


def compare(draw: random.Random) -> Line:
    folders = draw.choice([["run"], ["run"], ["run", "other"], ["run", "other"], ["other", "nothing"], []])
    words = [Word(text, base=text != "nothing") for text in folders]
    return assembled("vae-compare", {}, changes(fields(CompareConfig), draw), draw, words)


def of_a_run(draw: random.Random) -> tuple[dict[str, str], dict[str, tuple[Kind, ...]], list[Word]]:
    """What makes it tiny, the keys that it has, and the options that are chosen."""
    chosen, names = list[Word](), {"data": "rectangles", "latent": "gaussian", "network": "mlp"}
    for group in GROUPS:
        options = sorted(options_of(group).keys() - TOO_SLOW)
        if draw.random() < 0.15:
            names[group] = draw.choice(options)
            chosen.append(Word(f"{group}={names[group]}", group, names[group]))
    if draw.random() < 0.03:
        chosen.append(Word(f"{draw.choice(GROUPS)}={draw.choice(HOSTILE)}"))
    base = TINY | OF_DATA[names["data"]] | (CONV if names["network"] == "conv" else {})
    keys = fields(RunConfig) | fields(CheckpointConfig, "checkpoint.") | fields(CallConfig)
    for group in GROUPS:
        keys |= fields(option_class(group, options_of(group)[option_of(group, names)]), f"{group}.")
    keys.pop("runtime.compile", None)  # as slow as runtime=compile
    return base, keys, chosen


def changes(keys: dict[str, tuple[Kind, ...]], draw: random.Random) -> list[Word]:
    """One to three words; most are a key with a value."""
    return [word for _ in range(draw.choice([1, 1, 1, 1, 2, 3])) for word in change(keys, draw)]


def change(keys: dict[str, tuple[Kind, ...]], draw: random.Random) -> Iterator[Word]:
    key, way = draw.choice(sorted(keys)), draw.random()
    if way < 0.85:
        yield valued(key, keys[key], draw)
    elif way < 0.87:
        yield Word(f"{draw.choice(['+', '++', '~'])}{key}={draw_value(keys[key], draw, 4).text}", key)
    elif way < 0.89:  # twice
        for _ in range(2):
            yield valued(key, keys[key], draw)
    elif way < 0.91:
        yield Word(f"~{key}", key)
    elif way < 0.94:
        yield from (Word(text) for text in draw.choice(FLAGS).split(" "))
    elif way < 0.98:
        yield Word(draw.choice(SYNTAX))
    else:
        yield Word(misspelled(f"{key}=1", draw))


def valued(key: str, found: tuple[Kind, ...], draw: random.Random) -> Word:
    if key in TEXTS and draw.random() < 0.6:
        text = draw.choice(TEXTS[key])
        value = [text] if key == "folders" else text
        return Word(f"{key}={written(value)}", key, value)
    value = draw_value(found, draw, MOST.get(key, 4))
    if key == "out":  # vae-compare takes whatever is there as a path
        return Word(f"{key}={value.text}", key)
    return Word(f"{key}={value.text}", key, value.value, value.wrong)


def misspelled(text: str, draw: random.Random) -> str:
    at, letter = draw.randrange(len(text)), draw.choice("aZ0._-=+~@$,'\"[]{}()\\ \t\n\x1bé")
    return text[:at] + draw.choice([letter, letter + text[at], ""]) + text[at + 1 :]


def assembled(
    program: str, base: dict[str, str], words: list[Word], draw: random.Random, more: list[Word] | None = None
) -> Line:
    """The base words whose keys no other word has, and the others among them."""
    taken = {word.key for word in words}
    whole = [Word(f"{key}={text}", key, base=True) for key, text in base.items() if key not in taken]
    for word in (*(more or ()), *words):
        whole.insert(draw.randint(0, len(whole)), word)
    return Line(program, tuple(whole))
