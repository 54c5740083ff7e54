# The passwords: of the three roles of Vigil, and of the master that makes them.
#
# First values are random and pass from AWS to AWS: ephemeral values and write-only arguments are
# never in a plan or a state. From then on passwords change without Terraform, which must not put
# the first ones back. Hence the label FIRST: a version without any label is thrown away by AWS some
# day, Terraform would make it again, and what it makes becomes the current one, which no server
# knows. Never raise a `…_wo_version` here; rotation is in rotation.tf and in `manage.py`.

locals {
  roles = {
    application = "vigil_app"
    owner       = "vigil_owner"
    reports     = "vigil_reports"
  }
  first = ["AWSCURRENT", "FIRST"]
  # A name stays taken while a secret waits for its end: for days on what is made and thrown away.
  recovery_days = var.settings.protected ? 30 : 0
}

resource "aws_secretsmanager_secret" "role" {
  # checkov:skip=CKV2_AWS_57:Rotated by manage.py rotatepassword, which keeps the old one valid until the new one is proven
  for_each = local.roles

  name                    = "vigil/${var.stage}/database/${each.key}"
  description             = "Password of the role ${each.value} of ${var.name}"
  kms_key_id              = var.key
  recovery_window_in_days = local.recovery_days
}

ephemeral "aws_secretsmanager_random_password" "role" {
  for_each = local.roles

  # The sum waits for the secret: asked at once, a plan would need an account.
  password_length     = 40 + 0 * length(aws_secretsmanager_secret.role[each.key].id)
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "role" {
  for_each = local.roles

  secret_id = aws_secretsmanager_secret.role[each.key].id
  secret_string_wo = jsonencode({
    username = each.value
    password = ephemeral.aws_secretsmanager_random_password.role[each.key].random_password
  })
  secret_string_wo_version = 1
  version_stages           = local.first

  lifecycle {
    ignore_changes = [version_stages, secret_string_wo_version]
  }
}
