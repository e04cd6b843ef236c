"""Visual indexes: which photos are in them, and how they get there."""
