"""What moto leaves out or does otherwise than AWS, and filebatch relies on."""
