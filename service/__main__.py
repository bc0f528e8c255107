"""`python -m service` is `barograph`."""

from service.cli import main

main(prog_name="barograph")
