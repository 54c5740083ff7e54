# Who may speak to whom. Only these pairs: functions, worker and rotation ask the database and the
# endpoints; functions and worker S3 as well. Nobody asks them, and no rule names the internet.

locals {
  clients = {
    functions = aws_security_group.functions.id
    worker    = aws_security_group.worker.id
    rotation  = aws_security_group.rotation.id
  }
  readers_of_s3 = {
    functions = aws_security_group.functions.id
    worker    = aws_security_group.worker.id
  }
}

resource "aws_security_group" "functions" {
  # checkov:skip=CKV2_AWS_5:Worn by functions, which another layer makes
  name        = "${var.name}-functions"
  description = "The functions of Vigil"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group" "worker" {
  # checkov:skip=CKV2_AWS_5:Worn by the container, which another layer makes
  name        = "${var.name}-worker"
  description = "The container for long tasks"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group" "rotation" {
  # checkov:skip=CKV2_AWS_5:Worn by the function that rotates the password of the master
  name        = "${var.name}-rotation"
  description = "The function that rotates the password of the master"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group" "database" {
  # checkov:skip=CKV2_AWS_5:Worn by the database, in the other module
  name        = "${var.name}-database"
  description = "The database"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "The doors to the services of AWS"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = local.clients

  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "database" {
  for_each = local.clients

  security_group_id            = each.value
  description                  = "PostgreSQL to the database"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = local.clients

  security_group_id            = aws_security_group.endpoints.id
  description                  = "TLS from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  for_each = local.clients

  security_group_id            = each.value
  description                  = "TLS to the endpoints"
  referenced_security_group_id = aws_security_group.endpoints.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = local.readers_of_s3

  security_group_id = each.value
  description       = "TLS to S3"
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
