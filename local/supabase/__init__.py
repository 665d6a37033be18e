"""The gateway of a local Supabase project: API keys and CORS, in front of PostgREST and Auth."""
