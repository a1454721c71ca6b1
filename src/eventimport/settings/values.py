"""What settings have in common: sizes, and checks of addresses and secrets."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def words(value: Any) -> Any:
    """The words of a text that separates them by commas or spaces; any other value as it is."""
    if isinstance(value, str):
        return tuple(word for word in re.split(r"[,\s]+", value) if word)
    return value


def web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("must begin with http:// or https:// and name a host")
    return value.rstrip("/")


def scheme(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in schemes:
            raise ValueError("must begin with " + " or ".join(f"{name}://" for name in schemes))
        return value

    return AfterValidator(check)


def revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


WebAddress = Annotated[str, AfterValidator(web_address)]
