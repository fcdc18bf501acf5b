"""`act demo`: an afternoon of tea, played for real. `cast` prepares who takes part, `afternoon` plays, `stage` shows it."""
