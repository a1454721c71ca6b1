"""The settings, read once from the environment. Each is an environment variable of its name."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

from eventimport.settings.access import AccessSettings
from eventimport.settings.clean_up import CleanUpSettings
from eventimport.settings.http import HTTPSettings
from eventimport.settings.mail import MailSettings
from eventimport.settings.media import MediaSettings
from eventimport.settings.observation import ObservationSettings


class Settings(
    ObservationSettings,
    MailSettings,
    CleanUpSettings,
    MediaSettings,
    HTTPSettings,
    AccessSettings,
):
    """All settings. Sizes are in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One line of docs/configuration.md. `default` is None if the setting is required, `section`
    the heading above it."""

    section: str
    variable: str
    default: str | None
    description: str


def describe_settings() -> Iterator[SettingDescription]:
    """All settings, section by section, in the order of their declaration."""
    for section in reversed(Settings.__mro__):
        if not issubclass(section, BaseSettings) or section in {BaseSettings, Settings}:
            continue
        for name in section.__annotations__:
            field = Settings.model_fields.get(name)
            if field is None:
                continue
            yield SettingDescription(
                (section.__doc__ or "").rstrip("."),
                name.upper(),
                None if field.default is PydanticUndefined else written(field.default),
                field.description or "",
            )


def written(default: Any) -> str:
    """A default as you would set it, but with a capital in `True` and `False`."""
    if isinstance(default, tuple):
        return ",".join(default)
    return "" if default is None else str(default)


def problems_of(error: ValidationError) -> list[str]:
    """One sentence for each variable that is missing or wrong; values are not repeated."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        reason = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            reason = "is not set"
        name = str(problem["loc"][0]).upper() + ": " if problem["loc"] else ""
        lines.append(name + reason)
    return lines


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; overrides win over the environment.

    Exits with status 2, and one line per wrong variable on stderr, when they are not valid.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        sys.stderr.write("The service cannot start:\n")
        sys.stderr.writelines(f"  {line}\n" for line in problems_of(error))
        raise SystemExit(2) from None
