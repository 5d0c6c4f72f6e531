"""What a running station needs beside judging: room on its drive, images let go by rule, shift checks and reports when they are due."""
