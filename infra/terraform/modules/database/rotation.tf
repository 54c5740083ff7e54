# A new password for the master every 30 days, by a function that AWS writes and keeps up to date.
# It can be had by CloudFormation alone: hence a stack. The attachment adds address and port to the
# secret, which the function reads there. The three roles' passwords are rotated by Vigil itself:
# ../../README.md says why.

locals {
  rotation_template = {
    Transform = "AWS::SecretsManager-2024-09-16"
    Parameters = {
      for name in ["Secret", "Instance", "Key", "Subnets", "SecurityGroup"] : name => { Type = "String" }
    }
    Resources = {
      Address = {
        Type = "AWS::SecretsManager::SecretTargetAttachment"
        Properties = {
          SecretId   = { Ref = "Secret" }
          TargetId   = { Ref = "Instance" }
          TargetType = "AWS::RDS::DBInstance"
        }
      }
      Rotation = {
        Type      = "AWS::SecretsManager::RotationSchedule"
        DependsOn = "Address"
        Properties = {
          SecretId                  = { Ref = "Secret" }
          RotateImmediatelyOnUpdate = true
          RotationRules             = { ScheduleExpression = "rate(30 days)", Duration = "2h" }
          HostedRotationLambda = {
            RotationType        = "PostgreSQLSingleUser"
            RotationLambdaName  = "${var.name}-master-rotation"
            KmsKeyArn           = { Ref = "Key" }
            VpcSubnetIds        = { Ref = "Subnets" }
            VpcSecurityGroupIds = { Ref = "SecurityGroup" }
            # What would have to be escaped in an address.
            ExcludeCharacters = ":/?#[]@!$&'()*+,;=%\"\\`{}|<>^ "
          }
        }
      }
    }
  }
}

resource "aws_cloudformation_stack" "master_rotation" {
  # checkov:skip=CKV_AWS_124:Terraform waits for it and says how it ended
  name          = "${var.name}-master-rotation"
  capabilities  = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  template_body = jsonencode(local.rotation_template)
  parameters = {
    Secret        = aws_cloudformation_stack.secrets.outputs["Master"]
    Instance      = aws_db_instance.main.identifier
    Key           = var.key
    Subnets       = join(",", var.rotation.subnets)
    SecurityGroup = var.rotation.security_group
  }
}
