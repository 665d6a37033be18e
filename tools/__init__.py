"""What developers run: generators whose output is committed."""
