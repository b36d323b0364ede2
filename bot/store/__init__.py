"""What must outlive the process: SQLAlchemy Core on SQLite; one repository per subject."""
