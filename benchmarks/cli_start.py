"""What `eventimport --help` costs, beside an import of the libraries that a command line needs.

    python benchmarks/cli_start.py [--rounds 10]

Each round starts every program once, one after the other, so that a busy machine slows all of them.
It prints the median processor time (user and system) and the median elapsed time of each, and the
processor time as a multiple of the first, which is the yardstick. The target for `--help` is 2.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ARCHIVE = "conference.zip"
PROGRAMS = {
    "import httpx, typer, rich": ["-c", "import httpx, typer, rich"],
    "eventimport --help": ["-m", "eventimport.cli", "--help"],
    "eventimport import --help": ["-m", "eventimport.cli", "import", "--help"],
    # Nothing listens at port 1: all that is measured is the program's own work.
    "eventimport import": [
        *("-m", "eventimport.cli", "import", ARCHIVE),
        *("--email", "a@example.org", "--url", "http://127.0.0.1:1"),
    ],
}


def run(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Run a program; return its processor time and the elapsed time, in seconds."""
    environment = {**os.environ, "EVENTIMPORT_PASSWORD": "unused"}
    before, start = _processor_time(), time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, check=False
    )
    elapsed = time.perf_counter() - start
    return _processor_time() - before, elapsed


def _processor_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ARCHIVE).write_bytes(b"")
        for _ in range(rounds):
            for name, arguments in PROGRAMS.items():
                figures[name].append(run(arguments, Path(folder)))
    yardstick = None
    print(f"{'':28} {'processor':>10} {'elapsed':>10} {'multiple':>9}")
    for name, measured in figures.items():
        processor, elapsed = (statistics.median(column) for column in zip(*measured, strict=True))
        yardstick = yardstick or processor
        print(f"{name:28} {processor:8.2f} s {elapsed:8.2f} s {processor / yardstick:9.2f}")


if __name__ == "__main__":
    main()
