"""How calls, events and due timers come in."""
