"""What callers do, one file for each aggregate."""
