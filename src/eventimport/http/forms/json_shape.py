"""What a JSON text would cost to decode, seen before it is decoded."""

import re
from typing import Final

# Possessive, so that a string that does not end is looked at once.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)


class TooComplexError(ValueError):
    """A JSON text with too many values, or with values nested too deeply."""


def check_shape(text: bytes, *, max_values: int, max_depth: int) -> None:
    """Count the values and the levels of a JSON text. Raises TooComplexError as soon as there are
    too many. What is not JSON passes: the decoder says what is wrong with it."""
    depth = values = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == b'"':
            return
        if token in b"[{":
            depth += 1
            if depth > max_depth:
                raise TooComplexError(f"is nested more than {max_depth} levels deep")
        elif token in b"]}":
            depth -= 1
        values += token in b"[{,"
        if values > max_values:
            raise TooComplexError(f"has more than {max_values:,} values")
