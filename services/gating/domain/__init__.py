"""The rules of gating, pure: no I/O, no clock, no identifiers of its own."""
