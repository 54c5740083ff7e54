# A new password for the master every 30 days, by a function that AWS writes and keeps up to date.
# It can be had by CloudFormation alone: hence a stack. The attachment adds address and port to the
# secret, which the function reads there.

resource "aws_cloudformation_stack" "master_rotation" {
  # checkov:skip=CKV_AWS_124:Terraform waits for it and says how it ended
  name         = "${var.name}-master-rotation"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

  template_body = jsonencode({
    Transform = "AWS::SecretsManager-2024-09-16"
    Resources = {
      Address = {
        Type = "AWS::SecretsManager::SecretTargetAttachment"
        Properties = {
          SecretId   = aws_secretsmanager_secret.master.arn
          TargetId   = aws_db_instance.main.identifier
          TargetType = "AWS::RDS::DBInstance"
        }
      }
      Rotation = {
        Type      = "AWS::SecretsManager::RotationSchedule"
        DependsOn = "Address"
        Properties = {
          SecretId                  = aws_secretsmanager_secret.master.arn
          RotateImmediatelyOnUpdate = true
          RotationRules             = { ScheduleExpression = "rate(30 days)", Duration = "2h" }
          HostedRotationLambda = {
            RotationType        = "PostgreSQLSingleUser"
            RotationLambdaName  = "${var.name}-master-rotation"
            KmsKeyArn           = var.key
            VpcSubnetIds        = join(",", var.rotation.subnets)
            VpcSecurityGroupIds = var.rotation.security_group
            # What would have to be escaped in an address.
            ExcludeCharacters = ":/?#[]@!$&'()*+,;=%\"\\`{}|<>^ "
          }
        }
      }
    }
  })
}
