"""The two keys that become the axes of a comparison's pictures."""

from collections.abc import Sequence

from vae_cli.errors import UserError, did_you_mean
from vae_cli.runs.differing import column_name, distinct, setting_text
from vae_cli.runs.record import RunRecord


def choose_axes(
    members: Sequence[RunRecord], columns: list[str], x: str, y: str | None
) -> tuple[str | None, str | None]:
    """The columns of the axes. x=auto is the column with most values; y=auto is the column with most values among
    those that were swept together with x. Raises UserError for a key that does not differ."""
    for axis, key in (("x", x), ("y", y)):
        if key not in ("auto", None):
            _check(axis, key, columns, members[0])
    informative = [column for column in columns if column != "name"] or columns  # a name explains nothing
    candidates = sorted(informative, key=lambda column: -len(distinct(members, column)))
    given_y = None if y in ("auto", None) else column_name(y)
    if x == "auto":
        chosen_x = next((column for column in candidates if column != given_y), None)
    else:
        chosen_x = column_name(x)
    if given_y is not None and given_y == chosen_x:
        raise UserError(
            f"x and y are both {y}: choose two different keys; what differs: {', '.join(columns)}"
        )
    if y != "auto" or chosen_x is None:
        return chosen_x, given_y
    others = (column for column in candidates if column != chosen_x)
    return chosen_x, next((column for column in others if is_grid(members, chosen_x, column)), None)


def is_grid(members: Sequence[RunRecord], x: str, y: str) -> bool:
    """Whether members have more than half of all pairs of values: x and y were swept together, not one after the
    other."""
    cells = {(member.setting(x), member.setting(y)) for member in members}
    return 2 * len(cells) > len(distinct(members, x)) * len(distinct(members, y))


def _check(axis: str, key: str, columns: list[str], member: RunRecord) -> None:
    if column_name(key) in columns:
        return
    differ = f"; what differs: {', '.join(columns)}" if columns else "; nothing but the seed differs"
    if key == "seed":
        raise UserError(
            f"{axis}=seed: members that differ only in their seed are one row, with mean and standard deviation{differ}"
        )
    if member.has(key):
        value = setting_text(member.setting(column_name(key)))
        raise UserError(f"{axis}={key} does not differ between the members, it is {value}{differ}")
    names = [*columns, *map(column_name, member.config)]
    raise UserError(f"{axis}={key}: no member has this key{did_you_mean(key, names)}{differ}")
