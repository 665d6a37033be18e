"""The same routes written plainly, as the guides of FastAPI, Mangum, Supabase, boto3 and Powertools show.

What the cold start of StudySync's functions is measured against, over the same database.
"""
