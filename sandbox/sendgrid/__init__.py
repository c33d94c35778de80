"""SendGrid's v3 Mail Send, a mailbox to look into, and the Event Webhook."""
