"""Measuring calls, in every environment, so that the figures of all can be put together."""
