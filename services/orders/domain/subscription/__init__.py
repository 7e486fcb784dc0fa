"""Subscriptions: what an order with a plan leads to, period after period."""
