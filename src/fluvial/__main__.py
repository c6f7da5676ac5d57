"""`python -m fluvial`: the same as the command `fluvial`."""

from fluvial.cli.main import main

main()
