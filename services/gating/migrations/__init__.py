"""How gating's database came to be."""
