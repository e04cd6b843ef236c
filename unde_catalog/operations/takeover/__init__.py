"""Taking over a running system: the plan, the adoption of what is there, and who does which stage of which brand."""
