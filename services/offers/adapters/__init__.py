"""Where offers keeps its state, and whom it asks."""
