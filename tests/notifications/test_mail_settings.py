"""How the environment says where mail goes."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.notifications.conftest import Certificates

from eventimport.notifications.config import FolderConfig, SMTPConfig
from eventimport.settings import Settings, problems_of


def settings(**values: Any) -> Settings:
    """Settings that are complete, but for mail."""
    return Settings(
        database_url="postgresql://db.example/eventimport",
        redis_url="redis://redis.example/0",
        secret_key="nobody signs anything with this key",
        **values,
    )


def transport(url: str, **values: Any) -> SMTPConfig:
    """The server that the URL names."""
    config = settings(smtp_url=url, mail_from="imports@example.org", **values).mail
    assert config is not None
    assert isinstance(config.transport, SMTPConfig)
    return config.transport


def test_without_settings_there_is_no_mail() -> None:
    assert settings(mail_from="imports@example.org").mail is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "smtp://mail.example",
            SMTPConfig(host="mail.example", port=587, tls=False, starttls=True),
        ),
        (
            "smtp://localhost:25?starttls=false",
            SMTPConfig(host="localhost", port=25, tls=False, starttls=False),
        ),
        (
            "smtp://[::1]:2525/?starttls=true",
            SMTPConfig(host="::1", port=2525, tls=False, starttls=True),
        ),
        (
            "smtps://ada%40x.example:p%40ss%2F%3A%25@mail.example",
            SMTPConfig(
                host="mail.example",
                port=465,
                tls=True,
                starttls=False,
                username="ada@x.example",
                password="p@ss/:%",
            ),
        ),
    ],
)
def test_urls_of_servers(url: str, expected: SMTPConfig) -> None:
    assert transport(url) == expected


def test_timeout_and_authorities_reach_the_server(certificates: Certificates) -> None:
    made = transport("smtps://mail.example", smtp_timeout=7, smtp_ca_file=certificates.ca_file)

    assert (made.timeout, made.ca_file) == (7, certificates.ca_file)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"smtp_url": "http://hunter2@mail.example"}, "SMTP_URL: must begin with smtp://"),
        ({"smtp_url": "smtp://"}, "SMTP_URL: must name a host"),
        ({"smtp_url": "smtp://u:hunter2@"}, "SMTP_URL: must name a host"),
        ({"smtp_url": "smtp://mail.example:99999"}, "SMTP_URL: must have a port"),
        ({"smtp_url": "smtp://u:hun/ter2@mail.example"}, "SMTP_URL: must"),
        ({"smtp_url": "smtp://hunter2@mail.example"}, "SMTP_URL: must have a user and a password"),
        (
            {"smtp_url": "smtp://mail.example?starttls=no"},
            "SMTP_URL: accepts only starttls",
        ),
        ({"smtp_url": "smtp://mail.example?tls=true"}, "SMTP_URL: accepts only starttls"),
        ({"smtp_url": "smtp://mail.example", "mail_from": None}, "SMTP_URL needs MAIL_FROM"),
        ({"mail_from": "nobody"}, "MAIL_FROM: must be an address"),
        ({"smtp_ca_file": Path(__file__)}, "SMTP_CA_FILE: must be a file with certificates"),
        ({"smtp_ca_file": Path("nowhere")}, "SMTP_CA_FILE: Path does not point to a file"),
    ],
)
def test_what_is_wrong_is_told_without_the_password(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**{"mail_from": "imports@example.org", **values})

    (line,) = problems_of(caught.value)
    assert line.startswith(told)
    assert "hunter2" not in line


def test_the_password_is_not_shown() -> None:
    made = settings(smtp_url="smtp://u:hunter2@mail.example", mail_from="imports@example.org")

    assert "hunter2" not in repr(made) + repr(made.mail)


def test_a_folder_is_for_those_without_a_server(tmp_path: Path) -> None:
    folder = settings(mail_folder=tmp_path).mail
    both = settings(
        mail_folder=tmp_path, smtp_url="smtp://mail.example", mail_from="imports@example.org"
    ).mail

    assert folder is not None
    assert folder.transport == FolderConfig(tmp_path)
    assert folder.sender == "eventimport <eventimport@localhost>"
    assert both is not None
    assert isinstance(both.transport, SMTPConfig)
