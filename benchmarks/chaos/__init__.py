"""`make chaos`: inject faults under load, and check the clients' record against the database after each."""
