#!/usr/bin/env python
"""Vigil's command line. On a machine without a database it brings one: see hospital/localdb."""

import os
import sys

from hospital.localdb.commandline import bring_services


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hospital.settings")
    bring_services(sys.argv)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
