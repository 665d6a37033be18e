"""Gamification: XP, levels, badges, streaks, tiers and leaderboards."""

import studysync  # noqa: F401 - must be imported first, because it configures the process
