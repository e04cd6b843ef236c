"""Due work: what is due, leased, spread over time, paused or paced."""
