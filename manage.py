#!/usr/bin/env python
"""Vigil's command line. On a machine without a database it brings one: see hospital/localdb."""

import os
import sys

from hospital import surroundings
from hospital.localdb.commandline import bring_services
from ops.errors import OpsError

NOTHING_BEGUN = 2


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hospital.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        surroundings.load_if_told(sys.argv)
        bring_services(sys.argv)
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, OpsError) as error:
        # It names what is wrong and what to do; a traceback would hide it.
        print(error, file=sys.stderr)
        sys.exit(NOTHING_BEGUN if {*sys.argv[1:2]} & {*surroundings.WITH_STAGE} else 1)


if __name__ == "__main__":
    main()
