"""A simulated hospital: invented people, and the CSV files that its two systems would export.

Stands alone: it knows the feed contract, not the application that reads the files.

    python -m simulator INBOX_DIR [--interval 3] [--seed N] [--patients 60] [--zone Europe/Berlin]
"""
