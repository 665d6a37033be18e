"""A stand-in for Supabase Auth: the part of GoTrue's API that `supabase-auth` uses, over the same `auth.users`."""
