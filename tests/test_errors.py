"""No text controls the terminal that shows it; an interruption is known by what it caused."""

import pytest
from pydantic_core import SchemaError

from vae_cli.errors import LONGEST, Interrupted, UserError, is_interruption, printable


@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "a\nb\r\tc", "\x07\x9b2J", "\udcff", "\u202ereversed", "\x00"]
)
def test_what_controls_a_terminal_is_spelled_out(text):
    assert printable(text).isprintable() and "\\" in printable(text)


@pytest.mark.parametrize("text", ["Größe=½ × 3 – 4", "目", "plain"])
def test_what_can_be_read_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize("length", [1, LONGEST - 1, LONGEST, LONGEST + 1, 100_000])
def test_a_long_text_keeps_its_beginning_and_its_end(length):
    text = f"<{'x' * (length - 2)}>"[:length]
    shown = printable(text, LONGEST)
    assert len(shown) == min(length, LONGEST)
    assert shown[0] == text[0] and shown[-1] == text[-1]


def failing_clean_up(error: BaseException) -> None:
    try:
        raise error
    finally:
        raise AttributeError("half made")


@pytest.mark.parametrize("error", [Interrupted(), KeyboardInterrupt(), ValueError("of another kind")])
def test_an_error_of_a_clean_up_after_a_signal_is_an_interruption(error):
    with pytest.raises(AttributeError) as raised:
        failing_clean_up(error)
    assert is_interruption(raised.value) == isinstance(error, KeyboardInterrupt)
    again = RuntimeError("reported")
    again.__cause__ = raised.value
    again.__context__ = again  # chains may be circles
    assert is_interruption(again) == isinstance(error, KeyboardInterrupt)


def test_a_schema_that_pydantic_could_not_build_because_of_a_signal_is_an_interruption():
    assert is_interruption(SchemaError("Error building `literal` serializer:\n  KeyboardInterrupt: "))
    assert not is_interruption(SchemaError("Error building `literal` serializer:\n  TypeError: "))
    assert not is_interruption(ValueError("name=KeyboardInterrupt is not allowed"))


def test_an_error_of_compiled_code_after_a_signal_is_an_interruption(monkeypatch):
    """matplotlib's, for one, says "Invalid affine transformation matrix" and does not know of the signal."""
    error = ValueError("Invalid affine transformation matrix")
    assert not is_interruption(error)
    monkeypatch.setattr(Interrupted, "raised", False)
    with pytest.raises(Interrupted):
        raise Interrupted.by_signal()
    assert is_interruption(error) and not is_interruption(UserError("seed=x"))
