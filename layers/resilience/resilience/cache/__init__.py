"""Answers kept for a while: in this process first, then where the fleet finds them."""
