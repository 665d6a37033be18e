"""Gamification: XP, levels, badges, streaks, tiers and leaderboards."""
