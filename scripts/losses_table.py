"""Write the README's table of what each export format has no place for.

The table comes from the writers' own tables. With --check, nothing is written; the exit status says
whether the README is in step with the code.
"""

import sys
from pathlib import Path

from eventimport.conference.kinds import DELETED, SHAPES, Kind
from eventimport.formats.html.writer import KEEPS as HTML
from eventimport.formats.ical.writer import KEEPS as ICAL
from eventimport.formats.schedule_json.writer import KEEPS as SCHEDULE_JSON
from eventimport.formats.schedule_xml.writer import KEEPS as SCHEDULE_XML
from eventimport.formats.schedules.losses import NOUNS, SORTS, Keeps, in_words, words_of
from eventimport.formats.table.csv_writer import BOTH as CSV
from eventimport.formats.table.xlsx_writer import KEEPS as XLSX
from eventimport.formats.xcal.writer import KEEPS as XCAL

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- losses: begin -->\n", "<!-- losses: end -->\n"
FORMATS = (SCHEDULE_XML, SCHEDULE_JSON, ICAL, XCAL, CSV, XLSX, HTML)
CHECKING = (SCHEDULE_XML, SCHEDULE_JSON, ICAL, XCAL)
"""The formats whose values are checked; the others hold any value of a field."""


def table() -> str:
    """What each format has no place for, as a Markdown table."""
    lines = ["| format | kinds and fields without a place | values without a place |"]
    lines.append("| --- | --- | --- |")
    lines += [f"| {keeps.title} | {fields(keeps)} | {values(keeps)} |" for keeps in FORMATS]
    return "\n".join(lines) + "\n"


def fields(keeps: Keeps) -> str:
    """The kinds, and the fields of the other kinds, that a format does not have."""
    missing = [NOUNS[kind][1] for kind in Kind if kind not in keeps.fields]
    parts = [in_words(missing)] if missing else []
    for kind, kept in keeps.fields.items():
        names = [name for name in SHAPES[kind].fields if name != DELETED]
        without = [words_of(name) for name in names if name not in kept]
        noun = NOUNS[kind][kind is not Kind.EVENT]
        if not kept:
            parts.append(f"{noun}: all")
        elif len(without) > len(kept):
            parts.append(f"{noun}: all but {in_words([words_of(name) for name in sorted(kept)])}")
        elif without:
            parts.append(f"{noun}: {in_words(without)}")
    return "; ".join(parts)


def values(keeps: Keeps) -> str:
    """The sorts of values that a format does not allow."""
    if keeps not in CHECKING:
        return ""
    return "; ".join(text for sort, text in SORTS.items() if sort in keeps.sorts)


def main() -> str | None:
    """None if all is well, else what is wrong."""
    text = README.read_text()
    before, rest = text.split(BEGIN)
    updated = f"{before}{BEGIN}{table()}{END}{rest.split(END)[1]}"
    if updated == text:
        return None
    if "--check" in sys.argv[1:]:
        return "README.md: run `make readme`"
    README.write_text(updated)
    return None


if __name__ == "__main__":
    sys.exit(main())
