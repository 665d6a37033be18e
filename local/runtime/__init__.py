"""Functions as Lambda runs them: processes of AWS's own runtime client, fed over the Lambda Runtime API."""
