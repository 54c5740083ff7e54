"""Plans and applies infra/terraform, one stage at a time.

    terraform.py check         init, validate and plan of every stage, without an account
    terraform.py plan STAGE    the same for one stage, its plan printed
    terraform.py plan STAGE --account NUMBER --state-bucket NAME [--first-time]
                               what would change there, kept for:
    terraform.py apply STAGE

Account and bucket may also be told by TERRAFORM_ACCOUNT and TERRAFORM_STATE_BUCKET. State and
variables of a stage are chosen here together: the state of one beside the settings of another would
tear it down. Without an account it works on a copy, with made-up credentials, and leaves nothing
behind. The provider comes from the mirror that TERRAFORM_PLUGIN_DIR names; without one it is
downloaded, but for checks only where TERRAFORM_DOWNLOAD is 1: they must not need the internet, and
exit with 77, which means that they were not run. Standard library alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
INFRA = PROJECT / "infra"
KEPT = PROJECT / ".cache" / "terraform"
NOT_RUN = 77
# AWS's own example of an account, in its documentation.
NOBODYS_ACCOUNT = "111122223333"
# Laid over a copy: no state to ask for, nobody to ask who we are.
WITHOUT_AN_ACCOUNT = """
terraform {
  backend "local" {}
}

provider "aws" {
  access_key                  = "made-up"
  secret_key                  = "made-up"
  allowed_account_ids         = []
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}
"""


class TerraformFailed(Exception):
    """Terraform's own words."""


class NotAtHand(Exception):
    """What is missing here, so that nothing was looked at."""


def stages() -> dict[str, Any]:
    """What tells the stages apart."""
    found: dict[str, Any] = json.loads((INFRA / "stages.json").read_text())
    return found


def mirror() -> Path | None:
    """The folder of providers that the environment names."""
    named = os.environ.get("TERRAFORM_PLUGIN_DIR", "")
    if named and not Path(named).is_dir():
        raise TerraformFailed(
            f"TERRAFORM_PLUGIN_DIR is {named}, which is no folder: name a mirror of providers."
        )
    return Path(named) if named else None


def must_be_at_hand(*, download: bool = False) -> None:
    """Raise what is missing."""
    if not shutil.which("terraform"):
        raise NotAtHand("terraform is missing")
    if not mirror() and not download and os.environ.get("TERRAFORM_DOWNLOAD") != "1":
        raise NotAtHand("TERRAFORM_PLUGIN_DIR is not set")


@dataclass
class Folder:
    """A folder with the root module, and the environment in which Terraform works there."""

    root: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        """Give what it printed; raises TerraformFailed with the errors of it."""
        done = subprocess.run(
            ["terraform", *arguments], cwd=self.root, env=self.environment, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode:
            raise TerraformFailed(f"terraform {arguments[0]}:\n{_from_the_error_on(done.stdout)}")
        return done.stdout

    def init(self, *arguments: str) -> None:
        """Get the provider that the lock file names, and no other."""
        found = mirror()
        where = [f"-plugin-dir={found}"] if found else []
        self.run("init", "-no-color", "-input=false", "-lockfile=readonly", *where, *arguments)

    def plan(self, stage: str, *, account: str, to: Path, first_time: bool = False) -> str:
        """Write a stage's plan and give it as text. A plan that fails leaves none to be applied."""
        told = {"stage": stage, "account": account, "first_time": json.dumps(first_time)}
        variables = [f"-var={name}={value}" for name, value in told.items()]
        try:
            # Who only plans needs no right to write a lock; `apply` takes one.
            return self.run(
                "plan", "-no-color", "-input=false", "-lock=false", f"-out={to}", *variables
            )
        except TerraformFailed:
            # Terraform writes down what it has of a plan that failed.
            to.unlink(missing_ok=True)
            raise

    def shown(self, plan: Path) -> dict[str, Any]:
        """Give a plan as data."""
        done = subprocess.run(
            ["terraform", "show", "-json", str(plan)], cwd=self.root, env=self.environment,
            check=True, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        )  # fmt: skip
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown


@contextlib.contextmanager
def without_an_account() -> Iterator[Folder]:
    """A copy in which plans need neither account nor credentials; not initialised yet."""
    with tempfile.TemporaryDirectory(prefix="vigil-terraform-") as made:
        place = Path(made)
        shutil.copytree(INFRA / "terraform", place / "terraform", ignore=_not_made_by_terraform)
        shutil.copy(INFRA / "stages.json", place)
        (place / "terraform" / "without_an_account_override.tf").write_text(WITHOUT_AN_ACCOUNT)
        # Settings of this machine's user are not the project's, and may name what is not there.
        (place / "terraform.rc").touch()
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))}
        yield Folder(
            place / "terraform",
            ours
            | {
                "HOME": made,
                "TF_CLI_CONFIG_FILE": str(place / "terraform.rc"),
                "TF_IN_AUTOMATION": "1",
                "CHECKPOINT_DISABLE": "1",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        )


def _not_made_by_terraform(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == ".terraform" or name.endswith(".tfstate")}


def check() -> None:
    """Hold the configuration against the provider, and plan every stage."""
    must_be_at_hand()
    with without_an_account() as folder:
        folder.init()
        print(folder.run("validate", "-no-color").strip())
        for stage in stages():
            kept = folder.root / f"{stage}.tfplan"
            text = folder.plan(stage, account=NOBODYS_ACCOUNT, to=kept, first_time=True)
            print(f"{stage}: {_sum(text)}")


def plan_without_an_account(stage: str) -> None:
    """Print what a stage consists of."""
    must_be_at_hand(download=True)
    with without_an_account() as folder:
        folder.init()
        folder.run("validate", "-no-color")
        kept = folder.root / "plan.tfplan"
        print(folder.plan(stage, account=NOBODYS_ACCOUNT, to=kept, first_time=True))
    print("Planned without an account: it is what an empty one would get.")


def plan(stage: str, *, account: str, state_bucket: str, first_time: bool) -> None:
    """Print what would change in the account, and keep the plan."""
    must_be_at_hand(download=True)
    folder = _of_stage(stage)
    folder.init(
        "-reconfigure",
        f"-backend-config=bucket={state_bucket}",
        f"-backend-config=key=vigil/{stage}.tfstate",
        f"-backend-config=region={stages()[stage]['region']}",
    )
    print(folder.plan(stage, account=account, to=_kept_plan(stage), first_time=first_time))
    print(f"Kept: `terraform.py apply {stage}` does exactly this.")


def apply(stage: str) -> None:
    """Do what the last plan of this stage says, once."""
    must_be_at_hand(download=True)
    kept = _kept_plan(stage)
    if not kept.exists():
        raise TerraformFailed(
            f"There is no plan of {stage}: make one with its account, and read it."
        )
    try:
        print(_of_stage(stage).run("apply", "-no-color", "-input=false", str(kept)))
    finally:
        kept.unlink()


def _of_stage(stage: str) -> Folder:
    """The configuration itself; what Terraform keeps of a stage lies apart from other stages'."""
    (KEPT / stage).mkdir(parents=True, exist_ok=True)
    own = {"TF_DATA_DIR": str(KEPT / stage), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    return Folder(INFRA / "terraform", os.environ | own)


def _kept_plan(stage: str) -> Path:
    return KEPT / f"{stage}.tfplan"


def _from_the_error_on(text: str) -> str:
    """A plan that fails lists first, page after page, what it could have made."""
    return text[max(0, text.find("Error: ")) :]


def _sum(text: str) -> str:
    return next((line for line in text.splitlines() if line.startswith("Plan: ")), "No changes.")


def asked(arguments: list[str]) -> argparse.Namespace:
    """What was asked for; refuses half an account, and what has no stage."""
    told = os.environ.get
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["check", "plan", "apply"])
    parser.add_argument("stage", nargs="?", choices=list(stages()))
    parser.add_argument("--stage", dest="named", choices=list(stages()), help="the same")
    parser.add_argument("--account", default=told("TERRAFORM_ACCOUNT", ""), help="the stage's own")
    parser.add_argument(
        "--state-bucket", default=told("TERRAFORM_STATE_BUCKET", ""), help="keeps the state"
    )
    parser.add_argument(
        "--first-time", action="store_true", help="plan: the database is not there yet"
    )
    found = parser.parse_intermixed_args(arguments)
    found.stage = found.stage or found.named
    if found.what != "check" and not found.stage:
        parser.error(f"say of which stage: {', '.join(stages())}")
    if bool(found.account) != bool(found.state_bucket):
        parser.error("say both, --account and --state-bucket")
    return found


def main(arguments: list[str]) -> int:
    """Do what was asked for, and give the exit status."""
    told = asked(arguments)
    try:
        if told.what == "check":
            check()
        elif told.what == "apply":
            apply(told.stage)
        elif told.account:
            plan(
                told.stage,
                account=told.account,
                state_bucket=told.state_bucket,
                first_time=told.first_time,
            )
        else:
            plan_without_an_account(told.stage)
    except NotAtHand as missing:
        print(missing)
        return NOT_RUN
    except TerraformFailed as failed:
        print(failed)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
