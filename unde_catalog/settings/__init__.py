"""All settings, a file a topic, and the only reader of the environment."""
