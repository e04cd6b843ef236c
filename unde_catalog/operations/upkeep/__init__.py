"""What operators do now and then: verify objects against rows, back up, restore."""
