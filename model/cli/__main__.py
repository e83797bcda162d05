"""`python -m model.cli`: the `spikey` command without its entry point."""

from model.cli import main

main()
