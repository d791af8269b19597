"""What filebatch relies on and moto lacks or does differently from AWS."""
