"""Where calls and facts come in."""
