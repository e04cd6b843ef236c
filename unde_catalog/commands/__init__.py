"""Groups of commands, a module each, which `cli.py` puts together."""
