"""A JSON or YAML file is read as it was written, or refused; none can cost much more than its size."""

import json
import random

import pytest

from vae_cli.runs.documents import read_json_object, read_yaml, write_json

DOCUMENT = {
    "status": "finished",
    "test": {"nll": 103.25, "per_unit": [0.1, 1e-12, None]},
    "name": "Größe",
    "steps": 12,
}


def test_an_object_is_read_as_it_was_written_without_its_checksum(tmp_path):
    write_json(tmp_path / "file.json", DOCUMENT)
    assert read_json_object(tmp_path / "file.json") == DOCUMENT
    assert list(json.loads((tmp_path / "file.json").read_text())) == [*DOCUMENT, "checksum"]


def test_an_object_of_an_earlier_version_has_no_checksum(tmp_path):
    (tmp_path / "file.json").write_text('{"status": "finished"}')
    assert read_json_object(tmp_path / "file.json") == {"status": "finished"}


def test_every_flipped_bit_that_changes_the_content_is_noticed(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, DOCUMENT)
    content, generator, accepted = path.read_bytes(), random.Random(0), 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            assert read_json_object(path) == DOCUMENT, place  # a space that became another kind of space
            accepted += 1
        except ValueError:
            pass
    assert accepted < len(content) / 10


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"3", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe{}", b"1" * 10_000])  # fmt: skip
def test_what_is_no_object_is_a_value_error(tmp_path, content):
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(ValueError):
        read_json_object(tmp_path / "file.json")


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%b]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9)) for name in b"bcdefghi"
)


@pytest.mark.parametrize("content", [BOMB, b"a: [", b"- " * 100_000, b"[" * 100_000, b"a: !!python/object:os.system x", b"\xff\xfe\x00", b"\ta: 1"])  # fmt: skip
def test_what_is_no_plain_yaml_is_a_value_error(tmp_path, content):
    (tmp_path / "file.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"file\.yaml"):
        read_yaml(tmp_path / "file.yaml")


def test_a_star_in_a_text_is_no_alias(tmp_path):
    (tmp_path / "file.yaml").write_text("name: 3*4\n")
    assert read_yaml(tmp_path / "file.yaml") == {"name": "3*4"}
