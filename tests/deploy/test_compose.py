"""compose.yaml and the Dockerfile: valid, hardened, and with settings that exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from eventimport.settings import Settings, describe_settings

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
OURS = {"migrate", "api", "worker"}
ROOTS = {"caddy-volumes", "s3-volume"}
"""They change the owner of a volume, and have no network."""


def composed(**variables: str) -> dict[str, Any]:
    """The file, with the variables of `.env` filled in."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        if isinstance(value, str):
            return VARIABLE.sub(lambda found: variables.get(found[1], found[2]), value)
        return value

    document: dict[str, Any] = filled(yaml.safe_load((ROOT / "compose.yaml").read_text()))
    return document


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The secrets that `deploy/make-secrets` makes in a fresh clone."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy/make-secrets", tmp_path / "deploy")
    for _ in range(2):
        before = {path: path.read_text() for path in tmp_path.glob("deploy/secrets/*")}
        subprocess.run(["sh", tmp_path / "deploy/make-secrets"], check=True, capture_output=True)
    assert before == {path: path.read_text() for path in tmp_path.glob("deploy/secrets/*")}
    assert (tmp_path / ".env").exists()
    return tmp_path / "deploy/secrets"


@pytest.mark.parametrize("variables", [{}, {"STORAGE_PLACE": "s3", "S3_BUCKET": "files"}])
def test_it_is_valid(variables: dict[str, str]) -> None:
    PyCompose.from_yaml(yaml.safe_dump(composed(**variables))).validate()


def test_all_services_are_hardened() -> None:
    services = composed()["services"]
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert (service["user"] == "0:0") == (name in ROOTS), name
        assert name not in ROOTS or service["network_mode"] == "none"
        limits = service["deploy"]["resources"]["limits"]
        assert limits.keys() == {"cpus", "memory", "pids"}, name
        assert re.search(r":v?[\d.]+[\w.-]*$", service["image"]), f"{name}: pin the version"
        # That of the API is in the image.
        assert "healthcheck" in service or name == "api", name
    published = {name for name, service in services.items() if "ports" in service}
    assert published == {"caddy", "mail"}
    assert services["worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"STORAGE_PLACE": "s3", "S3_BUCKET": "eventimport", "PUBLIC_HOST": "events.example.org"},
        {"SMTP_URL": "smtp://mail:1025?starttls=false", "MAIL_FROM": "e <e@example.org>"},
    ],
)
def test_the_service_starts_with_its_settings(
    variables: dict[str, str], secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what `deploy/make-secrets` writes, as the containers see it."""
    document = composed(**variables)
    names = {setting.variable for setting in describe_settings()}
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for service in OURS:
        environment = document["services"][service]["environment"]
        assert {name.removesuffix("_FILE") for name in environment} <= names
        for name, value in environment.items():
            monkeypatch.setenv(name, value.replace("/run/secrets", str(secrets)))

        settings = Settings()

        assert settings.database_url.get_secret_value().endswith("@postgres:5432/eventimport")
        assert settings.storage_place == variables.get("STORAGE_PLACE", "local")
        assert settings.metrics_token is not None
    for secret in document["secrets"].values():
        assert (secrets / Path(secret["file"]).name).exists()


def test_the_dockerfile_has_no_faults() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    ended = subprocess.run(
        [linter, ROOT / "Dockerfile"], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout
    text = (ROOT / "Dockerfile").read_text()
    # Wheels only, checked against the lock: no compiler is needed.
    assert "PIP_ONLY_BINARY=:all:" in text
    assert "--require-hashes" in text
    assert "apt-get" not in text
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
