"""Listings, and custom offers from the first draft to the accepted revision."""
