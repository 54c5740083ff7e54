# What the other layers are told, as ../README.md lists it. Nothing here is a secret.

locals {
  handed_over = {
    "network/vpc"                     = module.network.vpc
    "network/private-subnets"         = join(",", module.network.private_subnets)
    "network/zones"                   = join(",", local.zones)
    "network/function-security-group" = module.network.function_security_group
    "network/worker-security-group"   = module.network.worker_security_group
    "database/host"                   = module.database.host
    "database/reader-host"            = module.database.reader_host
    "database/port"                   = tostring(module.database.port)
    "database/name"                   = module.database.database
    "database/instance"               = module.database.instance
    "database/passwords"              = module.database.passwords
    "database/master-secret"          = module.database.master_secret
    "keys/data"                       = aws_kms_key.data.arn
  }
}

resource "aws_ssm_parameter" "handed_over" {
  # checkov:skip=CKV2_AWS_34:Names and addresses, no secrets: whoever reads them should need no key
  for_each = local.handed_over

  name  = "/vigil/${var.stage}/${each.key}"
  type  = "String"
  value = each.value
}
