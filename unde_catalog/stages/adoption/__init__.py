"""Adoption: recording the objects that another program stored, so that nothing is fetched or sent a second time."""
