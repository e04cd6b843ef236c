"""The production database: its migrations, and all SQL on it."""
