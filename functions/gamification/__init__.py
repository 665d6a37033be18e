"""Gamification: XP, levels, badges, streaks, tiers and leaderboards."""

import studysync  # noqa: F401 - first of all: it decides how a process starts
