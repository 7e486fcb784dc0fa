"""Pure rules of listings and offers: no I/O, no clock; refusals are the only exceptions."""
