"""The loop that works off due work for every stage, and what a stage implements."""
