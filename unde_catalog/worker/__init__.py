"""The loop that works through due work for every stage, and the protocol that a stage implements."""
