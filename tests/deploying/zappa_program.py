"""Does what Zappa does, as far as a deployment sees it: builds a package and brings it.

Run as a program. What it is to do wrong stands in `zappa-does` beside it: nothing (ends with 0 and
does nothing), half (the first function alone), fail, fail-late (does it, then ends with 1).
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import boto3

HERE = Path(sys.argv[0]).parent


def functions(stage: str) -> list[str]:
    name = f"vigil-{stage}"
    return [name, f"{name}-ingestion", f"{name}-alerts"]


def package(to: Path) -> None:
    with zipfile.ZipFile(to, "w") as made:
        made.writestr("code.txt", Path("code").read_text())
    print("Package created: ", to)


def bring(command: str, stage: str, package: str, does: str) -> None:
    print(f"Calling {command} for stage {stage}..")
    if does == "nothing":
        print("Error: the function could not be updated, never mind.")
        return
    bucket, _, key = package.removeprefix("s3://").partition("/")
    client = boto3.client("lambda")
    for name in functions(stage)[: 1 if does == "half" else 3]:
        entry = json.loads(Path("zappa_settings.json").read_text())[name.removeprefix("vigil-")]
        if command == "update":
            client.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key=key, Publish=True)
            client.update_function_configuration(
                FunctionName=name, Handler=entry["lambda_handler"], MemorySize=entry["memory_size"]
            )
            continue
        client.create_function(
            FunctionName=name,
            Runtime=entry["runtime"],
            Role=f"arn:aws:iam::123456789012:role/{entry['role_name']}",
            Handler=entry["lambda_handler"],
            MemorySize=entry["memory_size"],
            Timeout=entry["timeout_seconds"],
            Code={"S3Bucket": bucket, "S3Key": key},
            Publish=True,
        )
        client.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=entry["lambda_concurrency"]
        )
    print("Your updated Zappa deployment is live!")


def main() -> int:
    does = (HERE / "zappa-does").read_text().strip() if (HERE / "zappa-does").exists() else ""
    if does == "fail":
        print("Oh no! An error occurred! :(")
        return 255
    command, stage, _, what = sys.argv[1:5]
    if command == "package":
        package(Path(what))
    else:
        bring(command, stage, what, does)
    return 1 if does == "fail-late" else 0


if __name__ == "__main__":
    sys.exit(main())
