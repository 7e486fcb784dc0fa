"""The pure part of the chassis, and the only part that domains import: no I/O, no await, no ambient clock."""
