# Copies that are only read from, some moments behind. They share disk encryption, parameters and
# roles with the one that writes; passwords are rotated there and arrive here like any other row.

resource "aws_db_instance" "reader" {
  # checkov:skip=CKV_AWS_161:Roles are those of the one that writes, and sign in by passwords that are rotated
  # checkov:skip=CKV_AWS_157:A copy has its other half in the one that writes; where it fails, reads go there
  # checkov:skip=CKV_AWS_133:What it holds is backed up where it is written
  # checkov:skip=CKV_AWS_293:It can be made again at any time
  # checkov:skip=CKV2_AWS_69:rds.force_ssl is 1 (parameters.tf)
  count = var.settings.replicas

  identifier          = "${var.name}-reader-${count.index + 1}"
  replicate_source_db = aws_db_instance.main.identifier
  instance_class      = var.settings.class

  # As large as what it copies may grow: a full copy stops.
  max_allocated_storage = var.settings.largest_storage_gib
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.key

  vpc_security_group_ids = [var.security_group]
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"
  parameter_group_name   = aws_db_parameter_group.main.name

  copy_tags_to_snapshot   = true
  backup_retention_period = 0
  deletion_protection     = false
  skip_final_snapshot     = true

  maintenance_window         = "sun:03:00-sun:04:00" # not while the one that writes has its own
  auto_minor_version_upgrade = true
  apply_immediately          = false

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.key
  performance_insights_retention_period = 7
  database_insights_mode                = "standard"
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports       = local.logs

  depends_on = [aws_cloudwatch_log_group.reader]
}
