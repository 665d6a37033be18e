"""Functions as Lambda runs them: processes of AWS's own runtime client, connected to a Lambda Runtime API."""
