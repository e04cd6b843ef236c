"""The asset checks: what must hold of the data and of the system."""
