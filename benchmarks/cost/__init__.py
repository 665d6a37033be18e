"""What AWS bills for a million requests: list prices, and what a measured load comes to at them."""
