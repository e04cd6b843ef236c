"""Groups of commands, a module each, which `app.py` puts together."""
