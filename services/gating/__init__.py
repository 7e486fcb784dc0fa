"""Gating: who may order at once, who must ask first, and the requests of those who ask."""
