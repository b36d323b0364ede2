"""From files that a server made to attachments that Discord takes. No Discord objects here."""
