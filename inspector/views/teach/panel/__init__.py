"""The right side of the Teach page: how to teach, the big button, and the job while it runs."""
