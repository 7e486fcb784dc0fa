"""What every Parley process shares: the pure kernel and the machinery around it, without business words."""
