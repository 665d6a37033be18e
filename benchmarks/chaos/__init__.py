"""`make chaos`: one fault after another under load, and after each the clients' records against the database."""
