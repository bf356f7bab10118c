"""Downloads and archives: verified, resumable transfers, and member-by-member reading of what they brought."""
