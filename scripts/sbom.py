"""Writes down what Vigil is made of, as CycloneDX documents in .cache/sbom/, from the locks alone.

Each document must name every package that its lock does: else it ends with 1.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
REQUIREMENTS = PROJECT / "requirements"
FRONTEND = PROJECT / "frontend"
FOLDER = PROJECT / ".cache" / "sbom"
PROGRAM = Path(sys.executable).parent / "cyclonedx-py"
# What is shipped or runs with it: on one machine, in the functions, in the container.
SHIPPED = ("run", "embedded", "package", "worker")


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    missing = [line for name in SHIPPED for line in of_python(name)] + of_the_board()
    for line in missing:
        print(f"not named: {line}")
    return 1 if missing else 0


def of_python(name: str) -> list[str]:
    lock = REQUIREMENTS / f"{name}.txt"
    target = FOLDER / f"python-{name}.json"
    command = [PROGRAM, "requirements", "--output-reproducible", "--of", "JSON", "-o", target, lock]
    subprocess.run([str(word) for word in command], cwd=PROJECT, check=True)
    locked = {match.lower() for match in re.findall(r"^([A-Za-z0-9._-]+)", lock.read_text(), re.M)}
    return report(target, locked)


def of_the_board() -> list[str]:
    target = FOLDER / "board.json"
    # Not with `--omit dev`: that leaves out React, and what else the checks want too.
    command = ["npm", "sbom", "--package-lock-only", "--sbom-format", "cyclonedx"]
    document = json.loads(subprocess.check_output(command, cwd=FRONTEND, text=True))
    shipped = [each for each in document["components"] if not is_of_the_checks(each)]
    kept = {each["bom-ref"] for each in shipped} | {document["metadata"]["component"]["bom-ref"]}
    document["components"] = shipped
    document["dependencies"] = [
        each | {"dependsOn": [ref for ref in each.get("dependsOn", []) if ref in kept]}
        for each in document["dependencies"]
        if each["ref"] in kept
    ]
    target.write_text(json.dumps(document, indent=2))
    packages = json.loads((FRONTEND / "package-lock.json").read_text())["packages"]
    locked = {
        path.rpartition("node_modules/")[2]
        for path, about in packages.items()
        if path and not {"dev", "devOptional"} & set(about)
    }
    return report(target, locked)


def is_of_the_checks(component: dict[str, Any]) -> bool:
    mark = {"name": "cdx:npm:package:development", "value": "true"}
    return mark in component.get("properties", [])


def report(target: Path, locked: set[str]) -> list[str]:
    """Say how many packages a document names, and list those of the lock that it does not."""
    components = json.loads(target.read_text())["components"]
    named = {full_name(each).lower() for each in components}
    print(f"{target.relative_to(PROJECT)}: {len(components)} packages")
    return [f"{name} in {target.name}" for name in sorted(locked) if name.lower() not in named]


def full_name(component: dict[str, Any]) -> str:
    group = component.get("group", "")
    name: str = component["name"]
    return f"{group}/{name}" if group else name


if __name__ == "__main__":
    sys.exit(main())
