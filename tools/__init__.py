"""Developer tools: generators, builds and audits."""
