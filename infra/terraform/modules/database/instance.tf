# The instance that writes. Its second half in another zone (multi_az) takes over by itself and
# answers nothing until then; those that are read from are in replicas.tf.

locals {
  database = "vigil"
  port     = 5432
  # At most once a night, while few are admitted; a backup is over before maintenance begins.
  backup_window      = "01:00-01:45"
  maintenance_window = "sun:02:00-sun:03:00"
  logs               = ["postgresql", "upgrade"]
}

resource "aws_db_subnet_group" "main" {
  name        = var.name
  description = "Of ${var.name}"
  subnet_ids  = var.subnets
}

resource "aws_db_instance" "main" {
  # checkov:skip=CKV_AWS_161:Roles sign in by passwords that are rotated; a second way in would have to be watched, too
  # checkov:skip=CKV_AWS_157:multi_az is told by stages.json: on in production
  # checkov:skip=CKV_AWS_293:deletion_protection is told by stages.json: off on dev alone
  # checkov:skip=CKV2_AWS_30:Statements hold patients' data and stay out of the log (parameters.tf); Vigil keeps an audit trail
  # checkov:skip=CKV2_AWS_69:rds.force_ssl is 1 (parameters.tf)
  identifier     = var.name
  engine         = "postgres"
  engine_version = "17"
  instance_class = var.settings.class
  db_name        = local.database
  port           = local.port

  allocated_storage     = var.settings.storage_gib
  max_allocated_storage = var.settings.largest_storage_gib
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.key

  multi_az               = var.settings.multi_az
  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [var.security_group]
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"
  parameter_group_name   = aws_db_parameter_group.main.name

  username                            = local.master
  password_wo                         = local.master_password
  password_wo_version                 = var.first_time ? 1 : null
  iam_database_authentication_enabled = false

  backup_retention_period  = var.settings.backup_days
  backup_window            = local.backup_window
  copy_tags_to_snapshot    = true
  delete_automated_backups = !var.settings.protected

  deletion_protection       = var.settings.protected
  skip_final_snapshot       = !var.settings.protected
  final_snapshot_identifier = var.settings.protected ? "${var.name}-last" : null

  maintenance_window          = local.maintenance_window
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  apply_immediately           = false

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.key
  performance_insights_retention_period = 7
  database_insights_mode                = "standard"
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports       = local.logs

  # RDS would otherwise make the groups itself: without a key, and for ever.
  depends_on = [aws_cloudwatch_log_group.main]

  lifecycle {
    # The first password is given once; rotation.tf gives the next ones.
    ignore_changes = [password_wo_version]

    precondition {
      condition     = var.settings.replicas == 0 || var.settings.backup_days > 0
      error_message = "RDS makes replicas only of an instance with backups: let backup_days be at least 1 in stages.json, or replicas 0."
    }
    precondition {
      condition     = length(var.subnets) >= 2
      error_message = "RDS wants subnets in two zones, whatever the stage: let zones be at least 2 in stages.json."
    }
  }
}
