"""What an attacker with ordinary accounts can do to a stack, while a student works beside it. Loopback only."""
