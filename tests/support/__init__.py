"""What tests share: the stack, a client, a clock."""
