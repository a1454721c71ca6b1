"""The environment: what is required, what is checked, and how it is told."""

from pathlib import Path
from typing import Any

import pytest

from eventimport.settings import Settings, describe_settings, load_settings
from eventimport.storage.config import GCSConfig, LocalConfig, S3Config

REQUIRED = {
    "DATABASE_URL": "postgresql://user:hunter2@db.example/eventimport",
    "REDIS_URL": "redis://redis.example/0",
    "SECRET_KEY": "nobody signs anything with this key",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with nothing but what is required."""
    for setting in describe_settings():
        monkeypatch.delenv(setting.variable, raising=False)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What `load_settings` says when it exits, line by line."""
    with pytest.raises(SystemExit) as exit_:
        load_settings()
    assert exit_.value.code == 2
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "The service cannot start:"
    return [line.strip() for line in lines]


def test_what_is_required_is_enough(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()

    assert settings.database.url == REQUIRED["DATABASE_URL"]
    assert settings.queue.url == REQUIRED["REDIS_URL"]
    assert settings.auth.secret_key == REQUIRED["SECRET_KEY"]
    assert settings.event_base_url == settings.public_url


def test_values_can_be_in_files(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As secrets are mounted. A variable wins, and an empty file is as good as none."""
    secret = "q7Vd2mZk9TxN4cRb8WsY1hJf6GpL3uEa"
    for name, value in {"SECRET_KEY": secret, "MAX_FILES": "7", "REDIS_URL": ""}.items():
        (tmp_path / name).write_text(f"{value}\n")
        environment.setenv(f"{name}_FILE", str(tmp_path / name))
    environment.delenv("SECRET_KEY")

    settings = load_settings()

    assert settings.secret_key.get_secret_value() == secret
    assert settings.max_files == 7
    assert settings.queue.url == REQUIRED["REDIS_URL"]

    environment.setenv("MAX_FILES", "8")
    assert load_settings().max_files == 8
    environment.delenv("REDIS_URL")
    assert refusal(capsys) == ["REDIS_URL: is not set"]
    environment.setenv("REDIS_URL_FILE", str(tmp_path / "missing"))
    (line,) = refusal(capsys)
    assert line.startswith("REDIS_URL_FILE: ")
    assert "No such file" in line


@pytest.mark.parametrize("empty", [True, False])
def test_every_missing_variable_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], empty: bool
) -> None:
    for name in REQUIRED:
        if empty:
            environment.setenv(name, "")
        else:
            environment.delenv(name)

    assert refusal(capsys) == [f"{name}: is not set" for name in REQUIRED]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SECRET_KEY", "hunter2", "must have at least 32 characters"),
        ("DATABASE_URL", "mysql://root:hunter2@db", "must begin with postgresql://"),
        ("REDIS_URL", "http://:hunter2@redis", "must begin with redis://"),
        ("PUBLIC_URL", "example.org", "must begin with http:// or https://"),
        ("FRONTEND_URL", "ftp://example.org", "must begin with http:// or https://"),
        ("MAX_ARCHIVE_BYTES", "0", "greater than 0"),
        ("MAX_ARCHIVE_BYTES", "lots", "valid integer"),
        ("SIGN_UP_ENABLED", "perhaps", "valid boolean"),
        ("STORAGE_PLACE", "ftp", "'local', 's3' or 'gcs'"),
        ("STORAGE_PART_BYTES", "1024", "5242880"),
    ],
)
def test_a_wrong_value_is_told_and_not_repeated(
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    reason: str,
) -> None:
    environment.setenv(name, value)

    (line,) = refusal(capsys)

    assert line.startswith(f"{name}: ")
    assert reason in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"STORAGE_PLACE": "s3"}, "S3_BUCKET is not set"),
        ({"STORAGE_PLACE": "gcs"}, "GCS_BUCKET is not set"),
        ({"GCS_BUCKET": "b"}, "GCS_BUCKET needs GCS_ACCESS_KEY and GCS_SECRET_KEY"),
        ({"S3_BUCKET": "b", "S3_ACCESS_KEY": "k"}, "S3_ACCESS_KEY and S3_SECRET_KEY belong"),
    ],
)
def test_a_storage_must_be_configured_whole(
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    reason: str,
) -> None:
    for name, value in changes.items():
        environment.setenv(name, value)

    (line,) = refusal(capsys)

    assert reason in line


def test_no_secret_is_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("S3_ACCESS_KEY", "id")
    environment.setenv("S3_SECRET_KEY", "swordfish")
    settings = load_settings()

    shown = repr(settings) + str(settings)

    assert "hunter2" not in shown
    assert "swordfish" not in shown
    assert REQUIRED["SECRET_KEY"] not in shown


def test_addresses_have_no_slash_at_the_end(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FRONTEND_URL", "https://events.example/")

    assert load_settings().event_base_url == "https://events.example"


def test_all_configured_storages_are_composed(environment: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LOCAL_STORAGE_PATH": "/srv/objects",
        "STATIC_DOMAIN": "https://static.example",
        "S3_BUCKET": "photos",
        "S3_ENDPOINT_URL": "http://minio.example:9000",
        "S3_PATH_STYLE": "true",
        "GCS_BUCKET": "pictures",
        "GCS_ACCESS_KEY": "id",
        "GCS_SECRET_KEY": "secret",
        "STORAGE_PLACE": "gcs",
    }.items():
        environment.setenv(name, value)

    settings = load_settings()

    assert settings.storage_place == "gcs"
    local, s3, gcs = settings.storages
    assert local == LocalConfig(root=Path("/srv/objects"), base_url="https://static.example")
    assert s3 == S3Config(
        bucket="photos", endpoint_url="http://minio.example:9000", path_style=True
    )
    assert gcs == GCSConfig(bucket="pictures", access_key="id", secret_key="secret")


def test_limits_reach_those_who_hold_to_them(environment: pytest.MonkeyPatch) -> None:
    limits: dict[str, Any] = {
        name: 1000 + number
        for number, name in enumerate(
            name for name in Settings.model_fields if name.startswith("max_")
        )
    }
    for name, value in limits.items():
        environment.setenv(name.upper(), str(value))

    settings = load_settings()

    archive = settings.archive_limits
    assert archive.max_entries == limits["max_archive_entries"]
    assert archive.max_entry_bytes == limits["max_entry_bytes"]
    assert archive.max_total_bytes == limits["max_inflated_bytes"]
    assert archive.max_ratio == limits["max_inflation_ratio"]
    assert archive.max_document_bytes == limits["max_document_bytes"]
    assert archive.max_record_bytes == limits["max_record_bytes"]
    assert archive.max_string_length == limits["max_text_length"]
    assert archive.max_depth == limits["max_json_depth"]
    assert archive.max_records == limits["max_records"]
    assert settings.archive_upload_limits.max_file_bytes == limits["max_archive_bytes"]
    upload = settings.upload_limits
    assert upload.max_file_bytes == limits["max_file_bytes"]
    assert upload.max_files == limits["max_files"]
    assert upload.max_request_bytes == limits["max_request_bytes"]
    assert upload.max_image_bytes == limits["max_image_bytes"]


def test_every_setting_is_described() -> None:
    described = list(describe_settings())

    assert {setting.variable.lower() for setting in described} == Settings.model_fields.keys()
    assert len(described) == len(Settings.model_fields)
    assert [setting.variable for setting in described if setting.default is None] == [*REQUIRED]
    assert all(setting.description.endswith(".") for setting in described)
