"""What operators see and do: the fleet's figures, orders, pages and upkeep."""
