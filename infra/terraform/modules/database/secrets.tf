# The passwords: of the three roles of Vigil, and of the master that makes them.
#
# Their first values are made by AWS, once, where they are kept: no plan, no state and no person sees
# them. From then on they change without Terraform. Hence a stack of CloudFormation, which makes a
# secret with a random value and never looks at the value again. Terraform's own resource for a
# value tracks that one version: when AWS has thrown the old version away, it makes another, which
# becomes the current one, and which no server knows: nobody could sign in to the database.

locals {
  master = "vigil_master"
  secrets = {
    Application = { name = "vigil/${var.stage}/database/application", user = "vigil_app" }
    Owner       = { name = "vigil/${var.stage}/database/owner", user = "vigil_owner" }
    Reports     = { name = "vigil/${var.stage}/database/reports", user = "vigil_reports" }
    # Not below database/: a right to read what lies there is none to read this.
    Master = { name = "vigil/${var.stage}/database-master", user = local.master }
  }
  secrets_template = {
    Parameters = { Key = { Type = "String" } }
    Resources = {
      for id, secret in local.secrets : id => {
        Type = "AWS::SecretsManager::Secret"
        # A stage whose data are protected keeps the way to them, too.
        DeletionPolicy      = var.settings.protected ? "Retain" : "Delete"
        UpdateReplacePolicy = "Retain"
        Properties = {
          Name        = secret.name
          Description = "Password of ${secret.user} in the database ${var.name}"
          KmsKeyId    = { Ref = "Key" }
          GenerateSecretString = {
            SecretStringTemplate = jsonencode({ username = secret.user })
            GenerateStringKey    = "password"
            PasswordLength       = 40
            ExcludePunctuation   = true
          }
        }
      }
    }
    Outputs = { for id, secret in local.secrets : id => { Value = { Ref = id } } }
  }
  # A change of how a value is made would make a new one, which the server does not know.
  secrets_policy = {
    Statement = [{ Effect = "Deny", Action = "Update:*", Principal = "*", Resource = "*" }]
  }
}

resource "aws_cloudformation_stack" "secrets" {
  # checkov:skip=CKV_AWS_124:Terraform waits for it and says how it ended
  name          = "${var.name}-database-secrets"
  template_body = jsonencode(local.secrets_template)
  policy_body   = jsonencode(local.secrets_policy)
  parameters    = { Key = var.key }
}
