"""Bring the README's table of settings in step with the code, or, with --check, say if it isn't."""

import sys
from pathlib import Path

from eventimport.settings import describe_settings

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"
KIB = 1024
MIB = 1024 * 1024


def table() -> str:
    """The settings as a Markdown table, in the order of their declaration."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for setting in describe_settings():
        if setting.default is None:
            default = "**required**"
        elif setting.default:
            default = (
                f"`{written(setting.default)}`{in_mebibytes(setting.variable, setting.default)}"
            )
        else:
            default = ""
        meaning = setting.description.replace("|", "\\|")
        lines.append(f"| `{setting.variable}` | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def written(default: str) -> str:
    """The default as one would set it."""
    return default.lower() if default in {"True", "False"} else default


def in_mebibytes(variable: str, default: str) -> str:
    """A number of bytes, once more for people."""
    if not variable.endswith("_BYTES"):
        return ""
    size = int(default)
    return f" ({size // MIB:,} MiB)" if size >= MIB else f" ({size // KIB:,} KiB)"


def updated(text: str) -> str:
    """The README with today's table between its markers."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}{table()}{END}{after}"


def main() -> str | None:
    """None when all is well, else what is wrong."""
    text = README.read_text()
    if "--check" in sys.argv[1:]:
        return None if updated(text) == text else "README.md: run `make readme`"
    README.write_text(updated(text))
    return None


if __name__ == "__main__":
    sys.exit(main())
