output "vpc" {
  description = "The VPC's id."
  value       = aws_vpc.main.id
}

output "private_subnets" {
  description = "Ids of the subnets of functions and container, in the order of the zones."
  value       = aws_subnet.private[*].id
}

output "database_subnets" {
  description = "Ids of the database's subnets, in the order of the zones."
  value       = aws_subnet.database[*].id
}

output "function_security_group" {
  description = "Of the functions."
  value       = aws_security_group.functions.id
}

output "worker_security_group" {
  description = "Of the container."
  value       = aws_security_group.worker.id
}

output "rotation_security_group" {
  description = "Of the function that rotates the master's password."
  value       = aws_security_group.rotation.id
}

output "database_security_group" {
  description = "Of the database."
  value       = aws_security_group.database.id
}
