"""What every Parley process shares: the pure kernel and the machinery around it. No business word lives here."""
