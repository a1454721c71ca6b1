"""The lock file: one version and the hashes of its wheels for each package; no index is named."""

import re
from pathlib import Path

LOCK = (Path(__file__).parent.parent / "requirements.lock").read_text()
REQUIREMENT = re.compile(
    r"[a-z0-9-]+==[\w.!+-]+( ; [^\\]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+"
)


def test_every_package_has_hashes() -> None:
    lines = LOCK.replace(" \\\n", "\0").splitlines()
    requirements = [line.replace("\0", " \\\n") for line in lines if not line.startswith("#")]

    assert len(requirements) > 100
    for requirement in requirements:
        assert REQUIREMENT.fullmatch(requirement), requirement


def test_no_index_is_named() -> None:
    assert "://" not in LOCK
    assert "--index-url" not in LOCK
