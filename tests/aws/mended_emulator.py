"""Starts the emulator ministack, with two mends without which `zappa rollback` serves the new code.

Run by the Python of .cache/tools/emulator; the environment says where it listens (emulator.py).
1. GetFunction by a partial ARN, `function:NAME:VERSION`, was read as a function named `function`.
2. The code of a published version was that of the newest.
"""

# mypy: ignore-errors
# pylint: skip-file
import contextvars
import sys

import ministack.services.lambda_svc as functions
from ministack.app import main

_asked_version = contextvars.ContextVar("asked_version", default=None)


def _without_prefix(name):
    return name.removeprefix("function:") if name else name


def _mend(module):
    qualified, plain = module._resolve_name_and_qualifier, module._resolve_name
    get, presign = module._get_function, module._presigned_code_url
    serve = module.serve_function_code

    def get_function(name, *arguments, **named):
        version = arguments[0] if arguments else named.get("qualifier")
        mark = _asked_version.set(version)
        try:
            return get(name, *arguments, **named)
        finally:
            _asked_version.reset(mark)

    def presigned(name):
        version = str(_asked_version.get() or "")
        return presign(f"{name}@{version}" if version.isdigit() else name)

    def serve_code(name, account_id=None, region=None):
        bare, _, version = name.partition("@")
        if not version:
            return serve(bare, account_id, region)
        found = module._functions.get_scoped(account_id, region, bare)
        return 200, {"Content-Type": "application/zip"}, found["versions"][version]["code_zip"]

    module._resolve_name_and_qualifier = lambda name: qualified(_without_prefix(name))
    module._resolve_name = lambda name: plain(_without_prefix(name))
    module._get_function = get_function
    module._presigned_code_url = presigned
    module.serve_function_code = serve_code


_mend(functions)
sys.argv = ["ministack"]
main()
