"""Measurements of calls in every environment, which can be merged across the fleet."""
