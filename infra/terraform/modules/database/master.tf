# The master: makes the three roles (manage.py dbroles --apply) and is not used otherwise.
#
# RDS would keep its password by itself (manage_master_user_password), but then refuses to make read
# replicas, of every engine but SQL Server. Production has one; so all stages keep it here, and
# what production needs is tried on staging. Not below vigil/STAGE/database/, so that a right to
# read what lies there is none to read this.

locals {
  master                  = "vigil_master"
  master_password_version = 1
  # Read back from where it was put: begun again after a failure, server and secret still agree.
  master_password = jsondecode(ephemeral.aws_secretsmanager_secret_version.master.secret_string).password
}

resource "aws_secretsmanager_secret" "master" {
  # checkov:skip=CKV2_AWS_57:Rotated by the stack in rotation.tf
  name                    = "vigil/${var.stage}/database-master"
  description             = "Password of the master ${local.master} of ${var.name}"
  kms_key_id              = var.key
  recovery_window_in_days = local.recovery_days
}

ephemeral "aws_secretsmanager_random_password" "master" {
  password_length     = 40 + 0 * length(aws_secretsmanager_secret.master.id) # as in secrets.tf
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "master" {
  secret_id = aws_secretsmanager_secret.master.id
  secret_string_wo = jsonencode({
    username = local.master
    password = ephemeral.aws_secretsmanager_random_password.master.random_password
  })
  secret_string_wo_version = 1
  version_stages           = local.first

  lifecycle {
    ignore_changes = [version_stages, secret_string_wo_version]
  }
}

ephemeral "aws_secretsmanager_secret_version" "master" {
  secret_id = aws_secretsmanager_secret_version.master.secret_id
}

# Whatever their roles may be given some day: what serves people and reads files never needs it.
resource "aws_secretsmanager_secret_policy" "master" {
  secret_arn          = aws_secretsmanager_secret.master.arn
  policy              = data.aws_iam_policy_document.master.json
  block_public_policy = true
}

data "aws_iam_policy_document" "master" {
  statement {
    sid       = "NotForWhatRuns"
    effect    = "Deny"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values = [
        for part in ["api", "ingestion", "alerts", "worker"] : "arn:aws:iam::${var.account}:role/${var.name}-${part}"
      ]
    }
  }
}
