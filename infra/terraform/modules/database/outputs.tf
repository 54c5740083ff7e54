output "host" {
  description = "The address that writes."
  value       = aws_db_instance.main.address
}

output "reader_host" {
  description = "The address that only reads, or none."
  value       = var.settings.replicas > 0 ? aws_db_instance.reader[0].address : "none"
}

output "port" {
  description = "The port of both."
  value       = local.port
}

output "database" {
  description = "The database's name."
  value       = local.database
}

output "instance" {
  description = "RDS's name of the instance that writes."
  value       = aws_db_instance.main.identifier
}

output "passwords" {
  description = "The prefix of the roles' secrets."
  value       = "vigil/${var.stage}/database/"
}

output "master_secret" {
  description = "ARN of the master's secret."
  value       = aws_cloudformation_stack.secrets.outputs["Master"]
}
