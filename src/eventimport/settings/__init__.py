"""The environment, read once, at the edge. Each setting is an environment variable of its name."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticUndefined
from pydantic_settings import SettingsConfigDict

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
    """All that can be set. Byte limits are in bytes, durations in seconds."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One line of the table in the README; `default` is None where the setting is required."""

    variable: str
    default: str | None
    description: str


def describe_settings() -> Iterator[SettingDescription]:
    """All settings in the order of their declaration."""
    for name, field in Settings.model_fields.items():
        required = field.default is PydanticUndefined
        yield SettingDescription(
            name.upper(), None if required else written(field.default), field.description or ""
        )


def written(default: Any) -> str:
    """A default as one would set it, but for the case of `True` and `False`."""
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
