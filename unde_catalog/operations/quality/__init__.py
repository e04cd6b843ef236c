"""What must hold of the data and of the house it lives in."""
