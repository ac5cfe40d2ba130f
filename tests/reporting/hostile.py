"""Names that some medium could read as more than text."""

HOSTILE = [
    "$", "$x$", r"$\frac$", r"$\notacommand{$", "_x", "__", "<script>alert(1)</script>", '"onmouseover="alert(1)', "'><img src=x>",
    "javascript:alert(1)", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1+1", " =1+1", "=1+1 wide".replace("=", "＝"),
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "two\nlines", "a\x00b", "\u200f\u202eright to left", "שלום", "مرحبا", "中文", "😀👩‍👩‍👧", "é", "e\u0301",
    "{{7*7}}", "{% raw %}", "${oc.env:HOME}", "%s %d %(x)s", "{0}", "\\", r"\n", "\udcff", "x" * 300, "a,b;c", '"', "''", "*[]?", "#", "~", " ",
]  # fmt: skip
