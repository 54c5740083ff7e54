"""Under which conditions something was measured: the machine, its load, and the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import django
from django.db import connection

from bench.place import PROJECT


def conditions() -> dict[str, str]:
    """Say what a reader needs in order to compare this run with another."""
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "python": platform.python_version(),
        "postgresql": _setting("server_version"),
        "django": django.get_version(),
        "cpu": _processor(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "fsync": _setting("fsync"),
        "synchronous_commit": _setting("synchronous_commit"),
    }


def load_average() -> str:
    """Give the machine's load over 1, 5 and 15 minutes."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def _setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()


def _processor() -> str:
    return _line_of("/proc/cpuinfo", "model name") or platform.processor() or "unknown"


def _memory() -> str:
    kibibytes = _line_of("/proc/meminfo", "MemTotal").removesuffix("kB")
    return f"{int(kibibytes) / (1 << 20):.0f} GiB" if kibibytes else "unknown"


def _line_of(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
