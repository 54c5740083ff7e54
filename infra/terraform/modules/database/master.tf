# The master: makes the three roles (manage.py dbroles --apply) and is not used otherwise.
#
# RDS would keep its password by itself (manage_master_user_password), but then refuses to make read
# replicas, of every engine but SQL Server. Production has one; so all stages keep it in a secret of
# their own, and what production needs is tried on staging.

# Read for the moment in which the instance is made, and kept nowhere. Never again after that: whoever
# plans a change needs no right to read a secret.
ephemeral "aws_secretsmanager_secret_version" "master" {
  count = var.first_time ? 1 : 0

  secret_id = aws_cloudformation_stack.secrets.outputs["Master"]
}

locals {
  master_password = (
    var.first_time ? jsondecode(ephemeral.aws_secretsmanager_secret_version.master[0].secret_string).password : null
  )
}

# Whatever their roles may be given some day: what serves people and reads files never needs it.
resource "aws_secretsmanager_secret_policy" "master" {
  secret_arn          = aws_cloudformation_stack.secrets.outputs["Master"]
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
