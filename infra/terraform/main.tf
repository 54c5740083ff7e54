# One stage: its network, its database, and the key under which its data rest.

locals {
  settings = jsondecode(file("${path.module}/../stages.json"))[var.stage]
  name     = "vigil-${var.stage}"
  # From names, and not by asking AWS: a plan needs no account.
  zones = [
    for letter in slice(var.zone_letters, 0, local.settings.zones) : "${local.settings.region}${letter}"
  ]
}

module "network" {
  source = "./modules/network"

  name           = local.name
  region         = local.settings.region
  account        = var.account
  zones          = local.zones
  cidr           = local.settings.cidr
  endpoint_zones = local.settings.endpoint_zones
  key            = aws_kms_key.data.arn
}

module "database" {
  source = "./modules/database"

  name           = local.name
  stage          = var.stage
  account        = var.account
  settings       = local.settings.database
  first_time     = var.first_time
  subnets        = module.network.database_subnets
  security_group = module.network.database_security_group
  rotation = {
    subnets        = module.network.private_subnets
    security_group = module.network.rotation_security_group
  }
  key = aws_kms_key.data.arn
}
