"""Write the tables of settings: all of them in docs/configuration.md, the first ten in the README.

With --check, nothing is written; the exit status says whether the tables are in step with the code.
"""

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from eventimport.settings import SettingDescription, describe_settings

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"
UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
FIRST = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "PUBLIC_URL",
    "TRUSTED_PROXIES",
    "SIGN_UP_ENABLED",
    "STORAGE_PLACE",
    "LOCAL_STORAGE_PATH",
    "SMTP_URL",
    "MAIL_FROM",
)
"""The settings that every operator needs."""


def table(settings: Iterable[SettingDescription]) -> str:
    """Settings as a Markdown table."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for setting in settings:
        meaning = setting.description.replace("|", "\\|")
        lines.append(f"| `{setting.variable}` | {default_of(setting)} | {meaning} |")
    return "\n".join(lines) + "\n"


def default_of(setting: SettingDescription) -> str:
    """The default as you would set it, with its size for people; "" if there is none."""
    if setting.default is None:
        return "**required**"
    if setting.default in {"True", "False"}:
        return f"`{setting.default.lower()}`"
    size = in_words(setting.default) if "_BYTES" in setting.variable else ""
    return f"`{setting.default}`{size}" if setting.default else ""


def in_words(size: str) -> str:
    """A number of bytes in its largest whole unit, in parentheses."""
    for unit, factor in UNITS:
        if int(size) >= factor and int(size) % factor == 0:
            return f" ({int(size) // factor:,} {unit})"
    return ""


def first_settings() -> str:
    """The README's table."""
    settings = {setting.variable: setting for setting in describe_settings()}
    return table(settings[variable] for variable in FIRST)


def all_settings() -> str:
    """The tables of docs/configuration.md, one for each section."""
    sections = groupby(describe_settings(), key=lambda setting: setting.section)
    return "\n".join(f"## {section}\n\n{table(settings)}" for section, settings in sections)


def updated(text: str, tables: str) -> str:
    """The document with these tables between its markers."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}{tables}{END}{after}"


def main() -> str | None:
    """None if all is well, else what is wrong."""
    documents = {
        ROOT / "README.md": first_settings(),
        ROOT / "docs" / "configuration.md": all_settings(),
    }
    for path, tables in documents.items():
        text = path.read_text()
        if updated(text, tables) == text:
            continue
        if "--check" in sys.argv[1:]:
            return f"{path.relative_to(ROOT)}: run `make readme`"
        path.write_text(updated(text, tables))
    return None


if __name__ == "__main__":
    sys.exit(main())
