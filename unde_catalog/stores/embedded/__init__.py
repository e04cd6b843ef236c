"""PostgreSQL from a wheel: `postgres.py` is what others use, the rest is how it is kept alive and stopped."""
