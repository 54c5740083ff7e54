"""List the backups that are kept, read from where they are kept."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from ops.catalogue import kept_names, manifest_of
from ops.errors import BackupAltered
from ops.management.manners import MannerlyCommand


class Command(MannerlyCommand):
    """`manage.py backups`."""

    help = "List the backups that are kept, the newest first. Asks no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the form of the answer."""
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write a line for each."""
        told = [_told(name) for name in kept_names()]
        if options["json"]:
            self.stdout.write(json.dumps(told, indent=1))
            return
        if not told:
            self.stdout.write("No backup is kept yet: manage.py backup makes one.")
        for one in told:
            size = f"{one['bytes']:>14,} bytes" if one["bytes"] else "      damaged"
            self.stdout.write(f"{one['name']:<34}{size}  {one['version']:<8} {one['remark']}")


def _told(name: str) -> dict[str, Any]:
    try:
        manifest = manifest_of(name)
    except BackupAltered as error:
        return {"name": name, "bytes": None, "version": "", "remark": str(error)}
    rows = sum(table["rows"] for table in manifest.get("tables", {}).values())
    return {
        "name": name,
        "bytes": manifest["object"]["bytes"],
        "version": manifest["version"],
        "remark": f"{rows:,} rows" if rows else "",
    }
