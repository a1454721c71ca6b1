"""The settings, read once from the environment. Each is an environment variable of its name, or a
file that the variable `<NAME>_FILE` names."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticUndefined
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from eventimport.errors import EventImportError
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes all of them
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over variables, and variables over the files that variables name."""
        return init_settings, env_settings, NamedFiles(settings_cls)


class NamedFiles(EnvSettingsSource):
    """Values in files, as Docker and Kubernetes mount secrets: `SECRET_KEY_FILE` is the path of a
    file with the SECRET_KEY, without the line break at its end."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        values = {
            name: read_value(f"{name.upper()}_FILE", path)
            for name in settings_cls.model_fields
            if (path := os.environ.get(f"{name.upper()}_FILE"))
        }
        self.env_vars = {name: value for name, value in values.items() if value}


class UnreadableFileError(EventImportError):
    """A file that a variable names cannot be read."""


def read_value(variable: str, path: str) -> str:
    """The content of the file that the variable names. Raises UnreadableFileError."""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise UnreadableFileError(f"{variable}: {path} cannot be read: {reason}") from None


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
        problems = problems_of(error)
    except UnreadableFileError as error:
        problems = [str(error)]
    sys.stderr.write("The service cannot start:\n")
    sys.stderr.writelines(f"  {line}\n" for line in problems)
    raise SystemExit(2)
