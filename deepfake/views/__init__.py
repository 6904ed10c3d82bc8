"""What people look at: the report, the web page and the webcam window."""
