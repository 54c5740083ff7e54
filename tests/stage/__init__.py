"""The stage: set-up, local services, supervisor."""
