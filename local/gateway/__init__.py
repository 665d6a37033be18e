"""An HTTP server that behaves as API Gateway's HTTP API does in front of Lambda functions."""
