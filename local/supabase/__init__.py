"""The one address of a local Supabase project: API keys, CORS, and PostgREST and Auth behind it."""
