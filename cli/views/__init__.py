"""How answers are shown that more than one command gives, or that are long."""
