"""Write requirements.lock: one exact version of every package, for every Python we promise.

Each interpreter's own pip resolves pyproject.toml (the project's dependencies, the `dev` extra, all
dependency groups, the build backend), wheels only. The first one's answer constrains the others,
so the versions differ only where they must, and those lines get an environment marker. uv then adds
the hashes of every wheel of each version, for all platforms.

    python scripts/lock.py python3.11 python3.12 python3.13
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
EDITABLE_BUILD = ["editables"]
"""What hatchling needs, besides itself, to install the project editable."""
HEADER = """\
# Every package that `make setup` installs, for Python {versions}. Written by `make lock`.
"""


def wanted() -> list[str]:
    """All requirements that pyproject.toml names, whatever they are for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [
        EDITABLE_BUILD,
        project["build-system"]["requires"],
        project["project"]["dependencies"],
    ]
    lists += project["project"].get("optional-dependencies", {}).values()
    lists += project.get("dependency-groups", {}).values()
    return [requirement for requirements in lists for requirement in requirements]


def resolve(python: str, requirements: Path, constraints: Path) -> tuple[str, dict[str, str]]:
    """The interpreter's version as "3.12", and what its pip would install: name → version."""
    with tempfile.TemporaryDirectory() as folder:
        venv, report = Path(folder, "venv"), Path(folder, "report.json")
        run(python, "-m", "venv", venv)
        pip = (venv / "bin/python", "-m", "pip", "-qq", "install", "--ignore-installed")
        options = ("--dry-run", "--only-binary", ":all:", "--report", report)
        run(*pip, *options, "--requirement", requirements, "--constraint", constraints)
        answer = json.loads(report.read_text())
    found = {
        canonical(item["metadata"]["name"]): item["metadata"]["version"]
        for item in answer["install"]
    }
    return answer["environment"]["python_version"], found


def run(*command: str | Path) -> None:
    """Run it; its failure ends the script."""
    subprocess.run(command, check=True)  # noqa: S603 - the interpreters are the caller's choice


def canonical(name: str) -> str:
    """The package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def merge(resolved: dict[str, dict[str, str]]) -> list[str]:
    """Lock lines: bare where all Pythons agree, else one per version with its marker."""
    lines = []
    for name in sorted(set().union(*resolved.values())):
        by_version: dict[str | None, list[str]] = {}
        for python, packages in resolved.items():
            by_version.setdefault(packages.get(name), []).append(python)
        for version, pythons in by_version.items():
            if version is None:
                continue
            marker = " or ".join(f'python_version == "{python}"' for python in pythons)
            everywhere = len(pythons) == len(resolved)
            lines.append(f"{name}=={version}" + ("" if everywhere else f" ; {marker}"))
    return lines


def with_hashes(lines: Sequence[str], python: str, oldest: str) -> str:
    """The lock lines, each followed by the hashes of its wheels."""
    with tempfile.TemporaryDirectory() as folder:
        venv = Path(folder, "venv")
        pinned, hashed = Path(folder, "pinned"), Path(folder, "hashed")
        pinned.write_text("\n".join(lines) + "\n")
        run(python, "-m", "venv", venv)
        run(venv / "bin/python", "-m", "pip", "-qq", "install", "--only-binary", ":all:", "uv")
        run(
            *(venv / "bin/uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate"),
            *("--generate-hashes", "--no-deps", "--only-binary", ":all:"),
            *("--universal", "--python-version", oldest, "--output-file", hashed, pinned),
        )
        return hashed.read_text()


def as_numbers(version: str) -> tuple[int, ...]:
    """A version that can be compared."""
    return tuple(int(number) for number in version.split("."))


def main(pythons: Sequence[str]) -> None:
    """Resolve with each interpreter, then replace the lock."""
    resolved: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        requirements, constraints = Path(folder, "requirements.in"), Path(folder, "constraints")
        requirements.write_text("\n".join(wanted()) + "\n")
        constraints.touch()
        for python in pythons:
            version, packages = resolve(python, requirements, constraints)
            resolved[version] = packages
            first = next(iter(resolved.values()))
            constraints.write_text("".join(f"{n}=={v}\n" for n, v in first.items()))
            sys.stdout.write(f"Python {version}: {len(packages)} packages\n")
    header = HEADER.format(versions=", ".join(resolved))
    LOCK.write_text(
        header + with_hashes(merge(resolved), pythons[0], min(resolved, key=as_numbers))
    )


if __name__ == "__main__":
    main(sys.argv[1:] or ["python3.11", "python3.12", "python3.13"])
