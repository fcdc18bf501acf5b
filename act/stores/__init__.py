"""Where ledgers keep their entries: the library's only storage I/O. Nothing is decided here that `act.payment` does not
define."""
