"""The `act` command. It sees only the public names of `act`; `act_cli.manners` alone knows streams, colours and exit codes."""
