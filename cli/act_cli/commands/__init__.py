"""One module for each group of commands. `act_cli.catalog` says which is where."""
