output "rendered" {
  description = "Key => the document, decoded."
  value       = local.rendered
}
