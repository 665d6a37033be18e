"""The peer: the same routes written plainly, as the guides of FastAPI, Mangum, Supabase, boto3 and Powertools show.

StudySync's functions are compared with it, over the same database, in the cold start and warm request benchmarks.
"""
