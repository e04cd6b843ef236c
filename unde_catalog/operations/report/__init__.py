"""How the catalogue stands, gathered and rendered for people."""
