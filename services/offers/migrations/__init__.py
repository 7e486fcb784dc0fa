"""The schema of offers, step by step."""
