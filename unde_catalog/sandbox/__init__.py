"""Stand-ins for the external services. They share no code with the clients."""
