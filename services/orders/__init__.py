"""Orders: from placement or an accepted offer to confirmation and payment."""
