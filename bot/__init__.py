"""Cutover: a Slack bot that takes a team through the night its data leaves Supabase."""
