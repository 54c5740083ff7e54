"""AWS as a deployment meets it. Knows boto3 and names; nothing of patients, nothing of Django."""
