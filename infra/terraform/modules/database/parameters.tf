# How the server is set. Two promises lie here: no connection without TLS, and no patient's data in
# a log. Who connects is logged; what was asked is not, neither when it is slow nor when it fails:
# statements, their values, and the details of errors hold names and results.

locals {
  parameters = {
    "rds.force_ssl"                     = "1"
    "ssl_min_protocol_version"          = "TLSv1.2"
    "password_encryption"               = "scram-sha-256" # pragma: allowlist secret
    "rds.accepted_password_auth_method" = "scram"         # pragma: allowlist secret

    "log_connections"            = "1"
    "log_disconnections"         = "1"
    "log_statement"              = "none"
    "log_min_duration_statement" = "-1"
    "log_min_error_statement"    = "panic"
    "log_error_verbosity"        = "terse"
    # It keeps the text of what it counts; of commands such as ALTER ROLE with the password in it.
    "pg_stat_statements.track_utility" = "0"
  }
}

resource "aws_db_parameter_group" "main" {
  name_prefix = "${var.name}-"
  description = "Of ${var.name}"
  family      = "postgres17"

  dynamic "parameter" {
    for_each = local.parameters
    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}
