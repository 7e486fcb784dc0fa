"""Gating's rows, as the aggregates that they are."""
