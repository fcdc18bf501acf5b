"""`python -m act_cli` is the command `act`."""

from act_cli.main import main

main()
