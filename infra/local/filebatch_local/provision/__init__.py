"""What is created in the local AWS, from the documents that Terraform reads, too."""
