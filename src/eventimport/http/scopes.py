"""What a personal access token may do: the one table, from the first rule that names a route.

A route that no rule names needs an access token of a sign-in, and so do all routes about accounts
and for admins, whatever their method.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

READING: Final = frozenset({"GET", "HEAD"})


class Scope(StrEnum):
    """What a personal access token may be made for."""

    IMPORT = "import"
    READ = "read"
    EXPORT = "export"


NO_SCOPE: Final[frozenset[Scope]] = frozenset()
ALL_SCOPES: Final = frozenset(Scope)

_RULES: Final[tuple[tuple[frozenset[str] | None, str, frozenset[Scope]], ...]] = (
    # Methods (None: any), the beginning of the path or all of it (`$`), and the scopes. A token
    # needs one of them.
    (None, r"/(v1/)?auth/", NO_SCOPE),
    (None, r"/v1/(users|account|personal-access-tokens|audit-log|settings|admin)(/|$)", NO_SCOPE),
    (frozenset({"POST"}), r"/v1/events/import/[^/]+$", frozenset({Scope.IMPORT})),
    (READING, r"/v1/events/[^/]+/export(/|$)", frozenset({Scope.EXPORT})),
    # A token that starts a task can follow it.
    (READING, r"/v1/tasks/", ALL_SCOPES),
    (frozenset({"POST"}), r"/v1/import-jobs/[^/]+/fetch-media$", frozenset({Scope.IMPORT})),
    (frozenset({"DELETE"}), r"/v1/tasks/", frozenset({Scope.IMPORT})),
    (READING, r"/v1/import-jobs(/|$)", frozenset({Scope.IMPORT, Scope.READ})),
    (READING, r"/v1/", frozenset({Scope.READ})),
)


def scopes_for(method: str, path: str) -> frozenset[Scope]:
    """The scopes for the request; a personal access token needs one of them. None if only the
    access token of a sign-in will do."""
    return next(_matching(method, path), NO_SCOPE)


def _matching(method: str, path: str) -> Iterator[frozenset[Scope]]:
    for methods, pattern, scopes in _RULES:
        if (methods is None or method in methods) and re.match(pattern, path):
            yield scopes
