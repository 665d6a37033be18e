"""For operators: the fleet's metrics, actions, pages and scheduled upkeep."""
